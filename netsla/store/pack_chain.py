"""The hash chain of an evidence pack: `chain.json`, made and read; pack_check.py holds it against the files beside it.

Rules: its links are those of the ledger (chain.py), so that whoever kept one link of the ledger can hold the pack
against it. Every file of the pack is digested whole as well, so that no byte of it can change unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from netsla.errors import NetslaError
from netsla.model import IntArray
from netsla.sla.recorded import ABSENT, Recorded
from netsla.store import chain

SCHEMA = "netsla.chain/1"
FILES = ("agreement.yaml", "exclusions.json", "intervals.csv")
LATENCY = "latency.csv"  # may be absent
HOUR = 3600
Lane = tuple[str, str, tuple[int, ...]]  # endpoint, probe, thresholds_us


@dataclass(frozen=True, slots=True)
class PackLink:
    """One sealed hour: digests as bytes; `lanes` are (endpoint, probe, thresholds_us) in order of name."""

    hour: int
    seconds: int
    lanes: tuple[Lane, ...]
    previous: bytes
    figures: bytes
    stored: bytes  # of the block in the ledger; empty if there is no ledger behind the pack
    hash: bytes


@dataclass(frozen=True, slots=True)
class PackChain:
    """`chain.json`: what the pack was made for, the digests of its files, and its links in order."""

    agreement: str
    period: str
    until_ns: int | None
    files: Mapping[str, str]
    links: tuple[PackLink, ...]


# --- making -------------------------------------------------------------------------------------------


def make_links(agreement: str, records: Sequence[Recorded], previous: bytes = chain.GENESIS) -> tuple[PackLink, ...]:
    """A chain over records that no ledger has sealed, hour by hour."""
    table = _Hours(records)
    links = []
    for hour in table.hours:
        lanes = table.lanes(hour)
        seconds = table.seconds(hour)
        figures = table.digest(agreement, hour, seconds, lanes)
        links.append(PackLink(hour, seconds, lanes, previous, figures, b"", chain.link(previous, figures, b"")))
        previous = links[-1].hash
    return tuple(links)


def dump(made: PackChain) -> str:
    """The text of `chain.json`."""
    lanes = sorted({lane for link in made.links for lane in link.lanes})
    number = {lane: n for n, lane in enumerate(lanes)}
    links = [
        {
            "hour": f"{np.datetime64(link.hour, 'h')}:00Z", "seconds": link.seconds,
            "lanes": [number[lane] for lane in link.lanes], "previous": link.previous.hex(),
            "figures": link.figures.hex(), "stored": link.stored.hex(), "hash": link.hash.hex(),
        }
        for link in made.links
    ]  # fmt: skip
    told = {
        "schema": SCHEMA, "agreement": made.agreement, "period": made.period, "until_ns": made.until_ns,
        "files": dict(made.files), "lanes": [[*lane[:2], list(lane[2])] for lane in lanes], "links": links,
    }  # fmt: skip
    return _text({**told, "seal": _seal(told)})


def _text(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _seal(told: dict[str, Any]) -> str:
    return hashlib.sha256(chain.canonical(told)).hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the pack's files."""
    names = (*FILES, LATENCY) if (folder / LATENCY).exists() else FILES
    return {name: _digest(folder / name) for name in names}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- reading ------------------------------------------------------------------------------------------


def load(path: Path) -> PackChain:
    """`chain.json`; raises NetslaError if it is not one, or not as it was written."""
    text = path.read_bytes()
    try:
        told = dict(json.loads(text))
        seal = told.pop("seal")
        lanes = [(str(e), str(p), tuple(int(t) for t in limits)) for e, p, limits in told["lanes"]]
        links = tuple(_link(row, lanes) for row in told["links"])
        made = PackChain(told["agreement"], told["period"], told["until_ns"], told["files"], links)
        unchanged = seal == _seal(told) and _text({**told, "seal": seal}).encode() == text
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise NetslaError(f"{path.name} cannot be read: {problem}", "ask the other party for the pack again") from error
    if not unchanged:
        raise NetslaError(f"{path.name} is not as it was written", "ask the other party for the pack again")
    return made


