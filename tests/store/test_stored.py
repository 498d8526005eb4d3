from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netsla.store import chain
from netsla.store.block import decode_figures, decode_present
from netsla.store.layout import Lane, union
from netsla.store.press import BrokenError
from netsla.store.sealing import seal_hour
from netsla.store.stored import LINK, StoredBlock, hour_text, links_of
from tests.store.cells import HOUR_K, cells, layout

HOUR = HOUR_K // 60


@pytest.fixture(scope="module")
def block() -> StoredBlock:
    """Two agreements of two sites each, and made-up links."""
    fleet = layout(4)
    given = [(cell, fleet) for cell in cells(4, 60, probes=3)]
    ((one,), _) = seal_hour(HOUR, 60, union([fleet]), lambda: given, lambda: None)
    links = b"a" * LINK + b"b" * LINK
    return StoredBlock(7, HOUR, 60, one.lanes, b"ids", one.figures, one.spectrum, links)


def test_links_are_by_agreement_and_seal_what_lies_there(block: StoredBlock) -> None:
    previous = {"acme-0000": chain.GENESIS, "acme-0001": b"p" * LINK}
    links = links_of(block, previous)
    assert [(name, one.hash, one.previous) for name, one in links.items()] == [
        ("acme-0000", b"a" * LINK, chain.GENESIS),
        ("acme-0001", b"b" * LINK, b"p" * LINK),
    ]
    assert [lane.endpoint for lane in links["acme-0001"].lanes] == ["site-0", "site-1"]
    other = links_of(replace(block, lane_ids=b"others"), previous)
    assert other["acme-0000"].stored != links["acme-0000"].stored
    assert other["acme-0000"].figures == links["acme-0000"].figures


def test_the_histogram_of_an_hour_is_that_of_its_intervals(block: StoredBlock) -> None:
    hour = block.hours()
    assert int(block.latencies(hour).sum()) == int(block.histogram(hour).counts.sum()) > 0


def test_which_intervals_it_has_is_known_without_its_figures(block: StoredBlock) -> None:
    assert np.array_equal(block.present(), block.hours().present)
    fleet, kept = layout(4), list(cells(4, 60))[5:40]
    (part, *_), _ = seal_hour(HOUR, 60, union([fleet]), lambda: ((one, fleet) for one in kept), lambda: None)
    assert np.array_equal(decode_present(part.figures), decode_figures(part.figures).present)
    assert decode_present(part.figures).sum() == 4 * 35


def test_broken_bytes_are_named_by_their_block(block: StoredBlock) -> None:
    place = rf"block 7 \(acme-0000 … acme-0001, hour {hour_text(HOUR)}\): "
    with pytest.raises(BrokenError, match=place):
        replace(block, figures=block.figures[:20]).hours()
    with pytest.raises(BrokenError, match=place):
        replace(block, figures=block.figures[:3]).present()
    for read in (StoredBlock.histogram, StoredBlock.latencies):
        with pytest.raises(BrokenError, match=place):
            read(replace(block, spectrum=block.spectrum[:5]), block.hours())


@pytest.mark.parametrize(
    ("agreements", "whose"),
    [(("a", "a"), "a"), (("", "a"), "references … a"), (("", ""), "references")],
)
def test_a_block_is_named_by_whose_it_is(block: StoredBlock, agreements: tuple[str, ...], whose: str) -> None:
    lanes = tuple(Lane(name, "e", "ping") for name in agreements)
    assert replace(block, lanes=lanes).place == f"block 7 ({whose}, hour {hour_text(HOUR)})"


def test_hours_are_written_as_people_write_them() -> None:
    assert hour_text(HOUR) == "2026-05-29T02:00Z"
