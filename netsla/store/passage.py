"""One way through the sealed hours of an agreement: links and histograms from the same decoding that gives the records.

    passage = Passage(look, agreement, start_ns, end_ns, histograms=(start_ns, end_ns))
    look.each(agreement, start_ns, end_ns, see=passage.see)      hands over every block that it decodes
    passage.latencies   passage.links()

Rules: reads only. Histograms are those of the blocks, on which links stand, never totals, on which none does. A block
counts once, however often it is seen; blocks that were not handed over are fetched when links are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netsla.model import SECOND, IntArray
from netsla.sla.histogram import BUCKETS
from netsla.sla.tally import Spectrum
from netsla.store import chain
from netsla.store.archive import Look
from netsla.store.block import Hour
from netsla.store.layout import Lane
from netsla.store.sealing import cut_rows, digest_hour, owners
from netsla.store.stored import Link, StoredBlock
from netsla.store.tables import HOUR


def links_between(look: Look, agreement: str, start_ns: int, end_ns: int) -> list[Link]:
    """The chain of the hours that touch [start, end), whole."""
    return Passage(look, agreement, start_ns, end_ns).links()


class _Seen(NamedTuple):
    """What a link needs of a block."""

    hour: int
    seconds: int
    lanes: tuple[Lane, ...]
    figures: bytes
    stored: bytes
    hash: bytes


class Passage:
    """The hours that touch [start, end), of one agreement; `histograms` is the part of them that is summed.

    `latencies`: BUCKETS counts by (endpoint, probe), to the hour where it is sealed; whole for an endpoint as soon as
    its records were read.
    """

    def __init__(
        self, look: Look, agreement: str, start_ns: int, end_ns: int, histograms: tuple[int, int] | None = None
    ) -> None:
        self._look, self._agreement = look, agreement
        self._hours, self._summed = _hours(start_ns, end_ns), range(0)
        self._seen: dict[int, _Seen] = {}
        self.latencies: dict[tuple[str, str], IntArray] = {}
        if histograms is not None:
            self._summed = _hours(*histograms)
            for cell, layout in look.cells(histograms[0] // SECOND, -(-histograms[1] // SECOND)):
                mine = {row: lane for lane, row in layout.rows.items() if lane.agreement == agreement}
                self._add(mine, _by_lane(cell.spectrum, max(len(layout.lanes), 1)))

    def see(self, block: StoredBlock, hour: Hour) -> None:
        """Take what a block tells; `hour` is what it decodes to."""
        if block.hour not in self._hours or block.id in self._seen:
            return
        found = _of_agreement(block, hour, self._agreement)
        if found is None:
            return
        self._seen[block.id] = found
        if block.hour in self._summed:
            mine = {row: lane for row, lane in enumerate(block.lanes) if lane.agreement == self._agreement}
            self._add(mine, block.latencies(hour))

    def links(self) -> list[Link]:
        """The chain of these hours, in its order; raises BrokenError."""
        numbers = self._look.chained(self._agreement, self._hours)
        for number in numbers:
            if number not in self._seen:
                block = self._look.block(number)
                self.see(block, block.hours())
        return list(self._linked([number for number in numbers if number in self._seen]))

    def _linked(self, numbers: list[int]) -> Iterator[Link]:
        before = -1
        for number in numbers:
            one = self._seen[number]
            if before >= 0 and not self._look.has_between(before, number, self._agreement):
                previous = self._seen[before].hash
            else:
                previous = self._look.previous(number, self._agreement)
            yield Link(number, one.hour, one.seconds, one.lanes, previous, one.figures, one.stored, one.hash)
            before = number

    def _add(self, lanes: dict[int, Lane], counts: IntArray) -> None:
        for row, lane in lanes.items():
            key = (lane.endpoint, lane.probe)
            mine = counts[row]
            self.latencies[key] = self.latencies[key] + mine if key in self.latencies else mine.copy()


def _hours(start_ns: int, end_ns: int) -> range:
    return range(start_ns // SECOND // HOUR, -(-end_ns // SECOND // HOUR))


def _of_agreement(block: StoredBlock, hour: Hour, agreement: str) -> _Seen | None:
    for name, first, last in owners(block.lanes):
        if name == agreement:
            lanes = block.lanes[first:last]
            digest = digest_hour(block.hour, block.seconds, lanes, cut_rows(hour, first, last))[agreement]
            stored = chain.stored_digest(block.lane_ids, block.figures, block.spectrum)
            return _Seen(block.hour, block.seconds, lanes, digest, stored, block.link_of(agreement))
    return None


def _by_lane(spectrum: Spectrum, lanes: int) -> IntArray:
    """A cell's histogram as (lanes, BUCKETS)."""
    return np.bincount(spectrum.keys, spectrum.counts, lanes * BUCKETS).astype(np.int64).reshape(lanes, BUCKETS)
