"""Holding a pack against its chain: every link made again from the rows of `intervals.csv`, as they pass by.

    checking = LinkCheck(made)
    checking.add(part)  …              records of one probe after the other, in order of (endpoint, probe)
    checking.checked() -> Checked

Rules: only digests are kept, never rows. The first place of each break is named. An hour of a large agreement has
several links, each of other probes; where two links of an hour tell of the same probe, the hour was corrected, and
rows and links cannot be held against each other: the digest of the whole file still covers them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray
from netsla.sla.recorded import Recorded
from netsla.store import chain
from netsla.store.pack_chain import HOUR, PackChain, PackLink, lane_table

_Name = tuple[str, str]  # endpoint, probe


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at and what is broken, the first place first; `loose` records stand in no link."""

    links: int
    loose: int
    breaks: tuple[str, ...]
    hours: int = 0  # that links seal

    @property
    def intact(self) -> bool:
        """Nothing is broken."""
        return not self.breaks


def check_links(made: PackChain, records: Iterable[Recorded]) -> Checked:
    """Make every link again from records in order of (endpoint, probe)."""
    checking = LinkCheck(made)
    for part in records:
        checking.add(part)
    return checking.checked()


def broken_links(links: Iterable[PackLink]) -> Iterator[str]:
    """Places where links do not stand on each other, or are not what they seal; figures are not looked at."""
    previous: bytes | None = None
    for link in links:
        for problem in _unlinked(link, previous):
            yield f"{_place(link)}: {problem}"
        previous = link.hash


def _unlinked(link: PackLink, previous: bytes | None) -> Iterator[str]:
    if previous is not None and link.previous != previous:
        yield "this link does not stand on the one before it"
    if chain.link(link.previous, link.figures, link.stored) != link.hash:
        yield "the link is not the digest of its parts"


def _place(link: PackLink) -> str:
    return f"hour {np.datetime64(link.hour, 'h')}:00Z"


@dataclass(slots=True)
class _Making:
    """A link's digest so far: lanes before `at` are in it."""

    link: PackLink
    digest: chain.FiguresDigest
    at: int = 0


class LinkCheck:
    """Takes the records of one probe after the other."""

    def __init__(self, made: PackChain) -> None:
        self._made = made
        self._sealed: dict[_Name, set[int]] = defaultdict(set)  # hours
        self._of: dict[_Name, list[int]] = defaultdict(list)  # numbers of links, once for each of their lanes
        by_hour: dict[int, list[int]] = defaultdict(list)
        for number, link in enumerate(made.links):
            by_hour[link.hour].append(number)
            for name in {lane[:2] for lane in link.lanes}:
                self._sealed[name].add(link.hour)
        self._first = {hour: numbers[0] for hour, numbers in by_hour.items()}
        self._hours = np.array(sorted(by_hour), np.int64)
        self._held = {number for numbers in by_hour.values() for number in _alone(made.links, numbers)}
        for number in sorted(self._held):
            for name in {lane[:2] for lane in made.links[number].lanes}:
                self._of[name].append(number)
        self._making: dict[int, _Making] = {}
        self._figures: dict[int, bytes] = {}
        self._strange: dict[int, str] = {}  # by number of link
        self._loose = 0

    def add(self, part: Recorded) -> None:
        """All records of one probe."""
        name = (part.endpoint, part.probe)
        hours, counts = np.unique(part.start_s // HOUR, return_counts=True)
        sealed = np.isin(hours, self._hours)
        self._loose += int(counts[~sealed].sum())
        for hour in set(hours[sealed].tolist()) - self._sealed.get(name, set()):
            self._strange.setdefault(self._first[hour], "/".join(name))
        tables: dict[tuple[int, ...], _ByHour] = {}
        for number in self._of.get(name, ()):
            making = self._begun(number)
            self._fill(making, name)
            lanes = making.link.lanes
            while making.at < len(lanes) and lanes[making.at][:2] == name:
                limits = lanes[making.at][2]
                if limits not in tables:
                    tables[limits] = _ByHour(lane_table(part, limits))
                making.digest.add(*lanes[making.at], tables[limits].of(making.link.hour))
                making.at += 1
            self._end(number, making)

    def _begun(self, number: int) -> _Making:
        if number not in self._making:
            link = self._made.links[number]
            self._making[number] = _Making(link, chain.FiguresDigest(self._made.agreement, link.hour, link.seconds))
        return self._making[number]

    @staticmethod
    def _fill(making: _Making, name: _Name | None) -> None:
        """Lanes before `name` (None: all that are left) have no records here."""
        lanes = making.link.lanes
        while making.at < len(lanes) and (name is None or lanes[making.at][:2] < name):
            making.digest.add(*lanes[making.at], lane_table(None, lanes[making.at][2]))
            making.at += 1

    def _end(self, number: int, making: _Making) -> None:
        if making.at == len(making.link.lanes):
            self._figures[number] = making.digest.digest()
            del self._making[number]

    def checked(self) -> Checked:
        """What was found, once all records were added."""
        for number in sorted(self._held - self._figures.keys()):
            making = self._begun(number)
            self._fill(making, None)
            self._end(number, making)
        broken: dict[str, list[str]] = {}
        previous: bytes | None = None
        for number, link in enumerate(self._made.links):
            for problem in _unlinked(link, previous):
                broken.setdefault("chain.json", []).append(f"{_place(link)}: {problem}")
            problem = self._misses(number, link)
            if problem:
                broken.setdefault("intervals.csv", []).append(f"{_place(link)}: {problem}")
            previous = link.hash
        breaks = (
            f"{file}: {places[0]}" + (f" (and {len(places) - 1} more places)" if places[1:] else "")
            for file, places in broken.items()
        )
        return Checked(len(self._made.links), self._loose, tuple(breaks), len(self._hours))

    def _misses(self, number: int, link: PackLink) -> str:
        """What speaks against a link in the rows, or ""."""
        if number in self._strange:
            return f"{self._strange[number]} was not sealed"
        if number in self._held and self._figures[number] != link.figures:
            return "the figures are not those that were sealed"
        return ""


def _alone(links: tuple[PackLink, ...], numbers: list[int]) -> Iterator[int]:
    """Of the links of one hour, those that share no probe with another one."""
    tellers: dict[_Name, set[int]] = defaultdict(set)
    for number in numbers:
        for lane in links[number].lanes:
            tellers[lane[:2]].add(number)
    shared = {number for told in tellers.values() if len(told) > 1 for number in told}
    return (number for number in numbers if number not in shared)


class _ByHour:
    """The rows of a table by hour."""

    def __init__(self, table: IntArray) -> None:
        self._table = table
        hour = table[:, 0] // HOUR
        begin = np.flatnonzero(np.diff(hour, prepend=-1))
        ends = [*begin.tolist(), len(hour)][1:]
        self._at = dict(zip(hour[begin].tolist(), zip(begin.tolist(), ends, strict=True), strict=True))

    def of(self, hour: int) -> IntArray:
        """Its rows, in order of start."""
        begin, end = self._at.get(hour, (0, 0))
        return self._table[begin:end]
