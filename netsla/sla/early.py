"""What alerts before a verdict does: budgets that burn too fast or are being spent, promises about to be broken.

    early.look(numbers, accounts) -> Early | None      None while no objective asks for any of it

Rules: one answer per turn, by objective number; alerts.py makes changes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray
from netsla.sla.accounts import Accounts
from netsla.sla.burning import Burning
from netsla.sla.fleet import Fleet
from netsla.sla.forecast import Forecast
from netsla.sla.grade import Graded
from netsla.sla.standing import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Early:
    """By objective number, of those whose reaction is burn or forecast: whether it is bad, and whether that counts.

    `level` is the share of the error budget that is to be told (0: none), in the period that ends at `end_ns`;
    `details` are what an event says of a number that asks.
    """

    bad: BoolArray
    known: BoolArray
    level: npt.NDArray[np.float64]
    end_ns: IntArray
    details: Callable[[int], Mapping[str, int]]


class Lookout:
    """Watches for all of it."""

    def __init__(self) -> None:
        self._burning, self._forecast = Burning(), Forecast()

    def load(self, fleet: Fleet) -> None:
        """Take a new layout; unchanged objectives go on."""
        self._burning.load(fleet)
        self._forecast.load(fleet)

    def push(self, graded: Graded) -> None:
        """A cell was graded."""
        self._burning.push(graded)

    def look(self, numbers: int, accounts: Accounts) -> Early | None:
        """What is to be said of so many numbers now."""
        if not self._burning.any and not self._forecast.any:
            return None
        bad, known = self._burning.alight(numbers), np.ones(numbers, bool)
        self._forecast.look(accounts)
        self._forecast.fill(bad, known)
        level, end_ns = self._forecast.levels(numbers)
        return Early(bad, known, level, end_ns, lambda number: self._forecast.heading(number).details)
