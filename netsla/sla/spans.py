"""Spans of time as sorted, disjoint, half-open [start, end) pairs of UTC nanoseconds: int64 of shape (n, 2).

spans(pairs) · union(a, …) · intersect(a, b) · subtract(a, b) · total_ns(a)
covered_ns(a, start_ns, length_ns)   how much of each interval [start, start + length) is covered
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from netsla.model import IntArray

Spans = IntArray  # (n, 2)


def spans(pairs: Iterable[tuple[int, int]]) -> Spans:
    """Any pairs, put in order and united where they overlap or touch; empty ones are dropped."""
    rows = np.array([pair for pair in pairs if pair[0] < pair[1]], np.int64).reshape(-1, 2)
    if len(rows) < 2:
        return rows
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    reach = np.maximum.accumulate(rows[:, 1])
    first = np.append(True, rows[1:, 0] > reach[:-1])
    begin = np.flatnonzero(first)
    end = reach[np.append(begin[1:], len(rows)) - 1]
    return np.stack([rows[begin, 0], end], axis=1)


def union(*parts: Spans) -> Spans:
    """Everything that any part covers."""
    return spans((int(a), int(b)) for part in parts for a, b in part)


def intersect(one: Spans, other: Spans) -> Spans:
    """What both cover."""
    out, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        start, end = max(int(one[i, 0]), int(other[j, 0])), min(int(one[i, 1]), int(other[j, 1]))
        if start < end:
            out.append((start, end))
        if one[i, 1] < other[j, 1]:
            i += 1
        else:
            j += 1
    return spans(out)


def subtract(one: Spans, other: Spans) -> Spans:
    """What `one` covers and `other` does not."""
    if not len(one) or not len(other):
        return one
    edges = [int(one[0, 0]), *(int(edge) for edge in other.reshape(-1)), int(one[-1, 1])]
    outside = spans((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))
    return intersect(one, outside)


def total_ns(part: Spans) -> int:
    """The time covered."""
    return int((part[:, 1] - part[:, 0]).sum())


def covered_ns(part: Spans, start_ns: IntArray, length_ns: int) -> IntArray:
    """Nanoseconds of each [start, start + length) that are covered; shape of `start_ns`."""
    return _before(part, start_ns + length_ns) - _before(part, start_ns)


def covered_grid(part: Spans, first_k: int, step_ns: int, count: int) -> IntArray:
    """The same for consecutive intervals, number `first_k` on, each `step_ns` long."""
    out = np.zeros(count, np.int64)
    origin = first_k * step_ns
    for start_ns, end_ns in part.tolist():
        start, end = max(start_ns - origin, 0), min(end_ns - origin, count * step_ns)
        if start >= end:
            continue
        first, last = start // step_ns, (end - 1) // step_ns
        out[first : last + 1] += step_ns
        out[first] -= start - first * step_ns
        out[last] -= (last + 1) * step_ns - end
    return out


def _before(part: Spans, at_ns: IntArray) -> IntArray:
    """Covered time before each instant."""
    if not len(part):
        return np.zeros(np.shape(at_ns), np.int64)
    done = np.concatenate([[0], np.cumsum(part[:, 1] - part[:, 0])])
    number = np.searchsorted(part[:, 0], at_ns, side="right")
    last = np.maximum(number - 1, 0)
    inside = np.clip(at_ns - part[last, 0], 0, part[last, 1] - part[last, 0])
    return np.where(number > 0, done[last] + inside, 0)
