"""What happened to this host's own links and addresses: since when, until when, and whose flights that concerns.

Rules: pure bookkeeping over rtnetlink's news. A fault concerns what left by that link, or from an address that the link
holds, and nothing else: the flapping link of a container excuses nobody's loss. The kernel tells of a lost carrier up
to a second late (net/core/link_watch.c), but counts it at once: so a link is asked how it is (`look`) before anything
that left by it is called lost, and a fault begins, for us, when the link was last known to be well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import MILLISECOND, SECOND, IntArray, Reason
from netsla.probes.netlink import AddressNews, Ask, Inquiry, LinkNews, Monitor, Neighbour, News

GRACE_NS = 50 * MILLISECOND  # within which everything else is told; no probe is called lost before it has passed
_LAG_NS = 1_100 * MILLISECOND  # after which the kernel has told of a lost carrier
FOREVER = 1 << 61
SETTLE_NS = 4 * SECOND
"""A neighbour that is asked for in vain while a link is down fails what waits for it 3 s later, though it is back."""
_REMEMBER_NS = 120 * SECOND  # longer than any flight


@dataclass(slots=True)
class Fault:
    """Link `index` (0: none), and these source addresses, were not to be used between two instants (monotonic ns)."""

    index: int
    sources: frozenset[int]
    begin_ns: int
    end_ns: int
    reason: Reason
    over: int = 0  # bytes of IP packet: only what is longer is concerned

    def concerns(self, link: npt.NDArray[np.uint32], source: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which of these flights left by that link or from such an address; 0: it never left."""
        left: npt.NDArray[np.bool_] = link != 0
        hit: npt.NDArray[np.bool_] = left & (link == self.index)
        if self.sources:
            hit |= left & np.isin(source, np.array(list(self.sources), np.uint64))
        return hit

    def during(self, begin: IntArray, end: IntArray, after_ns: int = 0) -> npt.NDArray[np.bool_]:
        """Which of these spans (monotonic ns) it falls into, or the time just after it."""
        hit: npt.NDArray[np.bool_] = (begin <= self.end_ns + after_ns) & (end >= self.begin_ns)
        return hit


