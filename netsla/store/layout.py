"""Whose figures a cell holds: rows named by identity, so that cells of different days can be put together.

Rules: a *lane* is what a figure belongs to for ever: agreement, endpoint, probe and the latency thresholds
counted. A layout is one lane per row; rows not in use hold None. An identity is `agreement/endpoint/probe`;
our own references (`reference/name`) belong to no agreement (""). Row numbers mean nothing outside a layout.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from netsla.model import IntArray
from netsla.sla.fleet import Fleet
from netsla.sla.histogram import BUCKETS
from netsla.sla.interval import NO_REASON, Cell
from netsla.sla.tally import Column, Spectrum


class Lane(NamedTuple):
    """The owner of one series of figures; orders by name."""

    agreement: str
    endpoint: str
    probe: str
    thresholds_us: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """The identity as probers know it."""
        return "/".join(part for part in self[:3] if part)

    @staticmethod
    def of(key: str, thresholds_us: tuple[int, ...] = ()) -> Lane:
        """The lane of an identity."""
        first, second, *rest = key.split("/")
        agreement, endpoint, probe = (first, second, rest[0]) if rest else ("", first, second)
        return Lane(agreement, endpoint, probe, thresholds_us)


@dataclass(frozen=True, eq=False)
class Layout:
    """One lane per row. Make it once per reload and keep handing in the same object."""

    lanes: tuple[Lane | None, ...]
    _maps: dict[int, tuple[Layout, IntArray]] = field(default_factory=dict, repr=False)

    @staticmethod
    def of_keys(keys: tuple[str, ...], thresholds_us: tuple[tuple[int, ...], ...]) -> Layout:
        """By row: identities ("" for a row not in use) and their thresholds."""
        return Layout(tuple(Lane.of(k, t) if k else None for k, t in zip(keys, thresholds_us, strict=True)))

    @staticmethod
    def of_fleet(fleet: Fleet) -> Layout:
        """The layout of a running fleet."""
        lanes: list[Lane | None] = [None] * fleet.rows
        for probe in fleet.watched:
            lanes[probe.row] = Lane.of(probe.key, probe.thresholds_us)
        return Layout(tuple(lanes))

    @cached_property
    def text(self) -> str:
        """The same for equal layouts."""
        return json.dumps([lane and [*lane[:3], *lane.thresholds_us] for lane in self.lanes], separators=(",", ":"))

    @staticmethod
    def read(text: str) -> Layout:
        """The layout that `text` tells."""
        return Layout(tuple(Lane(row[0], row[1], row[2], tuple(row[3:])) if row else None for row in json.loads(text)))

    @cached_property
    def depth(self) -> int:
        """The most thresholds that any lane has."""
        return max((len(lane.thresholds_us) for lane in self.lanes if lane), default=0)

    @cached_property
    def rows(self) -> dict[Lane, int]:
        """Where each lane sits."""
        return {lane: row for row, lane in enumerate(self.lanes) if lane}

    def onto(self, other: Layout) -> IntArray:
        """For each of our rows its row in `other`; -1 where it has none."""
        known = self._maps.get(id(other))
        if known is None or known[0] is not other:
            found = [other.rows.get(lane, -1) if lane else -1 for lane in self.lanes]
            known = (other, np.array(found, np.int64))
            if len(self._maps) > 8:
                self._maps.clear()
            self._maps[id(other)] = known
        return known[1]


def union(layouts: list[Layout]) -> Layout:
    """Every lane of these layouts once, in order of name."""
    return Layout(tuple(sorted({lane for layout in layouts for lane in layout.lanes if lane})))


def spread(old: Layout, new: Layout, matrix: IntArray, fill: int = 0) -> IntArray:
    """A matrix (columns, old rows) by the rows of `new`, `fill` where there was nothing."""
    target = old.onto(new)[: matrix.shape[1]]
    out = np.full((max(len(matrix), Column.LE + new.depth), len(new.lanes)), fill, np.int64)
    mine = target >= 0
    out[: len(matrix), target[mine]] = matrix[:, mine]
    return out


def spread_row(old: Layout, new: Layout, values: IntArray, fill: int) -> IntArray:
    """One value per row, by the rows of `new`."""
    target = old.onto(new)[: len(values)]
    out = np.full(len(new.lanes), fill, np.int64)
    mine = target >= 0
    out[target[mine]] = values[mine]
    return out


def spread_spectrum(old: Layout, new: Layout, spectrum: Spectrum) -> Spectrum:
    """A histogram by the rows of `new`."""
    row, bucket = np.divmod(spectrum.keys, BUCKETS)
    target = old.onto(new)[row]
    mine = target >= 0
    keys = target[mine] * BUCKETS + bucket[mine]
    order = np.argsort(keys, kind="stable")
    return Spectrum(keys[order], spectrum.counts[mine][order])


def blank(k: int, seconds: int, layout: Layout) -> Cell:
    """A cell in which nothing was measured."""
    rows = len(layout.lanes)
    return Cell(
        k,
        seconds,
        np.zeros((Column.LE + layout.depth, rows), np.int64),
        Spectrum.merge([]),
        np.full(rows, -1, np.int64),
        np.full(rows, -1, np.int64),
        np.full(rows, -1, np.int8),
        np.full(rows, NO_REASON, np.uint8),
    )


def relocate(k: int, seconds: int, parts: Iterable[tuple[Cell, Layout]], new: Layout) -> Cell:
    """Parts of one cell, each of other lanes, as one by the rows of `new`; what no part knows is blank."""
    out = blank(k, seconds, new)
    spectra = []
    for cell, old in parts:
        target = old.onto(new)[: cell.matrix.shape[1]]
        known = target >= 0
        here = target[known]
        depth = min(len(cell.matrix), len(out.matrix))
        out.matrix[:depth, here] = cell.matrix[:depth, known]
        for name in ("rtt_min_us", "rtt_max_us", "standing", "reason"):
            getattr(out, name)[here] = getattr(cell, name)[known]
        spectra.append(spread_spectrum(old, new, cell.spectrum))
    return replace(out, spectrum=spectra[0] if len(spectra) == 1 else Spectrum.merge(spectra))
