"""Objectives of which nothing is measured for longer than they allow: who falls silent, who is heard again.

Rules: columnar until somebody turns. What falls silent while its cause is known (hushed) is told only if it is silent
still when the cause is gone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

BoolArray = npt.NDArray[np.bool_]
Causes = npt.NDArray[np.str_]


class Silence(NamedTuple):
    """One that stands: the newest sample before it, and why it need not be told ("": it was)."""

    since_ns: int
    cause: str


class Turn(NamedTuple):
    """`ended_ns` None: it fell silent, with the last sample at `onset_ns`. With a `cause` it is hushed."""

    number: int
    onset_ns: int
    ended_ns: int | None
    cause: str


class Silences:
    """Those that stand, by objective number."""

    def __init__(self) -> None:
        self.open: dict[int, Silence] = {}

    def watch(self, numbers: IntArray, newest_ns: IntArray, silent: BoolArray, causes: Causes) -> list[Turn]:
        """Who turns, of those that want to hear of it; `newest_ns` is when each was heard of last."""
        turned = silent | np.isin(numbers, list(self.open)) if self.open else silent  # few, as a rule
        columns = (column[turned].tolist() for column in (numbers, newest_ns, silent, causes))
        found = (self._turn(*one) for one in zip(*columns, strict=True))
        return [one for one in found if one is not None]

    def _turn(self, number: int, newest_ns: int, is_silent: bool, cause: str) -> Turn | None:
        before = self.open.get(number)
        if not is_silent:
            return self._back(number, newest_ns)
        if before is not None and (not before.cause or cause):
            return None
        onset_ns = before.since_ns if before is not None else newest_ns
        self.open[number] = Silence(onset_ns, cause)
        return Turn(number, onset_ns, None, cause)

    def _back(self, number: int, newest_ns: int) -> Turn:
        since_ns, cause = self.open.pop(number)
        return Turn(number, since_ns, newest_ns, cause)
