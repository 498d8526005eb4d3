"""What befell our links, told by hand: since when, until when, and whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import SECOND, Reason
from netsla.probes import links as module
from netsla.probes.links import _LAG_NS, FOREVER, GRACE_NS, Links
from netsla.probes.netlink import AddressNews, Ask, LinkNews, Neighbour, News

NEAR, OTHER, OWN = 3, 9, 0x0100_280A
UP, DOWN = LinkNews(NEAR, "near", True, 1), LinkNews(NEAR, "near", False, 2)


ASK = Ask(bytes([10, 1, 0, 1]))


class Told:
    """In place of the kernel: surveys and news that the test writes; None is an overflow."""

    def __init__(self) -> None:
        self.present: list[News] = [UP, LinkNews(OTHER, "dummy", True, 0), AddressNews(NEAR, OWN)]
        self.news: list[News] | None = []

    def survey(self) -> list[News]:
        return self.present

    def read(self) -> list[News] | None:
        news, self.news = self.news, []
        return news

    def link(self, index: int) -> LinkNews | None:
        return next((one for one in self.present if isinstance(one, LinkNews) and one.index == index), None)

    def takes_since(self, ask: Ask) -> int:
        return 7

    def close(self) -> None:
        self.news = None


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    one = Told()
    monkeypatch.setattr(module, "Monitor", lambda: one)
    monkeypatch.setattr(module, "Inquiry", lambda: one)
    return one


@pytest.fixture
def links(told: Told) -> Iterator[Links]:
    one = Links()
    one.open(10 * SECOND)
    one.poll(11 * SECOND)
    yield one
    one.close()


def news(links: Links, told: Told, at: int, *some: News) -> None:
    told.news = list(some)
    links.poll(at)


def test_a_link_is_down_from_the_reading_that_missed_it_until_it_is_back(links: Links, told: Told) -> None:
    assert links.faults == []
    news(links, told, 12 * SECOND, DOWN)
    (fault,) = links.faults
    assert (fault.begin_ns, fault.end_ns, fault.reason) == (11 * SECOND - _LAG_NS, FOREVER, Reason.INTERFACE_DOWN)
    news(links, told, 13 * SECOND, DOWN)
    assert links.faults == [fault]
    news(links, told, 14 * SECOND, LinkNews(NEAR, "renamed", True, 2))
    assert links.faults == [fault]
    assert fault.end_ns == 14 * SECOND


def test_whom_it_concerns(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, DOWN)
    (fault,) = links.faults
    link = np.array([NEAR, OTHER, OTHER, 0], np.uint32)
    source = np.array([5, 5, OWN, OWN], np.uint64)
    assert fault.concerns(link, source).tolist() == [True, False, True, False]
    begin = np.array([8 * SECOND, 11 * SECOND, 20 * SECOND])
    assert fault.during(begin, begin + SECOND).tolist() == [False, True, True]
    news(links, told, 14 * SECOND, LinkNews(NEAR, "near", True, 2))
    assert fault.during(begin, begin + SECOND).tolist() == [False, True, False]
    assert fault.during(begin, begin + SECOND, 6 * SECOND).tolist() == [False, True, True]


def test_an_instant_is_enough(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, DOWN, LinkNews(NEAR, "near", True, 2))
    (fault,) = links.faults
    assert (fault.begin_ns, fault.end_ns) == (11 * SECOND - _LAG_NS, 12 * SECOND)


def test_a_carrier_that_was_lost_between_two_news_was_lost(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, LinkNews(NEAR, "near", True, 2))
    assert [(one.end_ns, one.reason) for one in links.faults] == [(12 * SECOND, Reason.INTERFACE_DOWN)]


def test_a_link_that_is_asked_tells_what_the_news_have_not_told_yet(links: Links, told: Told) -> None:
    links.look([NEAR, OTHER], 12 * SECOND)
    assert links.faults == []
    told.present[0] = DOWN
    links.look([NEAR], 13 * SECOND)
    (fault,) = links.faults
    assert (fault.begin_ns, fault.end_ns) == (12 * SECOND, FOREVER)  # it was well when it was last asked
    assert fault.index == NEAR


def test_a_new_name_or_nothing_new_is_no_fault(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, LinkNews(NEAR, "renamed", True, 1), UP, AddressNews(NEAR, OWN))
    assert links.faults == []


def test_an_address_that_goes(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, AddressNews(NEAR, OWN, there=False))
    (fault,) = links.faults
    assert (fault.begin_ns, fault.end_ns, fault.reason) == (11 * SECOND - GRACE_NS, 12 * SECOND, Reason.SOURCE_GONE)
    assert fault.concerns(np.array([NEAR], np.uint32), np.array([OWN], np.uint64)).all()
    assert not fault.concerns(np.array([NEAR], np.uint32), np.array([OWN + 1], np.uint64)).any()
    assert not links.owns(OWN)


def test_an_address_that_moves_to_another_link_stays(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, AddressNews(OTHER, OWN), AddressNews(NEAR, OWN, there=False))
    assert links.faults == []
    assert links.owns(OWN)


def test_a_link_that_was_down_from_the_start_and_one_that_is_deleted(told: Told) -> None:
    told.present[0] = DOWN
    one = Links()
    one.open(10 * SECOND)
    assert [(fault.index, fault.end_ns) for fault in one.faults] == [(NEAR, FOREVER)]
    news(one, told, 12 * SECOND, LinkNews(OTHER, "dummy", False, 0, there=False))
    assert [(fault.index, fault.end_ns) for fault in one.faults] == [(NEAR, FOREVER), (OTHER, FOREVER)]


def test_news_that_were_lost_are_made_up_by_comparing(links: Links, told: Told) -> None:
    told.news, told.present = None, [LinkNews(NEAR, "near", True, 5)]
    links.poll(12 * SECOND)
    assert {(fault.index, fault.reason, fault.end_ns) for fault in links.faults} == {
        (NEAR, Reason.INTERFACE_DOWN, 12 * SECOND),
        (OTHER, Reason.INTERFACE_DOWN, FOREVER),
        (0, Reason.SOURCE_GONE, 12 * SECOND),
    }


def test_what_is_long_over_is_forgotten(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, DOWN, LinkNews(NEAR, "near", True, 2))
    news(links, told, 1000 * SECOND, UP)
    assert [fault.end_ns for fault in links.faults] == [1000 * SECOND]  # the older one is gone
    assert list(links.since(1005 * SECOND)) == []


def test_how_long_a_fault_counts_and_is_known(links: Links, told: Told) -> None:
    """A lost carrier is told a second late; who waited for a neighbour fails 3 s after; a flight takes a minute."""
    news(links, told, 12 * SECOND, DOWN, UP)
    assert [fault.begin_ns for fault in links.faults] == [9_900_000_000]
    assert len(list(links.since(16 * SECOND))) == 1
    assert list(links.since(16 * SECOND + 1)) == []
    news(links, told, 132 * SECOND - 1, UP)
    assert len(links.faults) == 1
    news(links, told, 132 * SECOND, UP)
    assert links.faults == []


def test_where_the_host_forbids_it_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Told:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(module, "Monitor", refuse)
    one = Links()
    one.open(SECOND)
    one.poll(2 * SECOND)
    assert "AF_NETLINK" in (one.problem or "")
    assert one.faults == []
    assert (one.ways([ASK, ASK]), one.neighbour(ASK), one.takes_since(ASK)) == ([0, 0], Neighbour.UNTOLD, 0)
    assert (one.overflows(2), one.resolves(NEAR)) == (None, False)
    one.close()


def test_which_links_ask_for_neighbours(links: Links, told: Told) -> None:
    assert links.takes_since(ASK) == 7
    news(links, told, 12 * SECOND, replace(UP, resolves=True), LinkNews(OTHER, "dummy", True, 0, resolves=True))
    assert [links.resolves(index) for index in (NEAR, OTHER, 99)] == [True, True, False]
    news(links, told, 13 * SECOND, UP, LinkNews(OTHER, "dummy", False, 0, there=False))
    assert [links.resolves(index) for index in (NEAR, OTHER, 99)] == [False, False, False]


def test_a_link_that_comes_back_with_the_number_of_one_that_was_deleted_is_another(links: Links, told: Told) -> None:
    news(links, told, 12 * SECOND, LinkNews(OTHER, "dummy", False, 0, there=False))
    news(links, told, 13 * SECOND, LinkNews(OTHER, "new", True, 5))
    assert [(fault.index, fault.end_ns) for fault in links.faults] == [(OTHER, 13 * SECOND)]
