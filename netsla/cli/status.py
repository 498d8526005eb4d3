"""`netsla status` and `netsla reload`: ask the agent, show what it says.

Rules: knows the status JSON and nothing of the agent's insides; no numpy, no asyncio. Figures are
truncated toward failure. Problems of the agent go to stderr.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from netsla.cli.output import complain, on_terminal, readers, room, say, table, wants_colour, write
from netsla.control import ask
from netsla.errors import AgentError, Exit, NetslaError
from netsla.wire.figures import NONE, figure

WATCH_SECONDS = 2.0
RECENT = "5m"  # the window in the table: every probe has it
ORDER = ("breached", "no_data", "insufficient_data", "met")  # worst first
_SPARE = ("ADDRESS", "PROBE", "RTT", "PATH", f"P95 {RECENT}", "LAST", f"DELIVERY {RECENT}")  # least missed first
_CLEAR = "\x1b[H\x1b[2J"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, whom, and how to show it (table, wide, json)."""

    socket: str
    what: str | None = None
    form: str = "table"
    breached: bool = False

    @property
    def request(self) -> Json:
        """For the control socket."""
        agreement, _, endpoint = (self.what or "").partition("/")
        request: Json = {"op": "status", "agreement": agreement or None, "endpoint": endpoint or None}
        request |= {"breached": True} if self.breached else {}
        return request | ({} if self.form == "json" else {"windows": [RECENT]})


def status(question: Question) -> int:
    """Ask once, print, and give the exit code."""
    body = ask(question.socket, question.request)
    document: Json = orjson.loads(body)
    whole = document if not question.breached or document["objectives"] else _all(question)
    if question.what and not whole["probes"]:
        raise NetslaError(f"the agent knows no {question.what}", _meant(question))
    if question.form == "json":
        write(body + b"\n")
    else:
        say(shown(document, wide=question.form == "wide", colour=wants_colour()))
    for problem in document["agent"]["problems"]:
        complain(f"netsla: {problem}")
    return verdict(whole)


def _all(question: Question) -> Json:
    """What `--breached` leaves out: the exit code is that of everything asked about, shown or not."""
    document: Json = orjson.loads(ask(question.socket, replace(question, breached=False, form="table").request))
    return document


def _meant(question: Question) -> str:
    """Which agreement, or endpoint of it, was likely meant."""
    from netsla.config.quantity import meant  # noqa: PLC0415 - only where nothing was found

    whole: Json = orjson.loads(ask(question.socket, replace(question, what=None, breached=False, form="table").request))
    pairs = {(probe["agreement"], probe["endpoint"]) for probe in whole["probes"]}
    wanted = str(question.what)
    known = ("/".join(pair) for pair in pairs) if "/" in wanted else (agreement for agreement, _ in pairs)
    return meant(wanted, set(known))


def watch(question: Question) -> int:
    """Again and again, until interrupted or nobody reads; an agent that is away for a while is waited for."""
    code: int = Exit.UNREACHABLE
    try:
        while True:
            if on_terminal():
                sys.stdout.write(_CLEAR)
            try:
                code = status(question)
            except AgentError as error:
                complain(f"netsla: {error}")
                code = Exit.UNREACHABLE
            if not readers():
                return code
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return code


def reload(socket: str) -> int:
    """Let the agent read its configuration anew."""
    answer: Json = orjson.loads(ask(socket, {"op": "reload"}, seconds=300.0))
    say(str(answer.get("status", "reloaded")))
    return Exit.OK


def verdict(document: Mapping[str, Any]) -> int:
    """0 all met, 1 something breached, 4 something unknown or without data and nothing breached."""
    standings = {objective["standing"] for objective in document["objectives"]}
    if "breached" in standings:
        return Exit.BREACHED
    probes = {probe["standing"] for probe in document["probes"]}
    return Exit.UNKNOWN if standings - {"met"} or "unknown" in probes else Exit.OK


