"""Cells given back to the windows that they leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from netsla.model import SECOND
from netsla.store.ledger import Ledger
from netsla.store.recall import Recall
from tests.store.cells import HOUR_K, START_S, cells, layout, same


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    one.start()
    yield one
    one.close()


@pytest.fixture
def recall(ledger: Ledger) -> Iterator[Recall]:
    one = Recall(ledger, layout(40))
    yield one
    one.close()


def test_waiting_loose_and_sealed_cells_are_the_same(ledger: Ledger, recall: Recall) -> None:
    given = list(cells(40, 120))
    hold = ledger.database.submit(lambda _c: None)
    for one in given:
        ledger.append(one, layout(40))
    hold.result(10)
    for _ in range(3):
        back = [recall.cell(one.k, 60) for one in given]
        assert all(other and same(one, other) for one, other in zip(given, back, strict=True))
        ledger.flush()
        ledger.seal_due((START_S + 3600 + 301) * SECOND)


def test_what_was_never_measured_is_empty_and_what_was_lost_is_not_known(ledger: Ledger, recall: Recall) -> None:
    (one,) = cells(40, 1)
    ledger.append(one, layout(40))
    ledger.flush()
    nothing = recall.cell(HOUR_K + 5, 60)
    assert nothing is not None
    assert nothing.matrix.sum() == 0
    assert nothing.matrix.shape == one.matrix.shape
    ledger.lost_starts.add((HOUR_K + 6) * 60)
    assert recall.cell(HOUR_K + 6, 60) is None


def test_rows_follow_the_layout_in_force(ledger: Ledger, recall: Recall) -> None:
    (one,) = cells(40, 1)
    ledger.append(one, layout(40))
    ledger.flush()
    recall.layout = layout(10, first=20)
    back = recall.cell(HOUR_K, 60)
    assert back is not None
    assert back.matrix.tolist() == one.matrix[:, 20:30].tolist()


def test_a_cell_written_after_its_hour_was_fetched_is_found(ledger: Ledger, recall: Recall) -> None:
    first, second = cells(40, 2)
    ledger.append(first, layout(40))
    ledger.flush()
    assert recall.cell(first.k, 60) is not None
    ledger.append(second, layout(40))
    ledger.flush()
    back = recall.cell(second.k, 60)
    assert back is not None
    assert same(back, second)


def test_a_cell_sealed_after_its_hour_was_fetched_is_found(ledger: Ledger, recall: Recall) -> None:
    first, second = cells(40, 2)
    ledger.append(first, layout(40))
    ledger.flush()
    assert recall.cell(first.k, 60) is not None
    ledger.append(second, layout(40))
    assert ledger.seal_due((START_S + 3600 + 301) * SECOND) == 1
    for one in (second, first):
        back = recall.cell(one.k, 60)
        assert back is not None
        assert same(back, one)
    nothing = recall.cell(second.k + 1, 60)
    assert nothing is not None
    assert nothing.matrix.sum() == 0


def test_an_hour_is_read_once_for_all_that_was_never_measured_in_it(
    ledger: Ledger, recall: Recall, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = cells(40, 1)
    ledger.append(one, layout(40))
    ledger.flush()
    read = Mock(wraps=recall._read)
    monkeypatch.setattr(recall, "_read", read)
    for k in range(HOUR_K, HOUR_K + 10):
        assert recall.cell(k, 60) is not None
    read.assert_called_once_with(HOUR_K // 60)
