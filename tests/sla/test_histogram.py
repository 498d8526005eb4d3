from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.sla.histogram import BOUNDS_US, BUCKETS, GREATEST, LEAST, MIDDLE_SECONDS, bucket_of, quantiles

FIRST = np.arange(1)
rtts = st.lists(st.integers(8, 15_000_000), min_size=1, max_size=200)


def histogram(values: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint32]]:
    counts = np.zeros((1, BUCKETS), np.uint32)
    np.add.at(counts[0], bucket_of(np.array(values, np.int64)), 1)
    return counts


def test_a_bound_belongs_to_its_own_bucket_and_one_more_to_the_next() -> None:
    assert bucket_of(BOUNDS_US[100:101])[0] == 100
    assert bucket_of(BOUNDS_US[100:101] + 1)[0] == 101


def test_what_is_out_of_range_falls_into_the_outer_buckets() -> None:
    assert bucket_of(np.array([0, 1, 10**9])).tolist() == [0, 0, BUCKETS - 1]


@given(rtts)
def test_a_bucket_stands_for_its_values_within_1_1_percent_and_a_microsecond(values: list[int]) -> None:
    us = np.array(values, np.int64)
    error = np.abs(MIDDLE_SECONDS[bucket_of(us)] * 1e6 - us)
    assert (error <= us * 0.011 + 1).all()


@given(rtts, st.sampled_from([Fraction(1, 2), Fraction(95, 100), Fraction(99, 100), LEAST, GREATEST]))
def test_quantile_is_the_bucket_of_the_sorted_sample_at_rank_ceil_p_n(values: list[int], share: Fraction) -> None:
    rank = -(-share.numerator * len(values) // share.denominator)
    expected = MIDDLE_SECONDS[bucket_of(np.array([sorted(values)[rank - 1]]))][0]
    assert quantiles(histogram(values), (share,), FIRST)[0, 0] == expected


def test_an_empty_row_has_no_quantile() -> None:
    counts = np.concatenate([histogram([1000]), np.zeros((1, BUCKETS), np.uint32)])
    assert np.isnan(quantiles(counts, (Fraction(1, 2),), np.arange(2))[0]).tolist() == [False, True]


def test_the_distributions_of_several_probes_are_merged_never_averaged() -> None:
    counts = np.concatenate([histogram([1000] * 9), histogram([100_000])])
    merged = quantiles(counts, (Fraction(9, 10), GREATEST), np.array([[0, 1], [0, -1]]))
    assert [round(value, 3) for value in merged[0]] == [0.001, 0.001]
    assert [round(value, 2) for value in merged[1]] == [0.1, 0.0]
    swapped = quantiles(counts, (Fraction(9, 10), GREATEST), np.array([[1, 0], [1, -1]]))
    assert swapped[:, 0].tolist() == merged[:, 0].tolist()