def shown(document: Mapping[str, Any], *, wide: bool, colour: bool) -> str:
    """The document as a table: a line per probe, or (wide) a line per objective and then the probes."""
    probes = _probes(document, wide=wide, colour=colour)
    return f"{_objectives(document['objectives'], colour=colour)}\n\n{probes}" if wide else probes


def _probes(document: Mapping[str, Any], *, wide: bool, colour: bool) -> str:
    by_endpoint: dict[tuple[str, str], list[Json]] = {}
    for objective in document["objectives"]:
        by_endpoint.setdefault((objective["agreement"], objective["endpoint"]), []).append(objective)
    head = ["STANDING", "AGREEMENT", "ENDPOINT", "PROBE", "ADDRESS", "PATH", "LAST", "RTT"]
    head += [f"DELIVERY {RECENT}", f"P95 {RECENT}", *(_WIDE if wide else ()), "OBJECTIVES"]
    rows = [
        _probe(each, by_endpoint.get((each["agreement"], each["endpoint"]), []), wide=wide)
        for each in document["probes"]
    ]
    spare = () if wide else _SPARE
    return table(head, rows, colour=colour, spare=spare, width=room())


_WIDE = ("SENT", "RECEIVED", "UNMEASURED", "LATE", "DUPLICATE", "LAST SEEN")


def _probe(each: Json, objectives: Sequence[Json], *, wide: bool) -> list[str]:
    last = each["last"]
    recent = each["windows"].get(RECENT)
    cells = [
        standing(objectives),
        each["agreement"],
        each["endpoint"],
        each["probe"],
        each["address"],
        each["standing"],
        _outcome(last),
        figure("latency", last["rtt_seconds"]),
        figure("packet_delivery", recent and recent["packet_delivery_ratio"]),
        figure("latency", recent and recent["latency_seconds"]["p95"]),
    ]
    if wide:
        totals = each["totals"]
        cells += [str(totals[key]) for key in ("sent", "received", "unmeasured", "late", "duplicate")]
        cells.append(last["at"] or NONE)
    return [*cells, summary(objectives)]


def _outcome(last: Json) -> str:
    """What became of the last probe; a reason of our own does not read like an answer."""
    if last["outcome"] == "unmeasured" and last.get("detail"):
        return f"unmeasured ({last['detail'].replace('_', ' ')})"
    return last.get("detail") or last["outcome"] or NONE


def standing(objectives: Sequence[Json]) -> str:
    """The worst standing of an endpoint's objectives, in words."""
    found = {objective["standing"] for objective in objectives}
    worst = next((each for each in ORDER if each in found), NONE)
    return worst.replace("_", " ")


def summary(objectives: Sequence[Json]) -> str:
    """How many objectives stand how; the breached ones by name and figure."""
    counts = Counter(objective["standing"] for objective in objectives)
    breached = [
        f"{each['objective']} {figure(each['metric'], each['value'])} (not {each['target']})"
        for each in objectives
        if each["standing"] == "breached"
    ]
    rest = [f"{counts[each]} {each.replace('_', ' ')}" for each in ORDER[1:] if counts[each]]
    return "; ".join([*breached, *rest]) or "none"


def _objectives(objectives: Sequence[Json], *, colour: bool) -> str:
    head = ["STANDING", "AGREEMENT", "ENDPOINT", "OBJECTIVE", "VALUE", "TARGET", "WINDOW", "LOW", "HIGH"]
    head += ["COVERAGE", "EVIDENCE", "SEVERITY", "BREACHED SINCE"]
    return table(head, [_objective(each) for each in objectives], colour=colour)


def _objective(each: Json) -> list[str]:
    value, low, high = (figure(each["metric"], each[key]) for key in ("value", "low", "high"))
    return [
        each["standing"].replace("_", " "),
        each["agreement"],
        each["endpoint"],
        each["objective"],
        value,
        each["target"],
        each["window"],
        low,
        high,
        figure("coverage", each["coverage_ratio"]),
        each["evidence"] or NONE,
        each["severity"],
        each["breach"]["since"] if each["breach"] else NONE,
    ]