def _link(row: dict[str, Any], lanes: list[tuple[str, str, tuple[int, ...]]]) -> PackLink:
    hour = int(datetime.fromisoformat(row["hour"]).timestamp()) // HOUR
    previous, figures, stored, made = (bytes.fromhex(row[name]) for name in ("previous", "figures", "stored", "hash"))
    return PackLink(hour, row["seconds"], tuple(lanes[n] for n in row["lanes"]), previous, figures, stored, made)


# --- hours ----------------------------------------------------------------------------------------------


class _Hours:
    """Records by hour and lane."""

    def __init__(self, records: Sequence[Recorded]) -> None:
        self._records = {(part.endpoint, part.probe): part for part in records}
        self._edges: dict[tuple[str, str], tuple[IntArray, IntArray]] = {}
        self._tables: dict[Lane, IntArray] = {}
        for name, part in self._records.items():
            hour = part.start_s // HOUR
            first = np.flatnonzero(np.diff(hour, prepend=-1))
            self._edges[name] = (hour[first], np.append(first, len(hour)))
        found = {int(hour) for hours, _ in self._edges.values() for hour in hours}
        self.hours: list[int] = sorted(found)

    def _slice(self, name: tuple[str, str], hour: int) -> slice:
        hours, edges = self._edges.get(name, (np.empty(0, np.int64), np.zeros(1, np.int64)))
        at = int(np.searchsorted(hours, hour))
        if at == len(hours) or hours[at] != hour:
            return slice(0, 0)
        return slice(int(edges[at]), int(edges[at + 1]))

    def names(self, hour: int) -> Iterable[tuple[str, str]]:
        """Who has records in an hour, in order of name."""
        return (name for name in sorted(self._records) if self._slice(name, hour).stop)

    def lanes(self, hour: int) -> tuple[Lane, ...]:
        """The lanes of an hour: who has records, and with which thresholds."""
        return tuple((*name, limits) for name in self.names(hour) for limits in self._thresholds(name, hour))

    def _thresholds(self, name: tuple[str, str], hour: int) -> list[tuple[int, ...]]:
        """Every set of thresholds that the records of an hour were counted with."""
        part, here = self._records[name], self._slice(name, hour)
        limits = sorted(part.within)
        if not limits:
            return [()]
        known = np.array([part.within[limit][here] != ABSENT for limit in limits])
        return sorted(
            tuple(limit for limit, has in zip(limits, row, strict=True) if has)
            for row in np.unique(known, axis=1).T.tolist()
        )

    def seconds(self, hour: int) -> int:
        """The length of the hour's intervals: of the first one."""
        return next(int(self._records[name].seconds[self._slice(name, hour)][0]) for name in self.names(hour))

    def count(self, hour: int) -> int:
        """How many records an hour has."""
        spans = (self._slice(name, hour) for name in self._records)
        return sum(part.stop - part.start for part in spans)

    def digest(self, agreement: str, hour: int, seconds: int, lanes: Sequence[Lane]) -> bytes:
        """The figures' digest of an hour, as the ledger makes it."""
        tables = ((*lane, self._table(lane, hour)) for lane in lanes)
        return chain.figures_digest(agreement, hour, seconds, tables)

    def _table(self, lane: Lane, hour: int) -> IntArray:
        """chain.COLUMNS and thresholds, (intervals, columns)."""
        if lane not in self._tables:
            self._tables[lane] = lane_table(self._records.get(lane[:2]), lane[2])
        table = self._tables[lane]
        first, last = np.searchsorted(table[:, 0], (hour * HOUR, (hour + 1) * HOUR))
        return table[first:last]


def lane_table(part: Recorded | None, thresholds: tuple[int, ...]) -> IntArray:
    """chain.COLUMNS and thresholds of the records that were counted with just these: (intervals, columns)."""
    if part is None:
        return np.empty((0, len(chain.COLUMNS) + len(thresholds)), np.int64)
    mine = np.ones(len(part), bool)
    for limit, column in part.within.items():
        mine &= (column != ABSENT) == (limit in thresholds)
    missing = np.full(len(part), ABSENT, np.int64)
    columns = [part.start_s, *(getattr(part, name) for name in chain.COLUMNS[1:])]
    columns += [part.within.get(limit, missing) for limit in thresholds]
    table = np.stack([column.astype(np.int64, copy=False) for column in columns], axis=1)
    return table if mine.all() else table[mine]
