"""What was pressed comes back, in whatever order and pieces it came."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import IntArray
from netsla.sla.recorded import ABSENT, NUMBERS
from netsla.store.pressed import CsvError, Pressing, Records

START = 1_775_001_600


def columns(slots: list[int], seed: int = 1) -> dict[str, IntArray]:
    """Records of these minutes, lines as they come."""
    random = np.random.default_rng(seed)
    made = {name: random.integers(-1, 2**40, len(slots)) for name in NUMBERS}
    made |= {"seconds": np.full(len(slots), 60), "start_s": START + 60 * np.array(slots, np.int64)}
    made |= {"reason": random.integers(0, 256, len(slots)), "line": 2 + np.arange(len(slots))}
    made |= {"le_500": np.full(len(slots), ABSENT), "le_90": random.integers(0, 9, len(slots))}
    return made


@given(st.permutations(range(12)), st.lists(st.integers(1, 11), max_size=4))
def test_pieces_in_any_order_come_back_in_order(slots: list[int], cuts: list[int]) -> None:
    given_columns = columns(slots)
    pressing = Pressing()
    edges = [0, *sorted(set(cuts)), 12]
    for begin, end in pairwise(edges):
        pressing.add("hq", "ping", {name: column[begin:end] for name, column in given_columns.items()})
    records = pressing.records("intervals.csv")
    (part,) = records
    order = np.argsort(given_columns["start_s"])
    for name in (*NUMBERS, "reason"):
        assert np.array_equal(getattr(part, name), given_columns[name][order]), name
    assert list(part.within) == [90], "a threshold that nobody counted is none"
    assert np.array_equal(part.within[90], given_columns["le_90"][order])
    starts, seconds = records.grid(0)
    assert np.array_equal(starts, part.start_s)
    assert np.array_equal(seconds, part.seconds)


def test_probes_come_in_order_of_name() -> None:
    pressing = Pressing()
    for endpoint, probe, slots in (("b", "ping", [1]), ("a", "web", [1, 2]), ("a", "ping", [1]), ("b", "ping", [5, 6])):
        pressing.add(endpoint, probe, columns(slots))
    records = pressing.records("intervals.csv")
    assert records.names == (("a", "ping"), ("a", "web"), ("b", "ping"))
    assert [len(part) for part in records] == [1, 2, 3]
    assert [part.probe for part in records.of("a")] == ["ping", "web"]
    assert [part.endpoint for part in records[1:]] == ["a", "b"]
    assert records.of("c") == []
    assert len(Records({})) == 0


@pytest.mark.parametrize("pieces", [[[0, 1, 2, 1]], [[0, 1, 2], [1, 3]], [[4], [0, 1], [1]]])
def test_two_records_of_one_time_are_told_with_the_line_of_the_second(pieces: list[list[int]]) -> None:
    pressing = Pressing()
    line = 2
    for slots in pieces:
        pressing.add("hq", "ping", columns(slots) | {"line": line + np.arange(len(slots))})
        line += len(slots)
    every = [slot for slots in pieces for slot in slots]
    expected = 2 + every.index(1, every.index(1) + 1)
    with pytest.raises(CsvError, match=rf"intervals.csv: line {expected}: this interval is there already"):
        pressing.records("intervals.csv")


def test_intervals_that_overlap_are_two_of_one_time() -> None:
    pressing = Pressing()
    pressing.add("hq", "ping", columns([0, 2]) | {"seconds": np.array([300, 60])})
    with pytest.raises(CsvError, match="line 3"):
        pressing.records("intervals.csv")


def test_a_month_takes_little_memory() -> None:
    random = np.random.default_rng(1)
    made = columns(list(range(43_200)))
    made |= {name: np.full(43_200, 60) for name in ("sent", "received", "jitter_pairs", "reason")}
    made |= {name: np.zeros(43_200, np.int64) for name in ("unmeasured", "late", "duplicate", "le_90")}
    for name in ("rtt_sum_us", "rtt_min_us", "rtt_max_us", "jitter_sum_us"):
        made[name] = random.normal(20_000, 500, 43_200).astype(np.int64)
    pressing = Pressing()
    pressing.add("hq", "ping", made)
    (segment,) = pressing._segments["hq", "ping"]
    assert len(segment.grid) + len(segment.figures) < 9 * 43_200
