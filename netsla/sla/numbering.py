"""Stable small numbers for names: the row of a probe, of an endpoint, of an objective.

Rules: a name keeps its number as long as it is kept; a freed number is given out again only after
`release` has been told that nothing in flight can still speak of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(slots=True)
class Numbering(Generic[Name]):
    """Names to numbers, and back to free numbers."""

    numbers: dict[Name, int] = field(default_factory=dict)
    size: int = 0
    _free: list[int] = field(default_factory=list)
    _resting: list[tuple[int, int]] = field(default_factory=list)

    def assign(self, names: Iterable[Name], now_ns: int) -> tuple[list[int], list[int]]:
        """Keep known names, number new ones, free the rest; returns (new numbers, freed numbers)."""
        wanted = dict.fromkeys(names)
        gone = [name for name in self.numbers if name not in wanted]
        freed = [self.numbers.pop(name) for name in gone]
        fresh = []
        for name in wanted:
            if name not in self.numbers:
                self.numbers[name] = self._take()
                fresh.append(self.numbers[name])
        self._resting += [(now_ns, number) for number in freed]
        return fresh, freed

    def release(self, before_ns: int) -> None:
        """Numbers freed before this instant may be used again."""
        self._free += [number for since, number in self._resting if since < before_ns]
        self._resting = [(since, number) for since, number in self._resting if since >= before_ns]

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        self.size += 1
        return self.size - 1
