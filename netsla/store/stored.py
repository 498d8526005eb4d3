"""A sealed block as it lies in the ledger, and the links of the agreements in it.

Rules: values only; broken bytes raise BrokenError with the place of the block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray
from netsla.sla.tally import Spectrum
from netsla.store import chain
from netsla.store.block import Hour, Mask, decode_figures, decode_present, decode_spectrum, sum_spectrum
from netsla.store.layout import Lane
from netsla.store.press import BrokenError
from netsla.store.sealing import digest_hour, owners

LINK = 32  # bytes of a link


@dataclass(frozen=True, slots=True)
class Link:
    """One sealed hour of an agreement, in the order of its chain."""

    block: int
    hour: int
    seconds: int
    lanes: tuple[Lane, ...]  # of this agreement, whose figures it seals
    previous: bytes
    figures: bytes  # digest, see chain.figures_digest
    stored: bytes  # digest, see chain.stored_digest
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as it lies there."""

    id: int
    hour: int
    seconds: int
    lanes: tuple[Lane, ...]
    lane_ids: bytes
    figures: bytes
    spectrum: bytes
    links: bytes

    def link_of(self, agreement: str) -> bytes:
        """The link that is stored for an agreement."""
        at = [name for name, _, _ in owners(self.lanes)].index(agreement) * LINK
        return self.links[at : at + LINK]

    def present(self) -> Mask:
        """Which intervals it has, (lanes, slots), without its figures; raises BrokenError with its place."""
        try:
            return decode_present(self.figures)
        except BrokenError as error:
            raise BrokenError(f"{self.place}: {error}") from error

    def hours(self) -> Hour:
        """Its figures; raises BrokenError with its place."""
        try:
            return decode_figures(self.figures)
        except BrokenError as error:
            raise BrokenError(f"{self.place}: {error}") from error

    def histogram(self, hour: Hour) -> Spectrum:
        """Its histogram; raises BrokenError with its place."""
        try:
            return decode_spectrum(hour, self.spectrum)
        except BrokenError as error:
            raise BrokenError(f"{self.place}: {error}") from error

    def latencies(self, hour: Hour, wanted: Mask | None = None) -> IntArray:
        """Its histogram summed over the hour, or over these intervals (lanes, slots) of it: (lanes, BUCKETS).

        Raises BrokenError with its place.
        """
        try:
            return sum_spectrum(hour, self.spectrum, wanted)
        except BrokenError as error:
            raise BrokenError(f"{self.place}: {error}") from error

    @property
    def place(self) -> str:
        """How a broken block is named."""
        first, last = self.lanes[0].agreement, self.lanes[-1].agreement
        whose = first if first == last else f"{first or 'references'} … {last}"
        return f"block {self.id} ({whose or 'references'}, hour {hour_text(self.hour)})"


def links_of(block: StoredBlock, previous: dict[str, bytes]) -> dict[str, Link]:
    """The links of a block by agreement, digests made from what lies there; raises BrokenError."""
    figures = digest_hour(block.hour, block.seconds, block.lanes, block.hours())
    stored = chain.stored_digest(block.lane_ids, block.figures, block.spectrum)
    lanes = {name: block.lanes[first:last] for name, first, last in owners(block.lanes)}
    return {
        name: Link(
            block.id, block.hour, block.seconds, lanes[name], previous[name], digest, stored, block.link_of(name)
        )
        for name, digest in figures.items()
    }


def hour_text(hour: int) -> str:
    """An hour since the epoch as people write it."""
    return f"{np.datetime64(hour, 'h')}:00Z"
