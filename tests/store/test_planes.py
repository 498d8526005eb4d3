"""Columns kept byte by byte come back as they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.store.planes import fold, unfold


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-1, 300), max_size=50))
def test_they_come_back(values: list[int]) -> None:
    column = np.array(values, np.int64)
    back = unfold(fold(column))
    assert back.dtype == np.int64
    assert back.tolist() == values


def test_equal_numbers_take_no_planes_and_noise_is_not_pressed() -> None:
    assert fold(np.full(43_200, 60)).planes == ()
    noise = np.random.default_rng(1).integers(0, 256, 43_200) + 256 * np.repeat(np.arange(40), 1080)
    low, high = fold(noise).planes
    assert len(low) == 43_200
    assert len(high) < 1000
    assert unfold(fold(noise)).tolist() == noise.tolist()
