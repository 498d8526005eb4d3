"""Exclusions at run time: who may say that some time does not count, how it is checked, recorded, and put into force.

Rules: every mistake of a request is told at once, and nothing of it is kept. Local times are the agreement's. What is
recorded is in the ledger before anybody is told that it holds. Whether maintenance counts is said at once, by the same
rules as in a settlement.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import TimeoutError as LateError
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from netsla.config.quantity import Wrong, duration, meant
from netsla.control import Peer, name_of
from netsla.errors import AgentError
from netsla.model import SECOND, Agreement, Plan
from netsla.sla.calendar import instant_ns
from netsla.sla.exclusion import CAUSES, Exclusion, Ruled, planned, rule
from netsla.sla.report_json import instant
from netsla.sla.spans import spans, total_ns
from netsla.store import exclusions
from netsla.store.exclusions import Entry
from netsla.store.ledger import Ledger
from netsla.wire.event import uuid7

log = logging.getLogger("netsla")

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_WRITE_S = 10.0
_COMING_NS = 60 * 86_400 * SECOND  # planned work is listed so far ahead
Json = dict[str, Any]
Changed = Callable[[str, tuple[Exclusion, ...]], Awaitable[None]]


class Mistakes(Exception):  # noqa: N818 - a list of them
    """What is wrong with a request: (problem, remedy)."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(problem for problem, _ in found))
        self.found = found


class Excluding:
    """Answers the operator; `changed(agreement, those in force)` puts them into the live windows."""

    def __init__(self, ledger: Ledger, plan_of: Callable[[], Plan], changed: Changed) -> None:
        self._ledger, self._plan_of, self._changed = ledger, plan_of, changed
        self._one_at_a_time = asyncio.Lock()

    def in_force(self) -> dict[str, tuple[Exclusion, ...]]:
        """What holds, by agreement; raises sqlite3.Error."""
        found: dict[str, list[Exclusion]] = {}
        for entry in self._history():
            if entry.cancelled_ns is None:
                found.setdefault(entry.agreement, []).append(entry.exclusion)
        return {name: tuple(sorted(some, key=lambda one: (one.start_ns, one.id))) for name, some in found.items()}

    def recall(self) -> dict[str, tuple[Exclusion, ...]]:
        """What was agreed at run time holds over restarts; if it cannot be read, nothing does, and the log says so."""
        try:
            return self.in_force()
        except sqlite3.Error as error:
            log.warning("exclusions cannot be read back: %s", error)
            return {}

    async def answer_add(self, request: Mapping[str, Any], peer: Peer) -> Json:
        """Record an exclusion."""
        async with self._one_at_a_time:
            try:
                entries = await self._read()
                agreement, made = read_request(request, self._plan_of(), entries, time.time_ns())
            except Mistakes as wrong:
                return {"mistakes": wrong.found}
            await self._write(exclusions.record(self._ledger, agreement.id, made, name_of(peer.uid), time.time_ns()))
            held = await self._put_into_force(agreement.id)
        return {"exclusion": shown(judged(agreement, held, made.id))}

    async def answer_cancel(self, request: Mapping[str, Any], peer: Peer) -> Json:
        """Cancel an exclusion; it stays in the record."""
        async with self._one_at_a_time:
            entries = await self._read()
            open_ones = {one.exclusion.id: one for one in entries if one.cancelled_ns is None}
            name, why = str(request.get("id", "")), str(request.get("why") or "").strip()
            mistakes = [] if why else [("no reason is given", 'add --reason "…"')]
            if name not in open_ones and any(one.exclusion.id == name for one in entries):
                mistakes.append((f"exclusion {name!r} is cancelled already", "see `netsla maintenance list`"))
            elif name not in open_ones:
                mistakes.append((f"there is no exclusion {name!r} to cancel", meant(name, open_ones)))
            if mistakes:
                return {"mistakes": mistakes}
            agreement = open_ones[name].agreement
            writing = exclusions.cancel(self._ledger, agreement, name, name_of(peer.uid), why, time.time_ns())
            await self._write(writing)
            await self._put_into_force(agreement)
        return {"cancelled": name}

    async def answer_list(self, request: Mapping[str, Any]) -> Json:
        """Planned and recorded exclusions."""
        entries = await self._read()
        try:
            agreements = chosen(self._plan_of(), request.get("agreement"))
        except Mistakes as wrong:
            return {"mistakes": wrong.found}
        return {"exclusions": listed(agreements, entries, time.time_ns())}

    async def _put_into_force(self, agreement: str) -> tuple[Exclusion, ...]:
        held = (await asyncio.to_thread(self.in_force)).get(agreement, ())
        await self._changed(agreement, held)
        return held

    async def _read(self) -> list[Entry]:
        try:
            return await asyncio.to_thread(self._history)
        except sqlite3.Error as error:
            raise AgentError(f"the ledger cannot be read: {error}", "see `netsla status` for the disk") from error

    def _history(self) -> list[Entry]:
        with self._ledger.archive.open() as look:
            return exclusions.history(look)

    async def _write(self, writing: Any) -> None:
        try:
            await asyncio.wait_for(asyncio.wrap_future(writing), _WRITE_S)
        except (TimeoutError, LateError) as late:
            raise AgentError("the ledger cannot be written now: nothing was recorded", "see `netsla status`") from late


