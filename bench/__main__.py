"""`python -m bench`: one run, one table. Ends by itself; takes its namespaces and programs with it."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from bench import goals, machine, stages, table, truth
from bench.lab import lab
from bench.run import Progress, Run, Times
from bench.stages import Stage
from bench.table import Row

_OUT = Path("bench-out")
_QUICK = Times(agent=15, peer=6, truth=4, warm_up=5, peer_warm_up=2, rounds=1)

STAGES = (
    Stage("icmp-5000", stages.fping_and_netsla_5000),
    Stage("icmp-1000", stages.fping_and_netsla_1000),
    Stage("icmp-10000", stages.netsla_10000),
    Stage("icmp-50000", stages.netsla_50000),
    Stage("tcp", stages.netsla_tcp),
    Stage("smokeping", stages.smokeping),
    Stage("blackbox", stages.blackbox),
    Stage("icmplib", stages.icmplib),
    Stage("truth-netsla", truth.truth_netsla),
    Stage("truth-fping", truth.truth_fping),
    Stage("truth-icmplib", truth.truth_icmplib),
    Stage("cli", stages.command_line),
)


def main() -> int:
    """Run the stages asked for; print the tables, write the JSON."""
    args = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    started, load = datetime.now(UTC), machine.load_average()
    try:
        absent = machine.prepare()
        rows, failed = _measure(args, absent)
    except machine.CannotRun as error:
        print(f"bench: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("bench: interrupted; namespaces and programs are gone", file=sys.stderr)
        return 130
    goals.relate(rows)
    facts = machine.describe() | {"load average before": load, "load average after": machine.load_average()}
    print(_page(rows, facts, failed))
    file = args.output or _OUT / f"bench-{started:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_document(rows, facts, failed, started), indent=1) + "\n")
    print(f"\nwritten: {file}", file=sys.stderr)
    return 1 if failed else 0


def _measure(args: argparse.Namespace, absent: list[str]) -> tuple[list[Row], dict[str, str]]:
    """All stages in turn; one that breaks is told by name, and the others go on."""
    chosen = [stage for stage in STAGES if not args.only or stage.name in args.only]
    progress, failed = Progress(len(chosen)), {}
    with lab() as pair, tempfile.TemporaryDirectory(prefix="netsla-bench-") as folder:
        run = Run(pair, Path(folder), _times(args), progress, absent)
        for stage in chosen:
            progress.stage(stage.name)
            try:
                stage.do(run)
            except (RuntimeError, OSError, ValueError) as error:
                failed[stage.name] = f"{type(error).__name__}: {error}"
    progress.end()
    return run.rows, failed


def _times(args: argparse.Namespace) -> Times:
    times = _QUICK if args.quick else Times()
    if args.seconds is None:
        return times
    return Times(
        agent=args.seconds,
        peer=min(args.seconds, times.peer),
        truth=min(args.seconds, times.truth),
        warm_up=times.warm_up,
        peer_warm_up=times.peer_warm_up,
        rounds=times.rounds,
    )


def _page(rows: list[Row], facts: dict[str, str], failed: dict[str, str]) -> str:
    parts = [
        "# netsla beside its peers",
        ", ".join(f"{name} {value}" for name, value in facts.items()),
        table.table(rows),
        goals.table(rows),
    ]
    if failed:
        parts.append("\n".join(f"- **{name} failed**: {why}" for name, why in failed.items()))
    return "\n\n".join(parts)


def _document(rows: list[Row], facts: dict[str, str], failed: dict[str, str], started: datetime) -> dict[str, Any]:
    verdicts = [(goal, *goals.verdict(goal, rows)) for goal in goals.GOALS]
    return {
        "schema": "netsla.bench/1",
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.time() - started.timestamp()),
        "machine": facts,
        "rows": [asdict(row) | {"figures": _finite(row.figures)} for row in rows],
        "goals": [
            {"goal": goal.text, "limit": goal.limit, "verdict": word} | _finite({"value": value})
            for goal, value, word in verdicts
        ],
        "failed": failed,
    }


def _finite(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """JSON has neither NaN nor infinity: they become null."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in figures.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="netsla beside fping, smokeping_prober, blackbox_exporter and icmplib."
    )
    names = [stage.name for stage in STAGES]
    parser.add_argument("--quick", action="store_true", help="short windows, one round: to try it, not to quote it")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"only these: {', '.join(names)}")
    parser.add_argument("--seconds", type=_positive, help="the agent's steady window (default 60)")
    parser.add_argument("-o", dest="output", type=Path, help=f"where the JSON goes (default {_OUT}/bench-TIME.json)")
    return parser.parse_args()


def _positive(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("between 1 and 3600 seconds")
    return seconds


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
