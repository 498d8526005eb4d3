"""What each probe met since its row began."""

import numpy as np

from netsla.model import Outcome
from netsla.sla.tally import Pairs, count
from netsla.sla.totals import LADDER_US, Totals
from tests.sla.builders import samples

NOBODY = np.empty(0, np.int32)


def test_replies_by_their_rtt_from_bound_to_bound() -> None:
    totals = Totals()
    totals.cover(2, NOBODY)
    batch = samples(
        [0, 0, 0, 1, 1], [Outcome.ANSWERED] * 4 + [Outcome.LOST], [0.05, 0.050001, 30_000, 12.8, 0], slot=range(5)
    )
    for _ in (1, 2):
        totals.add(batch, count(batch, Pairs(2, 8), np.empty((0, 2), np.int64)))
    assert LADDER_US[[0, 1, 8, -1]].tolist() == [50, 100, 12_800, 26_214_400]
    assert [np.flatnonzero(totals.ladder[:, row]).tolist() for row in (0, 1)] == [[0, 1, 20], [8]]
    assert totals.ladder.sum(axis=0).tolist() == [6, 2], "each reply once, and those only"


def test_a_fresh_row_begins_with_nothing() -> None:
    totals = Totals()
    totals.cover(1, NOBODY)
    totals.ladder[:], totals.matrix[:] = 7, 7
    totals.cover(3, np.array([0], np.int32))
    assert totals.ladder.shape == (len(LADDER_US) + 1, 3)
    assert not totals.ladder.any()
    assert not totals.matrix.any()
