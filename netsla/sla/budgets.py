"""What was told of error budgets that are being spent: each share once a period (SLA R19).

Rules: columnar over objective numbers; a period that is over is forgotten. An exclusion that is agreed afterwards takes
nothing back: what was told was true when it was told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsla.sla.early import Early


@dataclass(frozen=True, slots=True)
class Warned:
    """The share of an error budget that is spent, since `at_ns`, of the period that ends at `end_ns`.

    `told` is False while its cause is known, as with breaches.
    """

    share: float
    at_ns: int
    end_ns: int
    told: bool = True


class Budgets:
    """The share told last, by objective number."""

    def __init__(self) -> None:
        self._warned: dict[int, Warned] = {}
        self._told, self._end_ns = np.zeros(0), np.zeros(0, np.int64)

    def cover(self, numbers: int) -> None:
        """Make room for objective numbers."""
        more = numbers - len(self._told)
        self._told, self._end_ns = np.pad(self._told, (0, more)), np.pad(self._end_ns, (0, more))

    def forget(self, number: int) -> None:
        """Another objective has this number now."""
        self._told[number] = 0
        self._warned.pop(number, None)

    def due(self, early: Early, now_ns: int) -> list[int]:
        """Numbers of which more is spent than was told."""
        told = np.where(self._end_ns > now_ns, self._told, 0)
        found: list[int] = np.flatnonzero((early.level > told) & (early.end_ns > now_ns)).tolist()
        return found

    def tell(self, number: int, warned: Warned) -> None:
        """It is told, or known why it need not be."""
        self._warned[number] = warned
        self._told[number], self._end_ns[number] = warned.share, warned.end_ns

    def of(self, number: int, now_ns: int) -> Warned | None:
        """What was told in the present period."""
        found = self._warned.get(number)
        return found if found and found.end_ns > now_ns else None