# --- pure ---------------------------------------------------------------------------------------------


def chosen(plan: Plan, name: object) -> list[Agreement]:
    """The agreement of this name, all for None; raises Mistakes."""
    known = {one.id: one for one in plan.agreements}
    if name is not None and name not in known:
        raise Mistakes([(f"there is no agreement {str(name)!r}", meant(str(name), known))])
    return [one for one in plan.agreements if name in (None, one.id)]


def read_request(
    request: Mapping[str, Any], plan: Plan, entries: list[Entry], now_ns: int
) -> tuple[Agreement, Exclusion]:
    """What a request asks for; raises Mistakes."""
    (agreement,) = chosen(plan, str(request.get("agreement", "")))
    wrong: list[tuple[str, str]] = []
    zone = ZoneInfo(agreement.timezone)
    start = _moment("start", request, zone, now_ns, wrong)
    end = _moment("end", request, zone, now_ns, wrong) if request.get("end") else None
    if request.get("duration") and request.get("end"):
        wrong.append(("--end and --duration say the same thing", "give one of them"))
    elif end is None and start is not None:
        end = _after(start, request.get("duration"), wrong)
    if start is not None and end is not None and end <= start:
        wrong.append(("it does not end after it begins", "write a later --end, or a --duration such as 2h"))
    endpoint, cause = request.get("endpoint") or None, str(request.get("cause") or "maintenance")
    names = {one.id for one in agreement.endpoints}
    if endpoint is not None and endpoint not in names:
        wrong.append((f"{agreement.id} has no endpoint {endpoint!r}", meant(str(endpoint), names)))
    if cause not in CAUSES:
        wrong.append((f"{cause!r} is no cause", meant(cause, CAUSES)))
    reason = str(request.get("reason") or "").strip()
    if not reason:
        wrong.append(("no reason is given", 'add --reason "…"'))
    announced = _moment("announced", request, zone, now_ns, wrong) if request.get("announced") else now_ns
    name = str(request.get("id") or f"x-{uuid7(now_ns // 1_000_000, now_ns.to_bytes(10, 'big'))[:13]}")
    if not _ID.fullmatch(name):
        wrong.append((f"{name!r} cannot be an id", "use letters, digits, dot, underscore and hyphen; at most 128"))
    if name in {one.exclusion.id for one in entries if one.cancelled_ns is None}:
        wrong.append((f"the id {name!r} is taken", "choose another, or leave it out"))
    if wrong or start is None or end is None:
        raise Mistakes(wrong)
    place = None if endpoint is None else str(endpoint)
    more = str(request.get("reference") or ""), announced, str(request.get("accepted_by") or "")
    return agreement, Exclusion(name, place, start, end, cause, reason, *more)


