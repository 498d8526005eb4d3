"""Links and histograms by the way of reading, and those of what was not read."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netsla.model import SECOND
from netsla.sla.histogram import BUCKETS
from netsla.store.archive import Archive, Look
from netsla.store.ledger import Ledger
from netsla.store.passage import Passage, links_between
from tests.store.cells import START_S, cells, layout

BEGIN, END = START_S * SECOND, (START_S + 4 * 3600) * SECOND
SEALED = 2  # hours; ten more minutes are not


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two agreements of 15 endpoints: blocks of 24 lanes, so that one is shared and the second has two an hour."""
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: END)
    ledger.start()
    names = layout(30, per_agreement=15)
    for cell in cells(30, SEALED * 60 + 10):
        ledger.append(cell, names)
    assert ledger.seal_due((START_S + SEALED * 3600 + 1200) * SECOND) == SEALED
    ledger.close()
    return tmp_path / "ledger.db"


def walked(look: Look, agreement: str, **more: Any) -> Passage:
    """A passage that saw everything."""
    passage = Passage(look, agreement, BEGIN, END, (BEGIN, END))
    for _ in look.each(agreement, BEGIN, END, see=passage.see, **more):
        pass
    return passage


@pytest.mark.parametrize("agreement", ["acme-0000", "acme-0001"])
def test_links_are_the_same_whether_blocks_were_read_before_or_not(path: Path, agreement: str) -> None:
    with Archive(path).open() as look:
        unread = links_between(look, agreement, BEGIN, END)
        assert walked(look, agreement).links() == unread
        assert walked(look, agreement, at_once=4).links() == unread
    assert sorted({link.hour - START_S // 3600 for link in unread}) == list(range(SEALED))
    assert [link.previous for link in unread[1:]] == [link.hash for link in unread[:-1]]
    assert {lane.agreement for link in unread for lane in link.lanes} == {agreement}


def test_histograms_hold_every_reply_once_however_often_a_block_is_decoded(path: Path) -> None:
    with Archive(path).open() as look:
        once, often = walked(look, "acme-0001"), walked(look, "acme-0001", at_once=4)
        received = {one.lane.endpoint: int(one.matrix[1].sum()) for one in look.intervals("acme-0001", BEGIN, END)}
    assert {endpoint: int(counts.sum()) for (endpoint, _), counts in once.latencies.items()} == received
    assert all(len(counts) == BUCKETS for counts in once.latencies.values())
    assert all(np.array_equal(counts, often.latencies[key]) for key, counts in once.latencies.items())


def test_an_endpoint_that_was_read_has_its_whole_histogram(path: Path) -> None:
    with Archive(path).open() as look:
        whole = walked(look, "acme-0000").latencies
        passage = Passage(look, "acme-0000", BEGIN, END, (BEGIN, END))
        some = look.each("acme-0000", BEGIN, END, at_once=4, see=passage.see)
        read = [one.lane for one in islice(some, 4)]
        assert all(np.array_equal(passage.latencies[lane[1:3]], whole[lane[1:3]]) for lane in read)


def test_hours_outside_are_passed_over(path: Path) -> None:
    with Archive(path).open() as look:
        passage = Passage(look, "acme-0000", *(span := (BEGIN + 3600 * SECOND, BEGIN + 7200 * SECOND)), span)
        for _ in look.each("acme-0000", BEGIN, END, see=passage.see):
            pass
        (link,) = passage.links()
    assert link.hour * 3600 == START_S + 3600
    assert int(sum(counts.sum() for counts in passage.latencies.values())) <= 15 * 60 * 60


def test_without_percentiles_no_histogram_is_decoded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded")

    decode: Callable[..., None] = never
    monkeypatch.setattr("netsla.store.stored.sum_spectrum", decode)
    with Archive(path).open() as look:
        passage = Passage(look, "acme-0000", BEGIN, END)
        assert len(list(look.each("acme-0000", BEGIN, END, see=passage.see))) == 15
        assert passage.latencies == {}
