import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import IntArray, Outcome
from netsla.sla.histogram import BUCKETS
from netsla.sla.tally import Column, Counted, Pairs, Spectrum, count, microseconds
from tests.sla.builders import START, samples

NO_THRESHOLDS = np.empty((0, 4), np.int64)


def counted(*batch: object, thresholds: IntArray = NO_THRESHOLDS, **columns: object) -> Counted:
    return count(samples(*batch, **columns), Pairs(4, 8), thresholds)  # type: ignore[arg-type]  # columns of any kind


def test_each_outcome_has_its_column_and_unmeasured_is_neither_sent_nor_lost() -> None:
    tally = counted([0] * 7, list(Outcome), slot=range(7)).matrix[:, 0]
    sent, received, unmeasured, late, duplicate = tally[:5]
    assert (sent, received, unmeasured, late, duplicate) == (3, 1, 1, 1, 1)


def test_rtt_is_rounded_up_so_that_a_threshold_says_the_same_as_in_nanoseconds() -> None:
    assert microseconds(np.array([50_000_000, 50_000_001])).tolist() == [50_000, 50_001]


def test_thresholds_count_what_came_within_each_probes_own() -> None:
    limits = np.array([[50_000, 20_000, -1, -1]])
    tally = counted([0, 0, 1, 1, 2], rtt_ms=[50, 50.0001, 20, 21, 1], slot=range(5), thresholds=limits)
    assert tally.matrix[Column.LE].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("rtts", "expected"), [((20, 10, 20, 25, 20), (30_000, 4)), ((20, 10, None, 25, 20), (15_000, 2))]
)
def test_jitter_pairs_neighbours_both_received(rtts: tuple[int | None, ...], expected: tuple[int, int]) -> None:
    """SLA section 6: |IPDV| 10,10,5,5 mean 7.5; with the third lost 10,5 mean 7.5."""
    outcome = [Outcome.LOST if rtt is None else Outcome.ANSWERED for rtt in rtts]
    tally = counted([0] * 5, outcome, [rtt or 0 for rtt in rtts], slot=range(5)).matrix[:, 0]
    assert (tally[Column.JITTER_SUM], tally[Column.JITTER_PAIRS]) == expected


@given(st.permutations(range(6)), st.integers(1, 5))
def test_jitter_does_not_depend_on_the_order_or_batches_in_which_probes_are_decided(order: list[int], cut: int) -> None:
    rtts = [20, 10, 20, 25, 20, 90]
    pairs = Pairs(1, 16)
    parts = [order[:cut], order[cut:]]
    matrices = [
        count(samples([0] * len(p), rtt_ms=[rtts[i] for i in p], slot=p), pairs, np.empty((0, 1), np.int64))
        for p in parts
    ]
    total = matrices[0].matrix + matrices[1].matrix
    assert (total[Column.JITTER_SUM, 0], total[Column.JITTER_PAIRS, 0]) == (100_000, 5)


keys = st.lists(st.integers(0, 3 * BUCKETS - 1), max_size=50).map(lambda xs: Spectrum.of(np.array(xs, np.int64)))


@given(st.lists(keys, max_size=4))
def test_merging_spectra_is_addition(parts: list[Spectrum]) -> None:
    dense = np.zeros(3 * BUCKETS, np.int64)
    for part in parts:
        dense[part.keys] += part.counts
    merged = Spectrum.merge(parts)
    assert (np.diff(merged.keys) > 0).all()
    again = np.zeros_like(dense)
    again[merged.keys] = merged.counts
    assert (again == dense).all()


def test_a_probe_belongs_to_the_row_it_names_even_twice_in_a_batch() -> None:
    tally = counted([1, 1, 3], sent_ns=START, slot=[0, 1, 0])
    assert tally.matrix[Column.SENT].tolist() == [0, 2, 0, 1]
