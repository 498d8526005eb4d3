"""The whole agent killed at random instants, again and again, and held against what the wire saw.

    python -m tests.chaos.agent_kills --kills 1000

Some agents at a time, each in a namespace and a folder of its own, with cells of 1, 2, 5 and 10 s; each probes 200
loopback addresses once a second, is looked at, asked, reloaded, told of maintenance, and killed: in its start, in the
midst of a turn, in the midst of a reload. After each kill, on a copy of what lies there (so that the next agent finds
it as the kill left it): files whole, chain intact, every interval as it was seen before, nothing counted twice, nothing
lost that was older than 10 s, no probe lost, time away unknown. At the end the reports: no time down, no incident.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from netsla.control import ask
from netsla.errors import AgentError
from netsla.model import SECOND
from netsla.sla.tally import Column
from netsla.store.archive import Archive
from netsla.store.exclusions import history
from netsla.store.outbox import read_history
from netsla.store.readonly import connect_readonly
from tests.chaos.ear import Ear
from tests.chaos.fleet import AGREEMENTS, CHANGING, FLEET, address_number, config
from tests.chaos.kept import Kept, Life, Wire, faults, windows_off
from tests.netlab.lab import end, netlab
from tests.store.killing import check_sound

GRIDS = (1, 10, 2, 5)  # seconds of a cell, by site
_FRESH_S = 2.5  # a status is made of the last turn
_TELL_EVERY = 25  # kills
_FAR_BACK = 40  # lives; what was open before is closed by now, unless none of them had its windows back
_WINDOW_S = 300  # the window whose counts are held against the wire


@dataclass
class Sums:
    """What all sites have come to."""

    kills: int = 0
    deeds: Counter[str] = field(default_factory=Counter)
    heard: int = 0
    counted: int = 0
    cells: int = 0
    away_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Sums) -> None:
        self.kills += other.kills
        self.deeds += other.deeds
        self.heard += other.heard
        self.counted += other.counted
        self.cells += other.cells
        self.away_s += other.away_s
        self.faults += other.faults

    def __str__(self) -> str:
        deeds = ", ".join(f"{name} {count}" for name, count in sorted(self.deeds.items()))
        told = "\n".join(["nothing lost, nothing twice"] if not self.faults else self.faults)
        return (
            f"{self.kills} kills ({deeds}); {self.cells} cells; {self.counted} probes counted of {self.heard} that the"
            f" wire saw; {self.away_s:.0f} s away\n{told}"
        )


class Site:
    """One agent after the other in one folder, and all that is known of them."""

    def __init__(self, folder: Path, namespace: str, seconds: int, chance: random.Random) -> None:
        self.folder, self.namespace, self.seconds, self.chance = folder, namespace, seconds, chance
        self.ear = Ear(namespace)
        self.exclusions = 1  # how often one is told of, beside the other deeds
        self.lives: list[Life] = []
        self.sums = Sums()
        self.seen: dict[int, bytes] = {}  # start of a closed interval -> digest of its record, once anybody saw it
        self.excluded: set[str] = set()  # ids that the agent has confirmed
        self.windows: tuple[int, dict[str, int]] | None = None  # when asked, what the 5m windows said, by endpoint
        self.log = folder / "agent.log"
        self._said = 0  # characters that the log held at the launch
        self._back_ns = 0  # when it was seen that this life has its windows back
        self.socket, self.config = folder / "netsla.sock", folder / "netsla.yaml"
        self.config.write_text(config(seconds))
        self._process: subprocess.Popen[bytes] | None = None

    # --- a life -------------------------------------------------------------------------------------

    def live_and_die(self) -> None:
        """Launch an agent, do this and that with it, kill it, look at what it left."""
        length_s = self._length_s()
        self.launch()
        dying = threading.Event()
        with ThreadPoolExecutor(1) as hand:
            doing = hand.submit(self._do_things, dying)
            try:
                dying.wait(length_s)
                code = self.kill()
            finally:
                dying.set()
            doing.result(60)
        assert code == -signal.SIGKILL, "the agent died by itself: " + self.log.read_text()[-4000:]
        self.sums.kills += 1
        self.look_after()

    def _length_s(self) -> float:
        """From launch to kill: in the start, soon after it, or once much has been counted."""
        return self.chance.choices(
            (self.chance.uniform(0.05, 1.3), self.chance.uniform(0.6, 4), self.chance.uniform(8, 16)), (0.3, 0.55, 0.15)
        )[0]

    def stay_away(self) -> None:
        """Nobody measures for a while: not at all, for part of a cell, for some cells."""
        chance = self.chance
        time.sleep(chance.choices((0, chance.uniform(0.3, 2.5), chance.uniform(2, 22)), (0.6, 0.35, 0.05))[0])

    def launch(self) -> None:
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-m", "netsla", "run"]
        self._said, self._back_ns = len(self.log.read_text()) if self.log.exists() else 0, 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--config", str(self.config)], stdout=log, stderr=log)
        if self.lives:
            self.sums.away_s += (time.time_ns() - self.lives[-1].killed_ns) / SECOND
        self.lives.append(Life(time.time_ns()))

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        assert self._process is not None
        code = end(self._process, how)
        self.lives[-1].killed_ns = time.time_ns()
        return code

    # --- deeds --------------------------------------------------------------------------------------

    def _do_things(self, dying: threading.Event) -> None:
        """Look, ask, reload, exclude, until the agent dies; one that is not there yet, or no more, is no fault."""
        while not dying.wait(self.chance.uniform(0.05, 0.8)):
            self._is_back()
            deed = self.chance.choices((self._see, self._ask, self._reload, self._exclude), (4, 3, 1, self.exclusions))[
                0
            ]
            try:
                done = deed()
            except AgentError:
                continue
            self.sums.deeds[deed.__name__.strip("_")] += done

    def _see(self) -> bool:
        """What is in the ledger now must be there for ever."""
        path = self.folder / "var" / "ledger.db"
        if not self.seen and last_start(path) < 0:
            return False
        self._remember(path)
        return True

    def _ask(self) -> bool:
        back = self._is_back()
        status = json.loads(ask(str(self.socket), {"op": "status"}, seconds=10))
        wrong = []
        for probe in status["probes"]:
            window = probe["windows"]["5m"]
            if probe["totals"]["lost"] or window["lost"] or probe["standing"] == "bad":
                wrong.append(f"status: {probe['endpoint']} lost a probe: {probe['totals']} {window}")
        wrong += [f"status: breached: {one}" for one in status["objectives"] if one["standing"] == "breached"]
        self.sums.faults += wrong[:3]
        if back:
            sent = {probe["endpoint"]: probe["windows"]["5m"]["sent"] for probe in status["probes"]}
            steady = {name: count for name, count in sent.items() if int(name.removeprefix("e")) not in CHANGING}
            self.windows = (time.time_ns(), steady)
        return True

    def _is_back(self) -> bool:
        """Whether this agent has had its windows back for longer than a status may be old."""
        life, said = self.lives[-1], "" if self._back_ns else self.log.read_text()[self._said :]
        if not life.probing_ns and "probing:" in said:
            life.probing_ns = time.time_ns()
        if not self._back_ns and "record" in said:
            self._back_ns = life.back_ns = time.time_ns()
        return bool(self._back_ns) and time.time_ns() - self._back_ns > _FRESH_S * SECOND

    def _reload(self) -> bool:
        fresh = self.folder / "netsla.yaml.new"
        fresh.write_text(config(self.seconds, guests=self.chance.random() < 0.5, limit_ms=self.chance.choice((10, 20))))
        fresh.replace(self.config)  # the agent may be starting, and must not see half of it
        ask(str(self.socket), {"op": "reload"}, seconds=10)
        return True

    def _exclude(self) -> bool:
        request = {"op": "exclusion_add", "agreement": "a1", "endpoint": "e60", "duration": "5s", "reason": "chaos"}
        answer = json.loads(ask(str(self.socket), request | {"start": "now"}, seconds=10))
        assert "exclusion" in answer, answer
        self.excluded.add(answer["exclusion"]["id"])
        return True

    # --- afterwards ---------------------------------------------------------------------------------

    def look_after(self) -> None:
        """Hold what was left against what is known."""
        self.ear.hear()
        with tempfile.TemporaryDirectory() as where:
            copy = Path(where)
            for file in (self.folder / "var").glob("*.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy / file.name)
            if not all(is_begun(copy / name) for name in ("ledger.db", "outbox.db")):
                assert len(self.lives) < 10, "there is still nothing"
                return
            check_sound(copy)
            there = self._remember(copy / "ledger.db")
            gone = sorted(self.seen.keys() - there)
            told = [f"intervals that were seen are gone: {gone[:5]}"] if gone else []
            told += self._hold(copy)
        for one in told:
            self.sums.faults.append(f"cells of {self.seconds} s, kill {len(self.lives)} ({self.lives[-1]}): {one}")
            print(self.sums.faults[-1], file=sys.stderr, flush=True)

    def _remember(self, path: Path) -> set[int]:
        """Closed intervals that are there now, by start; what is there once never changes."""
        with Archive(path).open() as look:
            rows = look.connection.execute("SELECT start, seconds, layout, body FROM cell").fetchall()
        for start, seconds, layout, body in rows:
            digest = hashlib.sha256(b"%d %d %s" % (seconds, layout, body)).digest()
            if self.seen.setdefault(start, digest) != digest:
                self.sums.faults.append(f"interval {start} changed after it was recorded")
        return {row[0] for row in rows}

    def _hold(self, copy: Path) -> list[str]:
        wire = self.wire()
        begin = self.lives[max(len(self.lives) - _FAR_BACK, 0)].launched_ns
        first, last = (int(at // SECOND // self.seconds) for at in (begin, time.time_ns()))
        with Archive(copy / "ledger.db").open() as look:
            kept = Kept.read(look, first, last + 1, self.seconds, FLEET)
            noted = {entry.exclusion.id for entry in history(look)}
        told = faults(kept, wire, self.lives, CHANGING)
        if self.windows is not None:
            told += windows_off(self.windows[1], self.windows[0], _WINDOW_S, wire, self.lives)
            self.windows = None
        told += [f"a confirmed exclusion is gone: {self.excluded - noted}"] if self.excluded - noted else []
        events = [json.loads(one.payload) for one in read_history(copy / "outbox.db", 0)]
        told += [f"alert: {one['kind']} {one['objective']}" for one in events if one["kind"] in ("opened", "updated")]
        self.sums.cells = len(self.seen)
        return told

    def wire(self) -> Wire:
        return Wire(self.ear.at_ns, address_number(self.ear.to), FLEET, self.seconds)

    # --- the end ------------------------------------------------------------------------------------

    def finish(self) -> None:
        """A last agent, ended in order; what it says of all that time."""
        begin_ns = self.lives[0].launched_ns
        self.launch()
        limit = time.monotonic() + 30
        while not self._settled() and time.monotonic() < limit:
            time.sleep(0.2)
        assert self.kill(signal.SIGTERM) == 0, self.log.read_text()
        self.look_after()
        self.sums.heard, self.sums.counted = len(self.ear.at_ns), self._count_all()
        if self.sums.counted > self.sums.heard:
            self.sums.faults.append(f"{self.sums.counted} probes are counted, {self.sums.heard} were sent")
        assert self._command("verify").returncode == 0
        for agreement in AGREEMENTS:
            self._settle(agreement, begin_ns)

    def _settled(self) -> bool:
        """Whether the last agent has closed a cell of its own."""
        return last_start(self.folder / "var" / "ledger.db") * SECOND > self.lives[-1].launched_ns

    def _count_all(self) -> int:
        with Archive(self.folder / "var" / "ledger.db").open() as look:
            last = int(time.time()) // self.seconds + 1
            first = int(self.lives[0].launched_ns // SECOND) // self.seconds
            return int(Kept.read(look, first, last, self.seconds, FLEET).counts[Column.SENT].sum())

    def _settle(self, agreement: str, begin_ns: int) -> None:
        """The report of all that time: nothing down, nothing happened."""
        begin, now = (datetime.fromtimestamp(at // SECOND, UTC) for at in (begin_ns, time.time_ns()))
        period = f"{begin:%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}"
        done = self._command("report", agreement, "--period", period, "--format", "json")
        assert done.returncode in (0, 4), done.stderr
        report = json.loads(done.stdout)
        down = [one for one in report["objectives"] if one["seconds"] and one["seconds"]["down"]]
        if down or report["incidents"]:
            self.sums.faults.append(
                f"the report of {agreement} tells of time down: {down[:1]} {report['incidents'][:2]}"
            )

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "netsla", *words, "--config", str(self.config)]
        return subprocess.run(line, capture_output=True, text=True, check=False)


def is_begun(path: Path) -> bool:
    """Whether anything is written in a file: its writer may have been killed before."""
    try:
        connect_readonly(path).close()
    except sqlite3.OperationalError:
        return False
    return True


def last_start(path: Path) -> int:
    """When the newest recorded interval began, UTC s; -1 while there is no ledger yet, or nothing in it."""
    try:
        with Archive(path).open() as look:
            return (look.last_interval() or (-1, 0))[0]
    except sqlite3.OperationalError:
        return -1


@contextmanager
def site(folder: Path, seconds: int, seed: int) -> Iterator[Site]:
    """A folder, a namespace and its ear."""
    folder.mkdir()
    with netlab(folder, wire=False) as lab:
        one = Site(folder, lab.near, seconds, random.Random(seed))
        try:
            yield one
        finally:
            one.kill()
            one.ear.close()


def run_site(folder: Path, seconds: int, kills: int, seed: int, limit_s: float, exclusions: int) -> Sums:
    """So many kills, or as many as fit into the time."""
    until = time.monotonic() + limit_s
    with site(folder, seconds, seed) as one:
        one.exclusions = exclusions
        try:
            while one.sums.kills < kills and time.monotonic() < until and not one.sums.faults:
                one.live_and_die()
                one.stay_away()
                if one.sums.kills % _TELL_EVERY == 0:
                    print(f"cells of {seconds} s: {one.sums.kills} kills", file=sys.stderr, flush=True)
            one.finish()
        except Exception:  # noqa: BLE001 - whatever it was, what the other sites came to is not lost with it
            life = one.lives[-1] if one.lives else "not begun"
            one.sums.faults.append(f"cells of {seconds} s, kill {len(one.lives)} ({life}): {traceback.format_exc()}")
            print(one.sums.faults[-1], file=sys.stderr, flush=True)
        return one.sums


def run(
    folder: Path, kills: int, seed: int = 1, grids: tuple[int, ...] = GRIDS, limit_s: float = 3600, exclusions: int = 1
) -> Sums:
    """All sites at once; a site that finds a fault ends."""
    sums = Sums()
    with ThreadPoolExecutor(len(grids)) as hands:
        share = [kills // len(grids) + (n < kills % len(grids)) for n in range(len(grids))]
        work = [
            hands.submit(run_site, folder / f"site{n}", seconds, share[n], seed + n, limit_s, exclusions)
            for n, seconds in enumerate(grids)
        ]
        for one in work:
            sums.add(one.result())
    return sums


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long, whatever is done by then")
    parser.add_argument("--exclusions", type=int, default=1, help="how often maintenance is told of; 0: never")
    wanted = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sums = run(Path(folder), wanted.kills, wanted.seed, GRIDS, wanted.minutes * 60, wanted.exclusions)
    print(f"{time.monotonic() - begin:.0f} s: {sums}")
    return 1 if sums.faults else 0


if __name__ == "__main__":
    sys.exit(main())
