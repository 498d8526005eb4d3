"""`exclusions.json` of an evidence pack: what somebody says does not count, read and written.

    read_exclusions(path, agreement) -> tuple[Exclusion, ...]      raises NetslaError, every mistake at once
    write_exclusions(path, exclusions)

Rules: times without an offset are local to the agreement. Keys that we do not know are somebody's remarks, unless
they look like a slip of the pen. A cause has to be told in a word: without one nobody could say why time is excused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from netsla.errors import NetslaError
from netsla.model import Agreement
from netsla.sla.calendar import instant_ns
from netsla.sla.exclusion import CAUSES, PLANNED, Exclusion
from netsla.sla.report_json import instant

_NEEDED = ("id", "start", "end", "cause")
_KEYS = frozenset((*_NEEDED, "endpoint", "reason", "reference", "announced", "accepted_by", "agreed"))
_SYNONYMS = dict.fromkeys(
    (
        "waiting",
        "waiting_customer",
        "waiting_for_the_customer",
        "waiting_on_customer",
        "waiting_on_the_customer",
        "awaiting_customer",
        "customer_waiting",
        "stop_clock",
        "clock_stopped",
    ),
    "waiting_for_customer",
)  # fmt: skip - other systems' words for R16's stop-clock
_LAST_NS = 2**62  # the year 2116: what is later than this is no time that anybody means


def read_exclusions(path: Path, agreement: Agreement) -> tuple[Exclusion, ...]:
    """The exclusions of a pack, none if the file is absent; raises OSError as well."""
    if not path.exists():
        return ()
    try:
        told = json.loads(path.read_bytes())
        json.dumps(told, ensure_ascii=False).encode()  # half a character could be read, and never be told
    except (ValueError, RecursionError) as error:
        raise NetslaError(f"{path.name}: {error}", "write a JSON list") from error
    if not isinstance(told, list):
        raise NetslaError(f"{path.name} is not a list", "write [{id, endpoint, start, end, cause, …}]")
    zone = ZoneInfo(agreement.timezone)
    known = {endpoint.id for endpoint in agreement.endpoints}
    mistakes: list[NetslaError] = []
    found = []
    for number, one in enumerate(told, 1):
        try:
            found.append(_exclusion(f"{path.name}: exclusion {number}", one, zone, known))
        except NetslaError as error:
            mistakes.append(error)
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else NetslaError("\n".join(map(str, mistakes)))
    return tuple(found)


def _exclusion(place: str, one: Any, zone: ZoneInfo, known: set[str]) -> Exclusion:
    if not isinstance(one, dict) or any(one.get(key) in (None, "") for key in _NEEDED):
        raise NetslaError(f"{place} has no id, start, end or cause", "write them all")
    for key in sorted(one.keys() - _KEYS):
        if near := get_close_matches(key, _KEYS, 1, 0.75):  # other keys are somebody's remarks
            raise NetslaError(f"{place}: unknown key {key!r}", f"did you mean {near[0]!r}?")
    endpoint = one.get("endpoint")
    if endpoint is not None and (not isinstance(endpoint, str) or endpoint not in known):
        raise NetslaError(f"{place}: unknown endpoint {endpoint!r}", "name one of the agreement, or null for all")
    start, end = _at(place, one, "start", zone), _at(place, one, "end", zone)
    if start >= end:
        raise NetslaError(f"{place} ends before it begins", "write start before end")
    announced = _at(place, one, "announced", zone) if one.get("announced") is not None else None
    return Exclusion(
        str(one["id"]), endpoint, start, end, _cause(place, one["cause"]), str(one.get("reason") or ""),
        str(one.get("reference") or ""), announced, str(one.get("accepted_by") or ""), one.get("agreed") is True,
    )  # fmt: skip


def _cause(place: str, text: Any) -> str:
    """The cause as rules spell it. Another word than those of R10 counts as agreed, but never a slip of the pen.

    Maintenance by another name (emergency, scheduled …) needs its notice like any.
    """
    word = "_".join(text.casefold().replace("-", " ").replace("_", " ").split()) if isinstance(text, str) else ""
    if not word:
        raise NetslaError(f"{place}: cause: {text!r} is no word", f"write one of {', '.join(CAUSES)}")
    word = "maintenance" if "maintenance" in word.split("_") and word not in PLANNED else _SYNONYMS.get(word, word)
    known = {*CAUSES, *PLANNED}
    if word not in known and (near := get_close_matches(word, known, 1, 0.8)):
        raise NetslaError(f"{place}: unknown cause {text!r}", f"did you mean {near[0]!r}?")
    return word


def _at(place: str, one: dict[str, Any], key: str, zone: ZoneInfo) -> int:
    try:
        at = datetime.fromisoformat(str(one[key]))
    except ValueError as error:
        raise NetslaError(f"{place}: {key}: {one[key]!r} is no ISO 8601 time", "write 2026-10-05T02:00Z") from error
    at_ns = instant_ns(at if at.tzinfo is not None else at.replace(tzinfo=zone))
    if not 0 <= at_ns < _LAST_NS:
        raise NetslaError(f"{place}: {key}: {one[key]!r} is out of reach", "write a year from 1970 to 2115")
    return at_ns


def write_exclusions(path: Path, exclusions: Iterable[Exclusion]) -> None:
    """One object per exclusion, times in UTC."""
    told = [_told(one) for one in exclusions]
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _told(one: Exclusion) -> dict[str, Any]:
    return {
        "id": one.id, "endpoint": one.endpoint, "start": instant(one.start_ns), "end": instant(one.end_ns),
        "cause": one.cause, "reason": one.reason, "reference": one.reference,
        "announced": None if one.announced_ns is None else instant(one.announced_ns),
        **({"accepted_by": one.accepted_by} if one.accepted_by else {}), **({"agreed": True} if one.agreed else {}),
    }  # fmt: skip
