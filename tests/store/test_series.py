"""Columns of one lane out of hours."""

import numpy as np

from netsla.sla.interval import NO_REASON
from netsla.store.block import Hour
from netsla.store.layout import Lane
from netsla.store.sealing import gather
from netsla.store.series import Part, Table, join, loose_parts
from tests.store.cells import HOUR_K, LIMIT_US, START_S, cells, layout

LANE = Lane("acme-0000", "site-0", "ping", (LIMIT_US,))


def hour(minutes: int, seed: int = 1) -> Hour:
    """An hour of two lanes whose last minutes are missing."""
    fleet = layout(2)
    return gather(HOUR_K // 60, 60, fleet, ((cell, fleet) for cell in cells(2, minutes, seed=seed, probes=6)))[0]


def part_of(minutes: int, block: int, seed: int = 1) -> Part:
    table = Table((LANE, LANE._replace(endpoint="site-1")), 60, [START_S // 3600], [block])
    table.put(0, hour(minutes, seed))
    return table.part(LANE)


def test_only_what_is_present_comes_out() -> None:
    whole, short = part_of(60, 1).series, part_of(45, 1).series
    assert (len(whole.start), len(short.start)) == (60, 45)
    assert short.matrix.shape == (9, 45)
    assert np.array_equal(short.matrix, whole.matrix[:, :45])
    assert np.array_equal(short.rtt_max_us, whole.rtt_max_us[:45])
    assert set(whole.reason.tolist()) == {NO_REASON}


def test_a_part_in_order_is_handed_on_and_cut_at_the_edges() -> None:
    part = part_of(60, 1)
    assert join([part], START_S, START_S + 3600) is part.series
    cut = join([part], START_S + 60, START_S + 3540)
    assert (cut.start[0], cut.start[-1], len(cut.start)) == (START_S + 60, START_S + 3480, 58)


def test_of_two_records_the_later_block_counts_and_the_unsealed_one_most() -> None:
    older, newer = part_of(60, 1), part_of(30, 2, seed=2)
    for given in ([older, newer], [newer, older]):
        both = join(given, START_S, START_S + 3600)
        assert np.array_equal(both.matrix[:, :30], newer.series.matrix)
        assert np.array_equal(both.matrix[:, 30:], older.series.matrix[:, 30:])
    (cell,) = cells(2, 1, seed=3, probes=6)
    (loose,) = (one for one in loose_parts(cell, layout(2), "acme-0000") if one.series.lane == LANE)
    assert np.array_equal(join([newer, loose], START_S, START_S + 60).matrix, loose.series.matrix)
