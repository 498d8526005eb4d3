"""Objectives of which nothing is measured for longer than they allow: who falls silent, who is heard again.

Rules: columnar until somebody turns. What falls silent while its time is excluded is known (hushed), and told only if
it is silent still when the exclusion is over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

BoolArray = npt.NDArray[np.bool_]


class Turn(NamedTuple):
    """`ended_ns` None: it fell silent, with the last sample at `onset_ns`. `told` is False where it is hushed."""

    number: int
    onset_ns: int
    ended_ns: int | None
    told: bool


class Silences:
    """Since when, by objective number."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}
        self.hushed: dict[int, int] = {}

    def watch(self, numbers: IntArray, newest_ns: IntArray, silent: BoolArray, excluded: BoolArray) -> list[Turn]:
        """Who turns, of those that want to hear of it; `newest_ns` is when each was heard of last."""
        known = [*self.told, *self.hushed]
        turned = silent | np.isin(numbers, known) if known else silent  # few, as a rule
        columns = (column[turned].tolist() for column in (numbers, newest_ns, silent, excluded))
        found = (self._turn(*one) for one in zip(*columns, strict=True))
        return [one for one in found if one is not None]

    def _turn(self, number: int, newest_ns: int, is_silent: bool, is_excluded: bool) -> Turn | None:
        if not is_silent:
            return self._back(number, newest_ns)
        if number in self.told or (is_excluded and number in self.hushed):
            return None
        onset_ns = self.hushed.pop(number, newest_ns)
        (self.hushed if is_excluded else self.told)[number] = onset_ns
        return Turn(number, onset_ns, None, told=not is_excluded)

    def _back(self, number: int, newest_ns: int) -> Turn:
        told = number in self.told
        return Turn(number, (self.told if told else self.hushed).pop(number), newest_ns, told)