def _moment(
    key: str, request: Mapping[str, Any], zone: ZoneInfo, now_ns: int, wrong: list[tuple[str, str]]
) -> int | None:
    """UTC ns of a time; local without an offset."""
    text = str(request.get(key) or "")
    if text == "now":
        return now_ns
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        wrong.append((f"--{key} {text!r} is no time", "write 2026-10-05T02:00 (local), 2026-10-05T02:00Z, or now"))
        return None
    return instant_ns(at if at.tzinfo is not None else at.replace(tzinfo=zone))


def _after(start_ns: int, length: Any, wrong: list[tuple[str, str]]) -> int | None:
    if not length:
        wrong.append(("no end is given", "add --end or --duration"))
        return None
    try:
        return start_ns + duration(str(length))
    except Wrong as error:
        wrong.append((f"--duration {length!r}: {error.problem}", error.remedy))
        return None


def judged(agreement: Agreement, held: tuple[Exclusion, ...], name: str) -> Ruled:
    """What counts of one of them, beside all others."""
    mine = next(one for one in held if one.id == name)
    zone = ZoneInfo(agreement.timezone)
    margin = 31 * 86_400 * SECOND  # a month's cap is shared with what is planned
    own = planned(agreement.maintenance, zone, mine.start_ns - margin, mine.end_ns + margin, agreement.term_from)
    ruled = rule([*own, *held], agreement.maintenance, zone, mine.endpoint)
    return next(one for one in ruled if one.exclusion.id == name)


def shown(ruled: Ruled, entry: Entry | None = None, agreement: str = "") -> Json:
    """One exclusion as `netsla maintenance` prints it."""
    one = ruled.exclusion
    return {
        "id": one.id,
        "agreement": agreement or None,
        "endpoint": one.endpoint,
        "start": instant(one.start_ns),
        "end": instant(one.end_ns),
        "cause": one.cause,
        "reason": one.reason,
        "reference": one.reference,
        "announced": None if one.announced_ns is None else instant(one.announced_ns),
        "accepted_by": one.accepted_by or None,
        "counts_seconds": total_ns(ruled.spans) / SECOND,
        "flag": ruled.flag or None,
        "why": ruled.why or None,
        "recorded": instant(entry.recorded_ns) if entry else None,
        "by": entry.by if entry else None,
        "cancelled": instant(entry.cancelled_ns) if entry and entry.cancelled_ns is not None else None,
        "cancelled_by": entry.cancelled_by if entry else None,
        "cancelled_why": entry.cancelled_why if entry else None,
    }


def listed(agreements: list[Agreement], entries: list[Entry], now_ns: int) -> list[Json]:
    """What is planned in the next weeks, and all that was ever recorded, by agreement and start."""
    found = []
    for agreement in agreements:
        mine = [one for one in entries if one.agreement == agreement.id]
        held = tuple(one.exclusion for one in mine if one.cancelled_ns is None)
        zone = ZoneInfo(agreement.timezone)
        own = planned(agreement.maintenance, zone, now_ns, now_ns + _COMING_NS, agreement.term_from)
        rows = [(one, None) for one in own] + [(one.exclusion, one) for one in mine]
        for one, entry in sorted(rows, key=lambda row: (row[0].start_ns, row[0].id)):
            if entry is not None and entry.cancelled_ns is not None:
                ruled = Ruled(one, spans([]), "cancelled")
            else:
                every = rule([*own, *held], agreement.maintenance, zone, one.endpoint)
                ruled = next(each for each in every if each.exclusion == one)
            found.append(shown(ruled, entry, agreement.id))
    return found
