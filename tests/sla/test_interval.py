import numpy as np

from netsla.model import Outcome, Reason
from netsla.sla.histogram import BUCKETS
from netsla.sla.interval import NO_REASON, Cell, OpenCell, PackedCell, close
from netsla.sla.tally import Column, Pairs, count
from tests.sla.builders import samples

NO_THRESHOLDS = np.empty((0, 2), np.int64)


def a_cell(reason: tuple[int, int] = (NO_REASON, NO_REASON)) -> Cell:
    opened, pairs = OpenCell.of(Column.LE, 2), Pairs(2, 8)
    opened.add(count(samples([0, 0, 1], rtt_ms=[10, 30, 5], slot=[0, 1, 0]), pairs, NO_THRESHOLDS))
    opened.add(count(samples([0, 1], [Outcome.ANSWERED, Outcome.LOST], 10, slot=[2, 1]), pairs, NO_THRESHOLDS))
    return close(7, 60, opened, np.array([1, 0], np.int8), np.array(reason, np.uint8))


def test_a_closed_cell_keeps_counts_extremes_and_spectrum() -> None:
    cell = a_cell()
    assert cell.matrix[Column.SENT].tolist() == [3, 2]
    assert (cell.rtt_min_us.tolist(), cell.rtt_max_us.tolist()) == ([10_000, 5_000], [30_000, 5_000])
    assert cell.spectrum.counts.tolist() == [2, 1, 1]
    assert cell.start_ns == 420_000_000_000


def test_extremes_do_not_exist_without_a_reply() -> None:
    cell = close(0, 60, OpenCell.of(Column.LE, 1), np.array([-1], np.int8), np.array([NO_REASON], np.uint8))
    assert (cell.rtt_min_us.tolist(), cell.rtt_max_us.tolist()) == ([-1], [-1])
    assert len(cell.spectrum.keys) == 0


def test_what_cannot_be_vouched_for_stays_as_evidence_but_is_used_as_unmeasured() -> None:
    cell = a_cell((Reason.LOCAL_FAULT, NO_REASON))
    matrix, spectrum = cell.usable()
    assert matrix[:3].tolist() == [[0, 2], [0, 1], [3, 0]]
    assert matrix[Column.RTT_SUM].tolist() == [0, 5_000]
    assert (spectrum.keys // BUCKETS).tolist() == [1]
    assert cell.matrix[Column.SENT].tolist() == [3, 2]


def test_packing_gives_back_exactly_what_was_usable() -> None:
    cell = a_cell((NO_REASON, Reason.CLOCK_STEP))
    matrix, spectrum = PackedCell.of(cell).open()
    expected, expected_spectrum = cell.usable()
    assert (matrix == expected).all()
    assert (spectrum.keys == expected_spectrum.keys).all()
    assert (spectrum.counts == expected_spectrum.counts).all()


def test_a_forgotten_row_leaves_nothing_and_growing_adds_nothing() -> None:
    opened = OpenCell.of(Column.LE, 2)
    opened.add(count(samples([0, 1], rtt_ms=10), Pairs(2, 8), NO_THRESHOLDS))
    opened.forget(np.array([True, False]))
    opened.grow(Column.LE + 1, 3)
    assert opened.matrix.shape == (Column.LE + 1, 3)
    assert opened.matrix[Column.SENT].tolist() == [0, 1, 0]
    cell = close(0, 60, opened, np.zeros(3, np.int8), np.full(3, NO_REASON, np.uint8))
    assert (cell.spectrum.keys // BUCKETS).tolist() == [1]
    assert cell.rtt_max_us.tolist() == [-1, 10_000, -1]
