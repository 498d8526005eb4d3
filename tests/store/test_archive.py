"""Reading one agreement, in whatever blocks it lies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from netsla.model import SECOND
from netsla.store import chain
from netsla.store.ledger import Ledger
from netsla.store.passage import links_between
from tests.store.cells import START_S, cells, layout


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    one.start()
    yield one
    one.close()


def live(ledger: Ledger, lanes: int, per_agreement: int, k: int, minutes: int) -> list[np.ndarray]:
    fleet = layout(lanes, per_agreement)
    given = list(cells(lanes, minutes, k=k, probes=6))
    for one in given:
        ledger.append(one, fleet)
    ledger.flush()
    return [one.matrix for one in given]


def test_a_large_agreement_reads_in_parts_even_when_it_grows(ledger: Ledger) -> None:
    first = live(ledger, 50, 1000, START_S // 60, 60)
    ledger.seal_due((START_S + 3901) * SECOND)
    second = live(ledger, 53, 1000, START_S // 60 + 60, 60)  # site-50 to -52 come in between by name
    ledger.seal_due((START_S + 7501) * SECOND)
    with ledger.archive.open() as look:
        (blocks,) = look.connection.execute("SELECT count(*) FROM block").fetchone()
        parts = list(look.each("acme-0000", 0, 2**62, at_once=20))
        whole = look.intervals("acme-0000", 0, 2**62)
    assert blocks == 6
    assert [one.lane for one in parts] == [one.lane for one in whole]
    assert all(np.array_equal(one.matrix, other.matrix) for one, other in zip(parts, whole, strict=True))
    rows = layout(53, 1000).rows
    for one in whole:
        row = rows[one.lane]
        expected = [m[:, row] for m in (first if row < 50 else [])] + [m[:, row] for m in second]
        assert np.array_equal(one.matrix, np.stack(expected, axis=1))


def test_one_endpoint_of_a_large_agreement_costs_only_its_own_blocks(ledger: Ledger) -> None:
    live(ledger, 50, 1000, START_S // 60, 90)
    ledger.seal_due((START_S + 3901) * SECOND)
    seen: list[int] = []
    with ledger.archive.open() as look:
        (mine,) = look.each(
            "acme-0000", 0, 2**62, see=lambda block, _hour: seen.append(block.id), endpoints={"site-17"}
        )
        every = [one for one in look.intervals("acme-0000", 0, 2**62) if one.lane.endpoint == "site-17"]
    assert len(seen) == 1, "three blocks an hour hold the whole agreement"
    assert mine.lane == every[0].lane
    assert np.array_equal(mine.matrix, every[0].matrix)
    assert len(mine.start) == 90, "what is not sealed yet stands with it"


def test_links_of_a_span_can_be_made_again_from_what_stands_before(ledger: Ledger) -> None:
    live(ledger, 4, 2, START_S // 60, 180)
    ledger.seal_due((START_S + 3 * 3600 + 301) * SECOND)
    with ledger.archive.open() as look:
        every = links_between(look, "acme-0001", 0, 2**62)
        last = links_between(look, "acme-0001", (START_S + 7200) * SECOND, (START_S + 10800) * SECOND)
    assert [link.hour for link in every] == [START_S // 3600 + n for n in range(3)]
    assert last == every[2:]
    assert every[0].previous == chain.GENESIS
    for link, after in pairwise(every):
        assert after.previous == link.hash
    assert all(chain.link(link.previous, link.figures, link.stored) == link.hash for link in every)
    assert {lane.agreement for link in every for lane in link.lanes} == {"acme-0001"}


def test_agreements_are_those_with_sealed_hours(ledger: Ledger) -> None:
    live(ledger, 4, 2, START_S // 60, 60)
    with ledger.archive.open() as look:
        assert look.agreements() == []
    ledger.seal_due((START_S + 3901) * SECOND)
    with ledger.archive.open() as look:
        assert look.agreements() == ["acme-0000", "acme-0001"]
