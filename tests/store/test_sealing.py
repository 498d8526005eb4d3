from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from netsla.sla.interval import Cell
from netsla.sla.tally import Column
from netsla.store.block import Hour, encode_figures
from netsla.store.layout import Layout, union
from netsla.store.press import BrokenError
from netsla.store.sealing import ABSENT, gather, owners, seal_hour
from tests.store.cells import HOUR_K, cells, layout

HOUR = HOUR_K // 60


def sealed_lanes(lanes: int, per_agreement: int) -> list[tuple[int, int]]:
    fleet = layout(lanes, per_agreement)
    given = list(cells(lanes, 1, probes=2))

    def load() -> Iterable[tuple[Cell, Layout]]:
        return ((cell, fleet) for cell in given)

    blocks, total = seal_hour(HOUR, 60, union([fleet]), load, lambda: None)
    assert [lane for block in blocks for lane in block.lanes] == list(total.layout.lanes)
    assert total.matrix[Column.SENT].tolist() == [2] * lanes
    return [(len(block.digests), len(block.lanes)) for block in blocks]


@pytest.mark.parametrize(
    ("lanes", "per_agreement", "blocks"),
    [
        (1, 1, [(1, 1)]),
        (40, 1, [(16, 16), (16, 16), (8, 8)]),  # small agreements share a block
        (40, 10, [(2, 20), (2, 20)]),
        (60, 60, [(1, 24), (1, 24), (1, 12)]),  # a large one is cut
        (1100, 1, [(16, 16)] * 68 + [(12, 12)]),  # in several shares
    ],
)
def test_blocks_are_of_a_useful_size(lanes: int, per_agreement: int, blocks: list[tuple[int, int]]) -> None:
    assert sealed_lanes(lanes, per_agreement) == blocks


def test_owners_are_found_in_order() -> None:
    lanes = [lane for lane in layout(5, 2).lanes if lane]
    assert list(owners(lanes)) == [("acme-0000", 0, 2), ("acme-0001", 2, 4), ("acme-0002", 4, 5)]


def test_what_came_and_went_within_the_hour_is_absent_elsewhere() -> None:
    first, second = layout(2), layout(2, first=1)
    given = [(one, first if n < 30 else second) for n, one in enumerate(cells(2, 60, probes=3))]
    hour, spectrum = gather(HOUR, 60, union([first, second]), given)
    assert hour.present.sum(axis=1).tolist() == [30, 60, 30]
    assert hour.present[0, :30].all()
    assert hour.present[2, 30:].all()
    assert hour.matrix[Column.SENT, 0].tolist() == [3] * 30 + [0] * 30
    assert int(spectrum.counts.sum()) == int(hour.matrix[Column.RECEIVED].sum())
    _, total = seal_hour(HOUR, 60, union([first, second]), lambda: given, lambda: None)
    assert (total.standings[0] == ABSENT).tolist() == [False] * 30 + [True] * 30
    assert np.array_equal(total.matrix[Column.SENT], [90, 180, 90])


def test_an_hour_that_would_not_read_back_is_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks take the place of cells: what is lost there is lost for good."""
    fleet = layout(2)
    given = [(cell, fleet) for cell in cells(2, 60)]
    assert len(seal_hour(HOUR_K // 60, 60, fleet, lambda: given, lambda: None)[0]) == 1

    def forgetful(hour: Hour) -> bytes:
        return encode_figures(replace(hour, rtt_max_us=hour.rtt_max_us & ~0xFF00))

    monkeypatch.setattr("netsla.store.sealing.encode_figures", forgetful)
    with pytest.raises(BrokenError, match="does not read back"):
        seal_hour(HOUR_K // 60, 60, fleet, lambda: given, lambda: None)
