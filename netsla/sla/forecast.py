"""Where periods of uptime are heading: promises about to be broken, error budgets about to be spent (SLA R19).

Rules: for objectives that ask for it (`reaction: {type: forecast}`, or `budget`), all with a calendar window. Exact,
and from the accounts that verdicts are made of, so that provisional intervals, exclusions agreed afterwards and
restarts need nothing of their own. Figures move only when a cell closes: they are worked out then. Arrays are over
the objectives that ask, in the fleet's order; those that have not been down at all cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray
from netsla.sla.accounts import LAST_WEEK, Accounts
from netsla.sla.burn import CLEAR_BELOW, WEEK_SECONDS, budget_spent, projected
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.standing import BoolArray

_WEEK_NS = WEEK_SECONDS * SECOND
_Whole = npt.NDArray[np.object_]  # of Python's integers: products of nanoseconds outgrow 64 bits


@dataclass(frozen=True, slots=True)
class Heading:
    """One objective: down time so far and of the last week, what is left of the period, and its whole; ns."""

    down: int
    week: int
    remaining: int
    scheduled: int
    target: Fraction

    @property
    def details(self) -> Mapping[str, int]:
        """What an event says of it; seconds are rounded toward failure."""
        budget = (1 - self.target) * self.scheduled
        spent = budget_spent(self.down, self.scheduled, self.target)
        found = {
            "projected_down_seconds": -int(-projected(self.down, self.week, self.remaining, _WEEK_NS) // SECOND),
            "down_seconds": -(-self.down // SECOND),
            "budget_seconds": int(budget // SECOND),
        }
        return found | ({} if spent is None else {"budget_spent_percent": int(spent * 100)})


class Forecast:
    """Over all objectives that look ahead."""

    def __init__(self) -> None:
        self._asking: list[FleetObjective] = []
        self._place = np.zeros(0, np.int64)
        self._number = np.zeros(0, np.int64)
        self._by_window: dict[str, IntArray] = {}  # positions
        self._version = -1  # of the accounts that the figures are of
        self._figures = np.zeros((4, 0), np.int64)  # down, week, remaining, scheduled; ns
        self._end_ns = np.zeros(0, np.int64)  # of the period
        self._over: BoolArray = np.zeros(0, bool)  # the projection breaks the target
        self._under: BoolArray = np.zeros(0, bool)  # … is back under what clears it
        self._level = np.zeros(0)  # share of the budget that is to be told, 0: none

    def load(self, fleet: Fleet) -> None:
        """Take a new layout."""
        self._asking = [one for one in fleet.objectives if one.objective.reaction.looks_ahead]
        self._place = np.array([one.endpoint.place for one in self._asking], np.int64)
        self._number = np.array([one.number for one in self._asking], np.int64)
        windows: dict[str, list[int]] = {}
        for at, one in enumerate(self._asking):
            windows.setdefault(one.objective.window.name, []).append(at)
        self._by_window = {name: np.array(some) for name, some in windows.items()}
        self._version = -1

    @property
    def any(self) -> bool:
        """Whether anybody asks."""
        return bool(self._asking)

    def look(self, accounts: Accounts) -> None:
        """Work out anew what may have changed since."""
        if self._version == accounts.version or not self._asking:
            return
        count = len(self._asking)
        self._figures, self._end_ns = np.zeros((4, count), np.int64), np.zeros(count, np.int64)
        self._over, self._under, self._level = np.zeros(count, bool), np.ones(count, bool), np.zeros(count)
        for name, at in self._by_window.items():
            self._gather(accounts, name, at)
        self._judge()
        self._version = accounts.version

    def _gather(self, accounts: Accounts, name: str, at: IntArray) -> None:
        place, cell_ns = self._place[at], accounts.duty.cell_ns
        time = accounts.view(name)
        begin_ns = accounts.begin_k(name)[place] * cell_ns
        end_ns = begin_ns + time.period[place]
        self._end_ns[at] = end_ns
        down, week = time.down[place], accounts.view(LAST_WEEK).down[place]
        remaining = np.maximum(end_ns - accounts.next_k * cell_ns, 0)
        scheduled = np.zeros(len(at), np.int64)
        for first_ns, last_ns in np.unique(np.stack([begin_ns, end_ns]), axis=1).T.tolist():
            mine = (begin_ns == first_ns) & (end_ns == last_ns)
            scheduled[mine] = accounts.duty.scheduled(first_ns, last_ns)[place[mine]]
        self._figures[:, at] = down, week, remaining, scheduled

    # --- judging ------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """Only of those that were down: nothing is to be expected of the others."""
        down, week, _, _ = self._figures
        at = np.flatnonzero((down > 0) | (week > 0))
        if not len(at):
            return
        some = [self._asking[place].objective for place in at.tolist()]
        lost, last, remaining, scheduled = (row[at].astype(object) for row in self._figures)
        num = np.array([one.target.value.numerator for one in some], object)
        den = np.array([one.target.value.denominator for one in some], object)
        budget: _Whole = (den - num) * scheduled  # over `den`, as everything below
        ahead: _Whole = (lost * _WEEK_NS + last * remaining) * den
        self._over[at] = (ahead > budget * _WEEK_NS).astype(bool)
        below = [one.reaction.clear.below or CLEAR_BELOW for one in some]
        num_below = np.array([one.numerator for one in below], object)
        den_below = np.array([one.denominator for one in below], object)
        self._under[at] = (ahead * den_below <= budget * _WEEK_NS * num_below).astype(bool)
        self._under &= ~self._over
        for share in {share for one in some for share in one.reaction.budget}:
            asked = np.array([share in one.reaction.budget for one in some])
            spent = asked & (lost * den * share.denominator >= budget * share.numerator).astype(bool)
            spent &= (budget > 0).astype(bool)
            self._level[at[spent]] = np.maximum(self._level[at[spent]], float(share))

    # --- looking ------------------------------------------------------------------------------------

    def fill(self, bad: BoolArray, known: BoolArray) -> None:
        """Say by objective number, of those that react to it, whether they break their target, and whether that counts.

        Between the target and what clears it, nothing counts.
        """
        mine = np.array([one.objective.reaction.type == "forecast" for one in self._asking], bool)
        number = self._number[mine]
        bad[number] = self._over[mine]
        known[number] = self._over[mine] | self._under[mine]

    def levels(self, numbers: int) -> tuple[npt.NDArray[np.float64], IntArray]:
        """By objective number, of so many: share of the budget to be told (0: none), and the end of the period (ns)."""
        level, end_ns = np.zeros(numbers), np.zeros(numbers, np.int64)
        level[self._number], end_ns[self._number] = self._level, self._end_ns
        return level, end_ns

    def heading(self, number: int) -> Heading:
        """Of one objective that asks."""
        at = int(np.flatnonzero(self._number == number)[0])
        down, week, remaining, scheduled = self._figures[:, at].tolist()
        return Heading(down, week, remaining, scheduled, self._asking[at].objective.target.value)
