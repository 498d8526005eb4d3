from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.sla.spans import Spans, covered_grid, covered_ns, intersect, spans, subtract, total_ns, union

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def members(part: Spans) -> set[int]:
    return {t for a, b in part for t in range(a, b)}


@given(PAIRS)
def test_spans_are_sorted_disjoint_and_lose_nothing(pairs: list[tuple[int, int]]) -> None:
    made = spans(pairs)
    assert members(made) == {t for a, b in pairs for t in range(a, b)}
    edges = made.reshape(-1)
    assert (np.diff(edges) > 0).all()
    assert total_ns(made) == len(members(made))


@given(PAIRS, PAIRS)
def test_set_algebra(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    one, other = spans(a), spans(b)
    assert members(union(one, other)) == members(one) | members(other)
    assert members(intersect(one, other)) == members(one) & members(other)
    assert members(subtract(one, other)) == members(one) - members(other)


@given(PAIRS, st.integers(1, 12))
def test_covered(pairs: list[tuple[int, int]], length: int) -> None:
    part = spans(pairs)
    starts = np.arange(-5, 45)
    expected = [len(members(part) & set(range(s, s + length))) for s in starts.tolist()]
    assert covered_ns(part, starts, length).tolist() == expected


@given(PAIRS, st.integers(1, 12), st.integers(-3, 5), st.integers(0, 9))
def test_a_grid_is_covered_like_its_intervals(pairs: list[tuple[int, int]], step: int, first: int, count: int) -> None:
    starts = (first + np.arange(count)) * step
    assert covered_grid(spans(pairs), first, step, count).tolist() == covered_ns(spans(pairs), starts, step).tolist()
