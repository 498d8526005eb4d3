from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Gauge

from netsla.sla.snapshot import Snapshot
from netsla.web.own import OwnMetrics
from netsla.web.scrape import PAGES, Scrapes
from tests.synthetic import snapshot


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as worker:
        yield worker


@pytest.fixture
def scrapes(worker: ThreadPoolExecutor) -> Scrapes:
    return Scrapes(OwnMetrics(CollectorRegistry()), worker)


def later(shown: Snapshot) -> Snapshot:
    return replace(shown, at_ns=shown.at_ns + 1, sent=shown.sent + 1)


async def test_memory_is_used_again(scrapes: Scrapes) -> None:
    shown = snapshot(10)
    async with scrapes.page(shown) as page:
        body = page.body
    async with scrapes.page(later(shown)) as page:
        assert page.body is body


async def test_a_page_being_read_is_left_alone(scrapes: Scrapes) -> None:
    shown = snapshot(10)
    async with scrapes.page(shown) as first:
        before = bytes(first.body)
        async with scrapes.page(later(shown)) as second:
            assert second.body is not first.body
            assert bytes(first.body) == before


async def test_an_older_question_gets_the_newer_page(scrapes: Scrapes) -> None:
    shown = snapshot(10)
    newer = later(shown)
    async with scrapes.page(newer) as page, scrapes.page(shown) as again:
        assert again is page


async def test_pages_are_bounded(scrapes: Scrapes) -> None:
    shown = snapshot(10)
    contexts = []
    for _ in range(PAGES + 3):
        context = scrapes.page(shown)
        contexts.append((context, await context.__aenter__()))
        shown = later(shown)
    assert len({id(page.body) for _, page in contexts}) == PAGES
    for context, _ in contexts:
        await context.__aexit__(None, None, None)
    async with scrapes.page(shown) as page:
        assert page.snapshot is shown


async def test_a_reload_lays_out_anew(scrapes: Scrapes) -> None:
    async with scrapes.page(snapshot(10)) as page:
        assert page.body.count(b"netsla_probe_sent_total{") == 10
    async with scrapes.page(replace(snapshot(20), at_ns=2**62)) as page:
        assert page.body.count(b"netsla_probe_sent_total{") == 20


async def test_other_parts_register_their_own(worker: ThreadPoolExecutor) -> None:
    registry = CollectorRegistry()
    scrapes = Scrapes(OwnMetrics(registry), worker)
    Gauge("netsla_outbox_pending", "Events not told yet.", registry=registry).set(4)
    async with scrapes.page(snapshot(1)) as page:
        assert b"\nnetsla_outbox_pending 4.0\n" in page.tail
        assert page.length == sum(map(len, page.pieces))
        assert b"netsla_schedule_lateness_seconds" not in page.tail  # its bounds were not given
