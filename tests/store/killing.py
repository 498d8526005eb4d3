"""SIGKILL at random instants, again and again, on one ledger and one outbox: what was acknowledged is there, once.

`python -m tests.store.killing 1000` makes a thousand rounds; the suite makes a few. The child appends cells as fast
as it can (a minute of ledger time each) and seals every hour, so that kills fall into all of it.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netsla.model import SECOND
from netsla.sla.interval import Cell
from netsla.store.archive import Archive
from netsla.store.backlog import Event
from netsla.store.ledger import Ledger
from netsla.store.outbox import Outbox
from netsla.store.verify import verify
from tests.store.cells import HOUR_K, cells, layout

LANES = 6


def cell_of(k: int) -> Cell:
    """The same for the same number."""
    return next(cells(LANES, 1, k=k, seed=k, probes=5))


def no_collapse(objective: str, events: Sequence[Event]) -> Event:
    raise AssertionError(objective)


def child(folder: Path, k: int) -> None:
    """Append from cell `k` on until killed; say each number once it is on the disk."""
    ledger, outbox = Ledger(folder / "ledger.db"), Outbox(folder / "outbox.db", ("mqtt",), no_collapse)
    ledger.start()
    outbox.start().result(60)
    fleet = layout(LANES)
    while True:
        written = ledger.append(cell_of(k), fleet)
        ledger.keep_open([cell_of(k + 1)], fleet)
        noted = ledger.note("beat", {"k": k})
        told = outbox.put({f"o{k % 7}": str(k).encode()}, [Event(f"e{k}", f"o{k % 7}", str(k).encode(), k)])
        for one in (written, noted, told):
            one.result(60)
        print(k, flush=True)
        k += 1
        if k % 60 == 5:
            ledger.seal_due((k * 60 + 301) * SECOND)


def one_round(folder: Path, k: int, delay_s: float) -> list[int]:
    """Run the child from cell `k` on, kill it; returns the numbers that it said."""
    command = [sys.executable, "-m", "tests.store.killing", "child", str(folder), str(k)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "the child died by itself"
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        said = [first, *process.stdout.read().split("\n")[:-1]]
        assert process.wait(60) == -signal.SIGKILL
    return [int(number) for number in said]


def check_sound(folder: Path) -> None:
    """Both files are whole, the chain is as it was written. Takes in what the log (WAL) of a killed writer holds."""
    for name in ("ledger.db", "outbox.db"):
        connection = sqlite3.connect(folder / name)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    with Archive(folder / "ledger.db").open() as look:
        verified = verify(look)
        assert verified.intact, verified.breaks


def check(folder: Path, said: list[int]) -> int:
    """Everything that was said is there; returns the number after the last cell that is there."""
    check_sound(folder)
    with Archive(folder / "ledger.db").open() as look:
        found = look.intervals("acme-0001", 0, 2**62)
        beats = [note.detail["k"] for note in look.notes(("beat",))]
    assert len(found) == 2
    for row, series in enumerate(found, start=2):
        numbers = series.start // 60
        last = int(numbers[-1])
        assert last >= said[-1], "an acknowledged interval is lost"
        assert numbers.tolist() == list(range(HOUR_K, last + 1)), "an interval is missing or there twice"
        for place in (0, -1, len(numbers) // 2):
            whole = cell_of(int(numbers[place]))
            assert np.array_equal(series.matrix[:, place], whole.matrix[:, row])
    assert set(said) <= set(beats)
    assert len(set(beats)) == len(beats)
    check_outbox(folder, said)
    return last + 1


def check_outbox(folder: Path, said: list[int]) -> None:
    """Every event that was said waits once, in order, and each objective's state is that of its last event."""
    outbox = Outbox(folder / "outbox.db", ("mqtt",), no_collapse)
    states = outbox.start().result(60)
    waiting = [int(event.payload) for event in outbox.history(0)]
    assert set(said) <= set(waiting)
    assert waiting == sorted(set(waiting))
    assert outbox.pending("mqtt") == len(waiting)
    assert states == {f"o{k % 7}": str(k).encode() for k in waiting}
    outbox.close()


def rounds(folder: Path, count: int, seed: int) -> int:
    """So many kills; returns the cells that were written in all."""
    chance, k = random.Random(seed), HOUR_K
    said: list[int] = []
    for _ in range(count):
        said += one_round(folder, k, chance.uniform(0, 0.4))
        k = check(folder, said)
    return k - HOUR_K


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as where:
            print(rounds(Path(where), int(sys.argv[1]), 1), "cells,", sys.argv[1], "kills: nothing lost, nothing twice")
