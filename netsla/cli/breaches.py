"""`netsla breaches`: what was breached since when, for how long, on what evidence, and who has seen to it.

Rules: asks the running agent, which knows who asks; without one it reads what the agent left in its state folder.
Acknowledging and muting need the agent: they are recorded with name and reason, and told like everything else.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from netsla.cli.output import complain, room, say, table, wants_colour, write
from netsla.config.quantity import Wrong, duration, duration_text, meant
from netsla.control import ask
from netsla.errors import AgentError, Exit, NetslaError
from netsla.model import SECOND
from netsla.wire.breaches import BUDGET, FORECAST, NO_DATA, Breach, fold, to_json
from netsla.wire.event import standing_since
from netsla.wire.figures import NONE, figure

_HEAD = ("STATE", "SEVERITY", "AGREEMENT", "ENDPOINT", "OBJECTIVE", "ONSET", "DURATION", "VALUE", "TARGET", "EVIDENCE",
         "SEEN TO BY")  # fmt: skip
_SPARE = ("EVIDENCE", "SEEN TO BY", "SEVERITY", "TARGET", "VALUE", "DURATION")  # least missed first


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which breaches to show, and how (table or json)."""

    since: str = "7d"
    only_open: bool = False
    agreement: str | None = None
    form: str = "table"


def breaches(socket: str, state_dir: Path | None, wanted: Wanted, config: Path | None = None) -> int:
    """Print them, oldest onset first. That a misspelt agreement has none would be a comfort without ground."""
    now = datetime.now(UTC)
    since_ns = int(now.timestamp() * SECOND) - since(wanted.since)
    found = [one for one in _read(socket, state_dir, since_ns) if _is_wanted(one, wanted, since_ns)]
    if config is not None and wanted.agreement is not None and not found:
        _require_known(wanted.agreement, config)
    if wanted.form == "json":
        write(orjson.dumps([to_json(one, now) for one in found], option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        say(table(_HEAD, [_row(one, now) for one in found], colour=wants_colour(), spare=_SPARE, width=room()))
        for one in found:
            if one.open and one.path:
                say(f"\npath to {one.endpoint} ({one.address}) at its onset:\n{shown_path(one.path)}")
    else:
        of = f" of {wanted.agreement}" if wanted.agreement else ""
        say(f"no {'open ' if wanted.only_open else ''}breach{of} in the last {wanted.since}")
    return Exit.OK


def _require_known(agreement: str, path: Path) -> None:
    """Raise NetslaError for an agreement that the configuration, if it can be read, does not know."""
    from netsla import config  # noqa: PLC0415 - only where nothing was found

    try:
        known = {one.id for one in config.load(path)[0].agreements}
    except NetslaError:
        return  # `netsla check` is the place to complain
    if agreement not in known:
        raise NetslaError(f"there is no agreement {agreement!r}, and no breach of it", meant(agreement, known))


def acknowledge(socket: str, what: str, why: str, mute: str | None) -> int:
    """Say that a person sees to a breach, and mute what it tells for a while."""
    agreement, endpoint, objective = named(what)
    if not why.strip():
        raise NetslaError("nothing is said of what is being done", 'add --why "…"')
    request: dict[str, Any] = {"op": "acknowledge", "agreement": agreement, "endpoint": endpoint}
    request |= {"objective": objective, "why": why, "mute_seconds": since(mute) / SECOND if mute else 0}
    answer = orjson.loads(ask(socket, request))
    say(str(answer["said"]))
    return Exit.OK


def named(what: str) -> tuple[str, str, str]:
    """AGREEMENT/ENDPOINT/OBJECTIVE in three."""
    parts = what.split("/")
    if len(parts) != 3 or not all(parts):
        raise NetslaError(
            f"{what!r} names no objective", "write AGREEMENT/ENDPOINT/OBJECTIVE, as `netsla breaches` shows"
        )
    return parts[0], parts[1], parts[2]


def since(text: str) -> int:
    """A duration, in ns."""
    try:
        return duration(text)
    except Wrong as wrong:
        raise NetslaError(f"{text!r}: {wrong.problem}", wrong.remedy) from wrong


def _read(socket: str, state_dir: Path | None, since_ns: int) -> list[Breach]:
    try:
        answer = orjson.loads(ask(socket, {"op": "breaches", "since_ns": since_ns}))
    except AgentError as unreachable:
        if state_dir is None:
            raise
        complain(f"netsla: {unreachable.problem}; this is what it left")
        return _read_left(state_dir, since_ns)
    return fold(answer["events"], answer["paths"])


def _read_left(state_dir: Path, since_ns: int) -> list[Breach]:
    from netsla.store.archive import Archive  # noqa: PLC0415 - only without an agent
    from netsla.store.outbox import read_history, read_states  # noqa: PLC0415 - likewise

    try:
        standing = standing_since(read_states(state_dir / "outbox.db"))
        first_ns = min((since_ns, *standing.values()))
        told = read_history(state_dir / "outbox.db", since_ns, standing)
        events = [json.loads(event.payload) for event in told]
        with Archive(state_dir / "ledger.db").open() as look:
            paths = {note.detail["event"]: note.detail for note in look.notes(("path",), start_ns=first_ns)}
    except sqlite3.Error as error:
        raise NetslaError(f"{state_dir}: {error}", "is this the agent's state folder, and may you read it?") from error
    return fold(events, paths)


def _is_wanted(one: Breach, wanted: Wanted, since_ns: int) -> bool:
    if wanted.agreement not in (None, one.agreement) or (wanted.only_open and not one.open):
        return False
    return one.open or datetime.fromisoformat(str(one.ended_at)).timestamp() * SECOND >= since_ns


def _row(one: Breach, now: datetime) -> list[str]:
    lasted = duration_text(round(one.seconds(now)) * SECOND) if one.seconds(now) >= 1 else "<1s"
    lasted = NONE if one.what == BUDGET else lasted
    seen = (one.acknowledged or {}).get("by") or (f"caused by {one.caused_by}" if one.caused_by else NONE)
    return [
        _state(one),
        one.severity,
        one.agreement,
        one.endpoint,
        one.objective,
        one.onset,
        lasted,
        figure(one.metric, one.value),
        one.target,
        one.evidence or NONE,
        str(seen),
    ]


def _state(one: Breach) -> str:
    if one.what == BUDGET:
        return f"warned, {one.details['budget_warning_percent']} % spent"
    spent, budget = one.details.get("down_seconds", 0), one.details.get("budget_seconds", 0)
    if one.what == FORECAST and spent <= budget:
        return "expected" if one.open else "ended, was expected"
    if one.what == NO_DATA:
        return NO_DATA if one.open else f"ended, {NO_DATA}"
    return "breached" if one.open else "ended"


def shown_path(path: dict[str, Any]) -> str:
    """The hops of a snapshot, one a line; silent ones as `*`."""
    if path.get("problem"):
        return f"  {path['problem']}"
    lines, last = [], 0
    for distance, address, rtt_ms in path["hops"]:
        lines += [f"  {silent:2d}  *" for silent in range(last + 1, distance)]
        lines.append(f"  {distance:2d}  {address}  {rtt_ms:.3f} ms")
        last = distance
    return "\n".join([*lines, "" if path["reached"] else "  it ends here: the endpoint did not answer"]).rstrip()
