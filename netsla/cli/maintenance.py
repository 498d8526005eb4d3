"""`netsla maintenance`: say that some time does not count, see what does not, take it back.

Rules: the agent checks, records and puts into force; what was said is in the ledger with who and when. Listing works
without an agent, too. Mistakes are told all at once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from netsla.cli.output import complain, room, say, table, wants_colour, write
from netsla.control import ask
from netsla.errors import AgentError, Exit, NetslaError
from netsla.wire.figures import NONE

_HEAD = ("COUNTS", "AGREEMENT", "ENDPOINT", "ID", "START", "END", "CAUSE", "ANNOUNCED", "RECORDED", "BY", "REFERENCE",
         "REASON")  # fmt: skip
_SPARE = ("RECORDED", "BY", "ANNOUNCED", "REFERENCE", "ENDPOINT", "CAUSE", "END")  # least missed first
Json = dict[str, Any]


def add(socket: str, request: Mapping[str, Any]) -> int:
    """Record an exclusion and say at once whether it counts."""
    answer = _ask(socket, {"op": "exclusion_add", **request})
    if answer is None:
        return Exit.CONFIG
    one = answer["exclusion"]
    say(f"recorded {one['id']}: {one['start']} to {one['end']}, {counts(one)}")
    return Exit.OK


def cancel(socket: str, name: str, why: str) -> int:
    """Take one back; it stays in the record."""
    answer = _ask(socket, {"op": "exclusion_cancel", "id": name, "why": why})
    if answer is None:
        return Exit.CONFIG
    say(f"cancelled {answer['cancelled']}")
    return Exit.OK


def listing(socket: str, config: Path, agreement: str | None, form: str) -> int:
    """Planned and recorded ones."""
    try:
        answer = _ask(socket, {"op": "exclusion_list", "agreement": agreement})
        if answer is None:
            return Exit.CONFIG
        found = answer["exclusions"]
    except AgentError as unreachable:
        complain(f"netsla: {unreachable.problem}; this is what the ledger holds")
        found = _read_ledger(config, agreement)
    if form == "json":
        write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        say(table(_HEAD, [_row(one) for one in found], colour=wants_colour(), spare=_SPARE, width=room()))
    else:
        say("nothing is excluded, nothing is planned in the next 60 days")
    return Exit.OK


def _ask(socket: str, request: Mapping[str, Any]) -> Json | None:
    """The answer; None if the request was wrong, which was said then."""
    answer: Json = orjson.loads(ask(socket, dict(request)))
    if "mistakes" not in answer:
        return answer
    for problem, remedy in answer["mistakes"]:
        complain(f"netsla: {problem}{f': {remedy}' if remedy else ''}")
    return None


def _read_ledger(config: Path, agreement: str | None) -> list[Json]:
    from netsla import config as configuration  # noqa: PLC0415 - only without an agent
    from netsla.excluding import Mistakes, chosen, listed  # noqa: PLC0415 - likewise
    from netsla.store.archive import Archive  # noqa: PLC0415 - likewise
    from netsla.store.exclusions import history  # noqa: PLC0415 - likewise

    plan, _ = configuration.load(config)
    try:
        agreements = chosen(plan, agreement)
    except Mistakes as wrong:
        raise NetslaError(*wrong.found[0]) from wrong
    ledger = Path(plan.agent.state_dir) / "ledger.db"
    try:
        with Archive(ledger).open() as look:
            entries = history(look)
    except sqlite3.Error as error:
        raise NetslaError(f"cannot read {ledger}: {error}", "has the agent run with this configuration?") from error
    return listed(agreements, entries, time.time_ns())


def counts(one: Mapping[str, Any]) -> str:
    """Whether it counts, in words."""
    if one["flag"] == "cancelled":
        return "cancelled"
    if not one["flag"]:
        return "counts" if one["counts_seconds"] else "stops the clock of repairs only"
    part = f"{one['counts_seconds']:g} s count, then " if one["counts_seconds"] else ""
    return f"{part}does not count: {one['flag']} ({_WHY.get(one['why'], one['why'])})"


_WHY = {
    "notice": "announced too late",
    "hours": "outside the allowed hours",
    "cap": "more than the month's cap",
}


def _row(one: Mapping[str, Any]) -> list[str]:
    return [
        counts(one),
        one["agreement"] or NONE,
        one["endpoint"] or "all",
        one["id"],
        one["start"],
        one["end"],
        one["cause"],
        one["announced"] or ("in the agreement" if one["recorded"] is None else NONE),
        one["recorded"] or "planned",
        one["by"] or NONE,
        one["reference"] or NONE,
        one["reason"] or NONE,
    ]
