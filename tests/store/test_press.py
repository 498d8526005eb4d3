from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.store.press import BrokenError, narrow, pack, pack_cell, unpack, unpack_cell
from tests.store.cells import cells, same

Whole = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.lists(Whole, max_size=20), max_size=5))
def test_arrays_come_back(lists: list[list[int]]) -> None:
    arrays = {f"a{number}": np.array(values, np.int64) for number, values in enumerate(lists)}
    back = unpack(pack(arrays))
    assert back.keys() == arrays.keys()
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize(("top", "kind"), [(255, "u1"), (256, "u2"), (-1, "i1"), (65536, "u4"), (2**32, "i8")])
def test_the_narrowest_type_is_taken(top: int, kind: str) -> None:
    assert narrow(np.array([0, top])).dtype == np.dtype(kind)


def test_a_cell_comes_back() -> None:
    for one in cells(7, 3):
        assert same(unpack_cell(one.k, 60, pack_cell(one)), one)


@pytest.mark.parametrize("body", [b"", b"rubbish", pack({"x": np.arange(3)})])
def test_foreign_bytes_are_broken(body: bytes) -> None:
    with pytest.raises(BrokenError):
        unpack_cell(0, 60, body)
