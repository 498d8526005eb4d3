"""Made-up cells of a fleet with realistic noise: drift, gamma jitter, spikes, loss. Deterministic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netsla.sla.histogram import BUCKETS, bucket_of
from netsla.sla.interval import NO_REASON, Cell
from netsla.sla.tally import Column, Spectrum
from netsla.store.layout import Layout

HOUR_K = 29_667_000 // 60 * 60  # a cell number (60 s) at the start of an hour: 2026-05-29T02:00Z
START_S = HOUR_K * 60
LIMIT_US = 30_000


def layout(lanes: int, per_agreement: int = 2, first: int = 0) -> Layout:
    """One ping per endpoint, one threshold each."""
    numbers = range(first, first + lanes)
    keys = tuple(f"acme-{n // per_agreement:04d}/site-{n % per_agreement}/ping" for n in numbers)
    return Layout.of_keys(keys, ((LIMIT_US,),) * lanes)


def cells(lanes: int, count: int, k: int = HOUR_K, seed: int = 1, probes: int = 60) -> Iterator[Cell]:
    """Closed cells from number `k` on."""
    random = np.random.default_rng(seed)
    base = random.choice([2e3, 8e3, 15e3, 30e3, 80e3, 150e3], lanes) * random.uniform(0.8, 1.2, lanes)
    spread = random.choice([0.005, 0.02, 0.05, 0.15], lanes, p=[0.35, 0.35, 0.2, 0.1])
    for number in range(k, k + count):
        base *= 1 + 0.00125 * random.normal(0, 1, lanes)
        rtt = base[:, None] + random.gamma(2, 1, (lanes, probes)) * (spread * base / 1.4 + 30)[:, None]
        rtt += (random.random(rtt.shape) < 0.005) * random.exponential(15e3, rtt.shape)
        yield cell(number, np.ceil(rtt).astype(np.int64), random.random(rtt.shape) < 0.001)


def cell(k: int, rtt_us: np.ndarray, lost: np.ndarray, reason: int = NO_REASON) -> Cell:
    """A cell from each probe's RTT; (lanes, probes)."""
    lanes, probes = rtt_us.shape
    matrix = np.zeros((Column.LE + 1, lanes), np.int64)
    matrix[Column.SENT] = probes
    matrix[Column.RECEIVED] = (~lost).sum(axis=1)
    matrix[Column.RTT_SUM] = np.where(lost, 0, rtt_us).sum(axis=1)
    pair = ~lost[:, 1:] & ~lost[:, :-1]
    matrix[Column.JITTER_SUM] = (np.abs(np.diff(rtt_us, axis=1)) * pair).sum(axis=1)
    matrix[Column.JITTER_PAIRS] = pair.sum(axis=1)
    matrix[Column.LE] = (~lost & (rtt_us <= LIMIT_US)).sum(axis=1)
    keys = (np.arange(lanes)[:, None] * BUCKETS + bucket_of(rtt_us))[~lost]
    silent = lost.all(axis=1)
    low = np.where(silent, -1, np.where(lost, 2**60, rtt_us).min(axis=1))
    high = np.where(silent, -1, np.where(lost, -1, rtt_us).max(axis=1))
    known = reason == NO_REASON
    standing = np.where(2 * lost.sum(axis=1) > probes, 0, 1) if known else np.full(lanes, -1)
    return Cell(k, 60, matrix, Spectrum.of(keys), low, high, standing.astype(np.int8), np.full(lanes, reason, np.uint8))


def same(one: Cell, other: Cell) -> bool:
    """Whether two cells hold the same, row by row."""
    names = ("matrix", "rtt_min_us", "rtt_max_us", "standing", "reason")
    alike = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    alike &= np.array_equal(one.spectrum.keys, other.spectrum.keys)
    return alike and np.array_equal(one.spectrum.counts, other.spectrum.counts) and one.k == other.k
