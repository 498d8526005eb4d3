"""The agent's own alerts: each stands for the many that would else be told of every endpoint.

    isolated       our own references fail
    mass_failure   most endpoints fail at once, and no reference does
    unmeasured     of most endpoints that want to hear of missing data there is none: a route or a resolver of ours

Rules: pure. What stood open when another agent ended goes on until somebody was heard of: that nothing is known yet
ends nothing. Times are UTC ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from netsla.model import SECOND, IntArray
from netsla.sla.fleet import Fleet
from netsla.sla.runs import Runs

ISOLATED, MASS, UNMEASURED = "isolated", "mass_failure", "unmeasured"
_SHARE, _LEAST, _OVER = 0.5, 3, 0.25  # of all endpoints; at least so many; over below
_AT_ONCE = 0.05  # of all endpoints, before anything is said of most of them
_DOUBT_NS = 2 * SECOND  # for so long nothing is told of the first that fail, if nobody else was heard of since


class OwnTurn(NamedTuple):
    """`ended_ns` None: it begins."""

    name: str
    onset_ns: int
    ended_ns: int | None
    details: Mapping[str, int]


class OwnAlerts:
    """Those of one agent."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}  # by name: onset
        self.mass_end_ns = 0  # of the newest mass failure that is over
        self.doubtful = False  # whether the few that fail may be the first of many
        self._doubt_ns = 0  # since when
        self._first_row = np.zeros(0, np.int64)  # one row of every endpoint
        self._references = np.zeros(0, np.int64)

    def load(self, fleet: Fleet) -> None:
        """Take a new layout."""
        self._first_row = np.array([one.probes[0].row for one in fleet.endpoints if one.probes], np.int64)
        self._references = np.array([one.row for one in fleet.references], np.int64)

    def restore(self, own: Iterable[tuple[str, int]], mass_end_ns: int) -> None:
        """Go on with what another agent left."""
        self.open.update(own)
        self.mass_end_ns = mass_end_ns

    @property
    def isolated(self) -> bool:
        """Whether what we see says nothing about customers."""
        return ISOLATED in self.open

    def look(self, now_ns: int, runs: Runs, *, silent: bool) -> list[OwnTurn]:
        """What turns; `silent` says whether our references are."""
        unheard = self.isolated and len(self._references) and not runs.last_known(self._references).any()
        isolated = silent or bool(unheard)
        turned, self.doubtful = [self._turn(ISOLATED, now_ns, on=isolated, onset_ns=now_ns)], False
        if not isolated and len(self._first_row) >= _LEAST:
            turned.append(self._look_for_mass(now_ns, runs))
        return [one for one in turned if one is not None]

    def _look_for_mass(self, now_ns: int, runs: Runs) -> OwnTurn | None:
        since = runs.failing_since(np.zeros_like(self._first_row), self._first_row)
        known = runs.last_known(self._first_row)
        failing, of = int((since > 0).sum()), len(self._first_row)
        onset = int(np.median(since[since > 0])) if failing else now_ns
        heard = int((known >= onset).sum())  # of whom anything is known since then
        if MASS in self.open:
            enough = int((known >= self.open[MASS]).sum()) >= _least(of)
            on = failing / max(heard, 1) > _OVER or not enough
        else:
            most = failing >= _LEAST and failing / max(heard, 1) > _SHARE
            on = most and failing >= _least(of)
            self._doubt(now_ns, first_of_many=most and not on)
        turned = self._turn(MASS, now_ns, on=on, onset_ns=onset, failing=failing, of=of)
        if turned is not None and turned.ended_ns is not None:
            self.mass_end_ns = now_ns
        return turned

    def _doubt(self, now_ns: int, *, first_of_many: bool) -> None:
        if not first_of_many:
            self._doubt_ns = 0
        elif not self._doubt_ns:
            self._doubt_ns = now_ns
        self.doubtful = first_of_many and now_ns - self._doubt_ns < _DOUBT_NS

    def unmeasured(
        self, now_ns: int, endpoint: IntArray, known_ns: IntArray, begun_ns: IntArray, quiet_ns: IntArray
    ) -> list[OwnTurn]:
        """What turns; it begins when one of them wants to hear, and who is silent for half as long is of that silence.

        Arrays are over objectives that want to hear of missing data: whose they are, the newest sample (0: none), since
        when they are objectives, and after how long of silence they want to hear.
        """
        is_open = UNMEASURED in self.open
        age = now_ns - (known_ns if is_open else np.maximum(known_ns, begun_ns))
        if not is_open and not (age > quiet_ns).any():
            return []
        still = age > quiet_ns // 2
        of, missing = len(np.unique(endpoint)), len(np.unique(endpoint[still]))
        least, share = (1, _OVER) if is_open else (_least(of), _SHARE)
        on = missing >= least and missing / max(of, 1) > share
        onset = int(np.maximum(known_ns, begun_ns)[still].max(initial=0)) or now_ns
        turned = self._turn(UNMEASURED, now_ns, on=on, onset_ns=onset, silent=missing, of=of)
        return [turned] if turned is not None else []

    def _turn(self, name: str, now_ns: int, *, on: bool, onset_ns: int, **details: int) -> OwnTurn | None:
        if on and name not in self.open:
            self.open[name] = onset_ns
            return OwnTurn(name, onset_ns, None, details)
        if not on and name in self.open:
            return OwnTurn(name, self.open.pop(name), now_ns, details)
        return None


def _least(endpoints: int) -> float:
    return max(_LEAST, endpoints * _AT_ONCE)
