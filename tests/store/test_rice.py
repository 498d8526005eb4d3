from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.store import rice


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 40), st.integers(0, 2**32), st.integers(0, 44))
def test_rows_come_back_where_they_are_present(rows: int, slots: int, seed: int, bits: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-(2**bits), 2**bits, (rows, slots), endpoint=True)
    values[::2] = values[::2, :1]  # every other row is still
    present = random.random((rows, slots)) < 0.8
    back = rice.decode(rice.encode(values, present), rows, slots)
    assert np.array_equal(back[present], values[present])


@given(st.integers(0, 2**55))
def test_a_centre_with_an_empty_byte_in_the_middle_comes_back(seed: int) -> None:
    for value in (0x0001_0002, -0x0100_0001, seed & 0x7F_0000_FF00_FF00):
        rows = np.full((1, 60), value)
        assert np.array_equal(rice.decode(rice.encode(rows, np.ones((1, 60), bool)), 1, 60), rows)


@given(st.lists(st.integers(0, 2**62)))
def test_varints_come_back(values: list[int]) -> None:
    assert rice.unvarint(rice.varint(np.array(values, np.int64))).tolist() == values


def test_noise_costs_little_more_than_it_must() -> None:
    values = np.random.default_rng(1).normal(15_000, 300, (100, 60)).astype(np.int64)
    must = 60 * 100 * np.log2(300 * np.sqrt(2 * np.pi * np.e)) / 8
    assert len(rice.encode(values, np.ones(values.shape, bool))) < 1.09 * must