class Links:
    """Links, addresses, and what befell them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._links: dict[int, LinkNews] = {}
        self._addresses: set[tuple[int, int]] = set()  # link, word
        self._narrow: set[int] = set()  # words of addresses that nobody beyond a link, or this host, can answer
        self._seen_ns = 0
        self._well_ns: dict[int, int] = {}  # by link: when it was last asked, and was well
        self._monitor: Monitor | None = None
        self._inquiry: Inquiry | None = None
        self._problem: OSError | None = None

    def open(self, mono_ns: int) -> None:
        """Begin to watch, in the network namespace of the calling thread."""
        try:
            self._monitor, self._inquiry = Monitor(), Inquiry()
        except OSError as error:
            self._problem = error
            return
        self._seen_ns = mono_ns
        for news in self._monitor.survey():
            self._take(news, mono_ns)

    @property
    def problem(self) -> str | None:
        """Why links are not watched, and the remedy."""
        if self._problem is None:
            return None
        return (
            f"our own links are not watched ({self._problem.strerror}): what is in flight when one goes down "
            "counts as lost; allow AF_NETLINK (RestrictAddressFamilies= of the unit)"
        )

    def poll(self, mono_ns: int) -> None:
        """Take in what happened up to now; costs a microsecond if nothing did."""
        if self._monitor is None:
            return
        news = self._monitor.read()
        if news is None:
            self._compare(self._monitor.survey(), mono_ns)
        elif news:
            self.tell(news, mono_ns)
        self._seen_ns = mono_ns

    def look(self, indices: Iterable[int], mono_ns: int) -> None:
        """Ask these links how they are now; some 20 us each."""
        for index in indices:
            news = self._inquiry.link(index) if self._inquiry is not None and index else None
            if news is not None:
                self.tell([news], mono_ns)
                if news.usable:
                    self._well_ns[index] = mono_ns

    def ways(self, asks: Sequence[Ask]) -> list[int]:
        """See :meth:`netsla.probes.netlink.Inquiry.ways`; where links are not watched nothing can be told."""
        return self._inquiry.ways(asks) if self._inquiry is not None else [0] * len(asks)

    def neighbour(self, ask: Ask) -> Neighbour:
        """See :meth:`netsla.probes.netlink.Inquiry.neighbour`."""
        return self._inquiry.neighbour(ask) if self._inquiry is not None else Neighbour.UNTOLD

    def takes_since(self, ask: Ask) -> int:
        """See :meth:`netsla.probes.netlink.Inquiry.takes_since`."""
        return self._inquiry.takes_since(ask) if self._inquiry is not None else 0

    def overflows(self, family: int) -> int | None:
        """See :meth:`netsla.probes.netlink.Inquiry.overflows`."""
        return self._inquiry.overflows(family) if self._inquiry is not None else None

    def resolves(self, index: int) -> bool:
        """Whether neighbours on this link are asked for their hardware addresses."""
        link = self._links.get(index)
        return link is not None and link.resolves

    def tell(self, news: list[News], mono_ns: int) -> None:
        """These happened between the last reading and now."""
        self.faults = [fault for fault in self.faults if fault.end_ns > mono_ns - _REMEMBER_NS]
        for one in news:
            self._take(one, mono_ns)

    def _compare(self, present: list[News], mono_ns: int) -> None:
        """News were lost: what differs has happened."""
        links = {one.index for one in present if isinstance(one, LinkNews)}
        held = {(one.index, one.word) for one in present if isinstance(one, AddressNews)}
        gone: list[News] = [LinkNews(index, "", False, 0, False) for index in self._links if index not in links]
        gone += [AddressNews(index, word, False) for index, word in self._addresses - held]
        self.tell(present + gone, mono_ns)

    def _take(self, news: News, mono_ns: int) -> None:
        if isinstance(news, LinkNews):
            self._take_link(news, mono_ns)
        elif news.there:
            self._addresses.add((news.index, news.word))
            if news.narrow:
                self._narrow.add(news.word)
        elif (news.index, news.word) in self._addresses:
            self._addresses.remove((news.index, news.word))
            if not self.owns(news.word):
                self._fault(0, frozenset({news.word}), mono_ns, mono_ns, Reason.SOURCE_GONE)

    def _take_link(self, news: LinkNews, mono_ns: int) -> None:
        old = self._links.get(news.index)
        for fault in self.faults:
            if fault.index == news.index and fault.end_ns == FOREVER and news.usable:
                fault.end_ns = mono_ns
        if not news.usable and (old is None or old.usable):
            self._fault(news.index, self._held_by(news.index), mono_ns, FOREVER, Reason.INTERFACE_DOWN)
        elif news.usable and old is not None and old.usable and old.losses != news.losses:
            self._fault(news.index, self._held_by(news.index), mono_ns, mono_ns, Reason.INTERFACE_DOWN)
        if news.usable and old is not None and news.mtu < old.mtu:
            self._fault(news.index, frozenset(), mono_ns, mono_ns, Reason.MESSAGE_TOO_LONG)
            self.faults[-1].over = news.mtu
        if news.there:
            self._links[news.index] = news
        else:
            self._links.pop(news.index, None)
            self._well_ns.pop(news.index, None)

    def _fault(self, index: int, sources: frozenset[int], now_ns: int, end_ns: int, reason: Reason) -> None:
        lag = _LAG_NS if reason is Reason.INTERFACE_DOWN else GRACE_NS
        begin = max(min(self._seen_ns, now_ns) - lag, self._well_ns.get(index, 0))
        self.faults.append(Fault(index, sources, begin, end_ns, reason))

    def _held_by(self, index: int) -> frozenset[int]:
        """The addresses that no other link holds, too."""
        others = {word for link, word in self._addresses if link != index}
        return frozenset(word for link, word in self._addresses if link == index) - others

    def owns(self, word: int) -> bool:
        """Whether this is an address of our own host."""
        return any(word == held for _, held in self._addresses)

    def is_narrow(self, word: int) -> bool:
        """Whether this source cannot be answered from afar: what the kernel takes where we have no better address."""
        return word == 0 or word in self._narrow

    @property
    def narrow(self) -> npt.NDArray[np.uint64]:
        """All such sources."""
        return np.array(sorted(self._narrow), np.uint64)

    def since(self, begin_ns: int) -> Iterator[Fault]:
        """The faults that were not over, and settled, then (monotonic ns)."""
        return (fault for fault in self.faults if fault.end_ns + SETTLE_NS >= begin_ns)

    def close(self) -> None:
        """Stop watching."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._inquiry is not None:
            self._inquiry.close()
            self._inquiry = None
