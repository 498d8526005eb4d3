"""Records of very many probes in little memory: pressed probe by probe, unpressed when one is asked for.

    pressing = Pressing();  pressing.add(endpoint, probe, columns, lines) …;  records = pressing.records(file)
    for part in records: …       records.grid(n) gives starts and lengths alone, which is quick

Rules: exact. A month of a probe takes about 0.5 MB, and 6 ms to unpress. What comes in any order comes out by
(endpoint, probe) and start; two records of one time are a mistake, told with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np

from netsla.errors import NetslaError
from netsla.model import IntArray
from netsla.sla.recorded import ABSENT, Recorded
from netsla.store.planes import Folded, fold, unfold

_GRID = ("start_s", "seconds", "line")
_Name = tuple[str, str]  # endpoint, probe


class CsvError(NetslaError):
    """A line that cannot be read."""


class _Segment(NamedTuple):
    """Some records of one probe, pressed; `ordered` if none begins before the one before it ends."""

    size: int  # records
    begin: int  # UTC seconds
    end: int
    ordered: bool
    grid: dict[str, Folded]
    figures: dict[str, Folded]


@dataclass(slots=True)
class Pressing:
    """Takes records as they are read."""

    _segments: dict[_Name, list[_Segment]] = field(default_factory=dict)

    def add(self, endpoint: str, probe: str, columns: Mapping[str, IntArray]) -> None:
        """Some records of a probe: columns of `Recorded` by name, thresholds as `le_<us>`, and `line`."""
        self._segments.setdefault((endpoint, probe), []).append(_pressed(columns))

    def records(self, file: str) -> Records:
        """All of them; raises CsvError where two records tell of one time."""
        return Records({name: _in_order(self._segments[name], file) for name in sorted(self._segments)})


class Records(Sequence[Recorded]):
    """Every probe's records, by (endpoint, probe) in order of name."""

    def __init__(self, segments: Mapping[_Name, list[_Segment]]) -> None:
        self.names = tuple(segments)
        self._segments = tuple(segments.values())
        self._of: dict[str, list[int]] = {}
        for number, (endpoint, _) in enumerate(self.names):
            self._of.setdefault(endpoint, []).append(number)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, number: int) -> Recorded: ...

    @overload
    def __getitem__(self, number: slice) -> list[Recorded]: ...

    def __getitem__(self, number: int | slice) -> Recorded | list[Recorded]:
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        endpoint, probe = self.names[number]
        columns = _joined(self._segments[number])
        within = {limit_of(name): column for name, column in columns.items() if name.startswith("le_")}
        told = {limit: within[limit] for limit in sorted(within) if (within[limit] != ABSENT).any()}
        return Recorded.of(endpoint, probe, columns, told)

    def __iter__(self) -> Iterator[Recorded]:
        return (self[number] for number in range(len(self)))

    def of(self, endpoint: str) -> list[Recorded]:
        """Those of one endpoint."""
        return [self[number] for number in self._of.get(endpoint, ())]

    def grid(self, number: int) -> tuple[IntArray, IntArray]:
        """Starts in UTC seconds, and lengths."""
        columns = _grid(self._segments[number])
        return columns["start_s"], columns["seconds"]


def limit_of(name: str) -> int:
    """The threshold of a column `le_<us>`."""
    return int(name.removeprefix("le_"))


def _pressed(columns: Mapping[str, IntArray]) -> _Segment:
    start, seconds = columns["start_s"], columns["seconds"]
    ordered = bool((start[:-1] + seconds[:-1] <= start[1:]).all())
    grid = {
        "first": fold(start[:1]), "steps": fold(np.diff(start)), "seconds": fold(seconds),
        "line": fold(columns["line"][:1]), "lines": fold(np.diff(columns["line"])),
    }  # fmt: skip
    figures = {name: fold(column) for name, column in columns.items() if name not in _GRID}
    return _Segment(len(start), int(start.min()), int((start + seconds).max()), ordered, grid, figures)


def _grid(segments: Sequence[_Segment]) -> dict[str, IntArray]:
    found = [_grid_of(segment) for segment in segments]
    return {name: np.concatenate([one[name] for one in found]) for name in _GRID}


def _grid_of(segment: _Segment) -> dict[str, IntArray]:
    told = {name: unfold(column) for name, column in segment.grid.items()}
    return {
        "start_s": np.cumsum(np.append(told["first"], told["steps"])),
        "seconds": told["seconds"],
        "line": np.cumsum(np.append(told["line"], told["lines"])),
    }


def _joined(segments: Sequence[_Segment]) -> dict[str, IntArray]:
    columns = {
        name: np.concatenate([unfold(segment.figures[name]) for segment in segments]) for name in segments[0].figures
    }
    return columns | _grid(segments)


def _in_order(segments: list[_Segment], file: str) -> list[_Segment]:
    follows = all(one.end <= other.begin for one, other in pairwise(segments))
    if follows and all(segment.ordered for segment in segments):
        return segments
    columns = _joined(segments)
    order = np.argsort(columns["start_s"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    same = columns["start_s"][:-1] + columns["seconds"][:-1] > columns["start_s"][1:]
    if same.any():
        line = int(columns["line"][1:][same][0])
        raise CsvError(f"{file}: line {line}: this interval is there already, or overlaps", "leave one of them out")
    return [_pressed(columns)]
