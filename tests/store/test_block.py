"""Sealed hours: exact for whatever was counted, and small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.sla.histogram import BUCKETS, bucket_of
from netsla.sla.tally import Column, Spectrum
from netsla.store.block import (
    Hour,
    decode_alike,
    decode_figures,
    decode_spectrum,
    encode_figures,
    encode_spectrum,
    sum_spectrum,
)
from netsla.store.press import BrokenError
from netsla.store.sealing import gather
from tests.store.cells import HOUR_K, cells, layout


def made(lanes: int, slots: int, seed: int, top: int) -> tuple[Hour, Spectrum]:
    """Any figures that a tally could hold, gaps included."""
    random = np.random.default_rng(seed)
    shape = (lanes, slots)
    present = random.random(shape) < random.choice([0.0, 0.5, 1.0])
    sent = random.integers(0, top, shape)
    received = np.minimum(random.integers(0, top, shape), sent)
    rtt = [random.integers(0, 20_000_000, int(n)) for n in received.reshape(-1)]
    silent = received == 0

    def of(function: str) -> np.ndarray:
        return np.array([getattr(r, function)() if len(r) else 0 for r in rtt], np.int64).reshape(shape)

    extra = [random.integers(0, top, shape) for _ in range(3)]
    jitter = random.integers(0, 2**40, shape)
    pairs = np.minimum(random.integers(0, top, shape), received)
    limits = [np.minimum(random.integers(0, top, shape), received) for _ in range(2)]
    matrix = np.array([sent, received, *extra, of("sum"), jitter, pairs, *limits])
    low, high = np.where(silent, -1, of("min")), np.where(silent, -1, of("max"))
    standing, reason = random.integers(-1, 2, shape), random.integers(0, 256, shape)
    matrix[:, ~present] = 0
    keys = [
        np.full(len(r), cell) * BUCKETS + bucket_of(r)
        for cell, r in enumerate(rtt)
        if present.reshape(-1)[cell] and len(r)
    ]
    hour = Hour(present, matrix, *(np.where(present, x, 0) for x in (low, high, standing, reason)))
    return hour, Spectrum.of(np.concatenate([np.empty(0, np.int64), *keys]))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.sampled_from([1, 4, 60]), st.integers(0, 2**32), st.sampled_from([1, 2, 10, 90]))
def test_what_goes_in_comes_out(lanes: int, slots: int, seed: int, top: int) -> None:
    hour, spectrum = made(lanes, slots, seed, top)
    back = decode_figures(encode_figures(hour))
    for name in ("present", "matrix", "rtt_min_us", "rtt_max_us", "standing", "reason"):
        assert np.array_equal(getattr(back, name), getattr(hour, name)), name
    again = decode_spectrum(back, encode_spectrum(hour, spectrum))
    assert np.array_equal(again.keys, spectrum.keys)
    assert np.array_equal(again.counts, spectrum.counts)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), st.sampled_from([1, 4, 60]), st.integers(0, 2**32), st.sampled_from([1, 2, 10, 90]))
def test_the_sum_over_the_hour_is_that_of_its_intervals(lanes: int, slots: int, seed: int, top: int) -> None:
    hour, spectrum = made(lanes, slots, seed, top)
    lane, bucket = spectrum.keys // BUCKETS // slots, spectrum.keys % BUCKETS
    wanted = np.zeros((lanes, BUCKETS), np.int64)
    np.add.at(wanted, (lane, bucket), spectrum.counts)
    assert np.array_equal(sum_spectrum(hour, encode_spectrum(hour, spectrum)), wanted)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.sampled_from([1, 60]), st.lists(st.integers(0, 2**32), min_size=1, max_size=5))
def test_hours_decoded_together_are_those_decoded_alone(lanes: int, slots: int, seeds: list[int]) -> None:
    bodies = [encode_figures(made(lanes, slots, seed, 1 + seed % 90)[0]) for seed in seeds]
    for body, together in zip(bodies, decode_alike(bodies), strict=True):
        alone = decode_figures(body)
        for name in ("present", "matrix", "rtt_min_us", "rtt_max_us", "standing", "reason"):
            assert np.array_equal(getattr(together, name), getattr(alone, name)), name


def test_hours_of_another_shape_are_decoded_one_by_one() -> None:
    hours = [made(3, 60, 1, 60)[0], made(2, 4, 2, 60)[0]]
    found = decode_alike([encode_figures(hour) for hour in hours])
    assert [one.matrix.shape for one in found] == [one.matrix.shape for one in hours]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7), st.integers(0, 2))
def test_a_flipped_bit_never_changes_the_hours_beside_it(place: int, bit: int, which: int) -> None:
    bodies = [encode_figures(made(3, 60, seed, 60)[0]) for seed in (5, 6, 7)]
    wanted = [decode_figures(body).matrix for body in bodies]
    broken = bytearray(bodies[which])
    broken[place % len(broken)] ^= 1 << bit
    bodies[which] = bytes(broken)
    try:
        found = decode_alike(bodies)
    except BrokenError:
        return
    assert all(np.array_equal(found[n].matrix, wanted[n]) for n in range(3) if n != which)


def test_many_lanes_sum_alike() -> None:
    """More keys than two bytes can tell apart."""
    fleet = layout(100)
    hour, spectrum = gather(HOUR_K // 60, 60, fleet, ((cell, fleet) for cell in cells(100, 3)))
    sums = sum_spectrum(hour, encode_spectrum(hour, spectrum))
    assert np.array_equal(sums.sum(axis=1), hour.matrix[Column.RECEIVED].sum(axis=1))
    assert np.array_equal(
        np.flatnonzero(sums), np.unique(spectrum.keys // BUCKETS // 60 * BUCKETS + spectrum.keys % BUCKETS)
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_foreign_bytes_are_named_broken(body: bytes) -> None:
    with pytest.raises(BrokenError):
        decode_figures(body)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_is_broken_or_something_else_but_never_a_crash(place: int, bit: int) -> None:
    hour, spectrum = made(3, 60, 5, 60)
    figures, histogram = bytearray(encode_figures(hour)), bytearray(encode_spectrum(hour, spectrum))
    for body in (figures, histogram):
        body[place % len(body)] ^= 1 << bit
    for read in (
        lambda: decode_figures(bytes(figures)),
        lambda: decode_spectrum(hour, bytes(histogram)),
        lambda: sum_spectrum(hour, bytes(histogram)),
    ):
        try:
            read()
        except BrokenError:
            continue


@pytest.mark.parametrize("lanes", [16, 160])
def test_a_minute_of_a_probe_takes_under_13_bytes(lanes: int) -> None:
    # 20 MB a day for 1,000 probes are 13.9 bytes an interval, of which totals and the file's pages take 1.3
    fleet = layout(lanes)
    hour, spectrum = gather(HOUR_K // 60, 60, fleet, ((cell, fleet) for cell in cells(lanes, 60)))
    size = len(encode_figures(hour)) + len(encode_spectrum(hour, spectrum))
    assert size / (lanes * 60) < 12.6
    assert int(spectrum.counts.sum()) == int(hour.matrix[Column.RECEIVED].sum())
