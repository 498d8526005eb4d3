"""What is measured, in order: each stage is a function of the run that adds rows to it.

Rules: nobody runs beside the one that is measured; CPU is never measured while a capture runs, since the
kernel charges the capture to the sender.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import agent, goals, metrics, peers
from bench.goals import AT_ONCE, BLACKBOX, CLI, FPING, ICMPLIB, NETSLA, SMOKEPING, SPREAD, icmp, tcp
from bench.lab import Side
from bench.machine import BLACKBOX as BLACKBOX_PROGRAM
from bench.machine import SMOKEPING as SMOKEPING_PROGRAM
from bench.meter import Window
from bench.run import Run, cost_figures
from bench.table import Row
from bench.truth import captured, trip_figures

_SCRAPE_EVERY = 15.0  # seconds, as Prometheus does by default for many
_TCP_PORT = 8080
_STATUSES, _HELPS = 3, 5  # how often each is timed; the median counts
_HELD_WATCH = 5.0  # seconds of watching the loop
_FRESH = 1.1  # seconds between scrapes that each get a new Snapshot: one is made every second
_SETTLE = 2.0  # seconds after reading the counters, before the window
_LARGE = 10_000  # endpoints at which scrape and status are timed


@dataclass(frozen=True, slots=True)
class Stage:
    """A name for --only, and what it does."""

    name: str
    do: Callable[[Run], None]


def fping_and_netsla_5000(run: Run) -> None:
    """In turns, so that what else the machine does hits both."""
    ours, theirs = [], []
    for _ in range(run.times.rounds):
        theirs.append(_fping(run, 5000))
        ours.append(_netsla(run, 5000))
    run.add(goals.merged(theirs))
    run.add(_fping(run, 5000, spread=True))
    run.add(goals.merged(ours))


def fping_and_netsla_1000(run: Run) -> None:
    """The small load."""
    run.add(_fping(run, 1000))
    run.add(_netsla(run, 1000))


def netsla_10000(run: Run) -> None:
    """Where fping gives up: show that, then the agent with its pages."""
    said = peers.fping_refusal(run.lab.near, run.folder, _LARGE, seconds=15)
    run.add(Row(FPING, icmp(_LARGE, AT_ONCE), note=f"gives up: {said}" if said else "held this load for 15 s"))
    run.add(_netsla(run, _LARGE))


def netsla_50000(run: Run) -> None:
    """The large load."""
    run.add(_netsla(run, 50_000))


def netsla_tcp(run: Run) -> None:
    """TCP handshakes with a port that every far address has open."""
    with run.lab.far.running([sys.executable, "-m", "bench.sink", str(_TCP_PORT)]):
        peers.until_listening(run.lab.far, _TCP_PORT)
        run.add(_netsla(run, 1000, "tcp"))
        if BLACKBOX_PROGRAM not in run.absent:
            run.add(_blackbox(run, "tcp_connect", _TCP_PORT))


def smokeping(run: Run) -> None:
    """smokeping_prober at what it holds."""
    load = icmp(1000)
    if SMOKEPING_PROGRAM in run.absent:
        run.add(Row(SMOKEPING, load, note="not to be had on this machine"))
        return
    near = run.lab.near
    with near.running(peers.smokeping_command(1000), files=16384) as process:
        cost = run.window(process.pid, run.times.peer_warm_up, run.times.peer, SMOKEPING)
        with captured(run) as truth:
            before = peers.smokeping_trips(peers.smokeping_page(near))
            run.progress.wait(run.times.truth, f"{SMOKEPING} captured")
            trips = metrics.since(peers.smokeping_trips(peers.smokeping_page(near)), before)
    said = {f"said_p{int(q * 100)}": metrics.quantile_bound(trips, q) for q in (0.5, 0.99)}
    figures = cost_figures(cost, cost.packets) | truth.figures() | said
    run.add(Row(SMOKEPING, load, figures, "RTT read from its histogram, buckets 19 % wide"))


def blackbox(run: Run) -> None:
    """blackbox_exporter, one HTTP request per probe."""
    if BLACKBOX_PROGRAM in run.absent:
        run.add(Row(BLACKBOX, icmp(1000), note="not to be had on this machine"))
        return
    run.add(_blackbox(run, "icmp"))


def icmplib(run: Run) -> None:
    """The batch call of icmplib, a round a second."""
    for count in (1000, 5000):
        words = [sys.executable, "-m", "bench.drive_icmplib", str(count), "600"]
        with run.lab.near.running(words, files=16384) as process:
            cost = run.window(process.pid, run.times.peer_warm_up, run.times.peer, ICMPLIB)
        run.add(Row(ICMPLIB, icmp(count), cost_figures(cost, cost.packets)))


def command_line(run: Run) -> None:
    """`netsla --help`, as typed."""
    script = Path(sys.executable).with_name("netsla")
    words = [str(script)] if script.exists() else agent.NETSLA
    seconds = median(_timed([*words, "--help"]) for _ in range(_HELPS))
    run.add(Row(CLI, "netsla --help", {"seconds": seconds}, f"{seconds:.3f} s, median of {_HELPS}"))


def _netsla(run: Run, count: int, probe: str = "icmp") -> Row:
    """One window of the whole agent."""
    load = icmp(count) if probe == "icmp" else tcp(count)
    with agent.running(run.lab.near, run.folder, count, probe, _TCP_PORT) as running:
        run.progress.wait(run.times.warm_up + count / 10_000, f"{NETSLA} warms up")
        before, started = running.page(), time.monotonic()
        run.progress.wait(_SETTLE, f"{NETSLA} settles")
        window = Window(running.pid, run.lab.near)
        scrapes = _scraped(run, running, run.times.agent)
        cost = window.close()
        after, ended = running.page(), time.monotonic()
        sent = _counted(before, after, "sent") / (ended - started) * cost.seconds
        figures = cost_figures(cost, cost.packets if probe == "icmp" else sent)
        figures |= _told(before, after) | _scrape_figures(scrapes)
        if count == _LARGE:
            figures |= _waits(running)
    figures["seconds"] = cost.seconds
    return Row(NETSLA, load, figures)


def _scraped(run: Run, running: agent.Agent, seconds: float) -> list[agent.Fetched]:
    """A window with a scrape every 15 s, the first after half of that."""
    end = time.monotonic() + seconds
    due, scrapes = time.monotonic() + _SCRAPE_EVERY / 2, []
    while due < end:
        run.progress.wait(due - time.monotonic(), f"{NETSLA} measured")
        with running.scraping(1, 0) as process:
            scrapes += agent.fetched(process)
        due += _SCRAPE_EVERY
    run.progress.wait(end - time.monotonic(), f"{NETSLA} measured")
    return scrapes


def _scrape_figures(scrapes: list[agent.Fetched]) -> dict[str, float]:
    if not scrapes:
        return {}
    seconds = [scrape.seconds for scrape in scrapes]
    return {"scrape": median(seconds), "scrape_worst": max(seconds), "scrape_bytes": float(scrapes[-1].size)}


def _told(before: str, after: str) -> dict[str, float]:
    """What the agent says of its own work between two pages."""
    late = metrics.since(agent.lateness(after), agent.lateness(before))
    return {
        "lateness_p99": metrics.quantile_bound(late, 0.99),
        "unmeasured": _counted(before, after, "unmeasured"),
        "lost": _counted(before, after, "lost"),
        "drops": metrics.total(after, "netsla_receive_drops_total"),
    }


def _counted(before: str, after: str, what: str) -> float:
    name = f"netsla_probe_{what}_total"
    return metrics.total(after, name) - metrics.total(before, name)


def _waits(running: agent.Agent) -> dict[str, float]:
    """How long `netsla status` takes, and the loop lets others wait: left alone, and with fresh scrapes."""
    figures = {
        "status": median(running.status_seconds() for _ in range(_STATUSES)),
        "held": running.loop_held(_HELD_WATCH),
    }
    with running.scraping(int(_HELD_WATCH / _FRESH) + 1, _FRESH) as process:
        figures["scrape_held"] = running.loop_held(_HELD_WATCH)
        agent.fetched(process)
    return figures


def _fping(run: Run, count: int, *, spread: bool = False) -> Row:
    """One window of fping."""
    words = peers.fping_command(run.folder, count, spread=spread)
    with run.lab.near.running(words) as process:
        cost = run.window(process.pid, run.times.peer_warm_up, run.times.peer, FPING)
    return Row(FPING, icmp(count, SPREAD if spread else AT_ONCE), cost_figures(cost, cost.packets))


def _blackbox(run: Run, module: str, port: int = 0) -> Row:
    """One window of blackbox_exporter; for ICMP also its round trips against a capture."""
    near, count = run.lab.near, 1000
    with near.running(peers.blackbox_command(run.folder), files=16384) as process:
        _ask(near, module, count, run.times.peer_warm_up, port)
        window = Window(process.pid, near)
        asked = _ask(near, module, count, run.times.peer, port)
        figures = cost_figures(window.close(), asked.probes) | {"lost": float(asked.failed)}
        if module == "icmp":
            with captured(run) as truth:
                trips = _ask(near, module, count, run.times.truth).reported()
            figures |= trip_figures(trips, truth.flights)
    return Row(BLACKBOX, icmp(count) if module == "icmp" else tcp(count), figures, "one HTTP request per probe")


def _ask(near: Side, module: str, count: int, seconds: float, port: int = 0) -> peers.Asked:
    return peers.blackbox_ask(near, module, count, seconds, port)


def _timed(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return time.perf_counter() - start
