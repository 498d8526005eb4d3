"""Whole columns of numbers as text: fixed slots of 16 characters, right-aligned, padded with blanks.

Rules: pure and vectorised; no Python loop over values except for the rare ones that fit no slot
otherwise. A slot is two 8-byte words, so that a slot is written by two scattered word stores. Words
are looked up, four digits at a time, in tables made once (1.8 MB), in the host's own byte order.
Times and ratios are fixed point with nine decimals (a nanosecond), sums of times above 10,000 s with six, so that
a year's sum grows by each microsecond; a figure below one is never rounded up to one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint64]
Slots = tuple[WordArray, WordArray]  # first and last eight characters of every slot

SLOT = 16  # characters
WORD = 8  # characters
WHOLE_LIMIT = 10_000  # whole part of a fixed-point figure, exclusive: what the table of words holds
_QUAD = 10_000  # four digits
_OCTET = 100_000_000  # eight digits
_NANO = 1_000_000_000
_MICRO = 1_000_000
_SUM_LIMIT = 1_000_000_000  # whole part of a figure with six decimals, exclusive: nine digits


def integers(values: IntArray) -> Slots:
    """Counters and flags, exact from 0 to 10^16 - 1; anything else in exponent form."""
    if values.size == 0:
        return _nothing()
    odd = (values < 0) | (values >= _OCTET * _OCTET)
    large = np.flatnonzero((values >= _OCTET) & ~odd)
    last = _padded(np.where(values < _OCTET, np.maximum(values, 0), 0))
    first = np.full(len(values), _blank(), np.uint64)
    if large.size:
        high, low = np.divmod(values[large], _OCTET)
        first[large] = _padded(high)
        last[large] = _zero_filled(low)
    return _patched(first, last, odd, values)


def decimals(values: FloatArray) -> Slots:
    """Ratios and seconds with nine decimals, above 10,000 with six; what is larger with nine digits; NaN as `NaN`."""
    if values.size == 0:
        return _nothing()
    size = np.abs(values)
    usual = size < WHOLE_LIMIT  # False for NaN
    size = np.where(usual, size, 0.0)
    nano = np.rint(size * _NANO).astype(np.int64)
    nano[(nano == _NANO) & (size < 1.0)] = _NANO - 1  # 0.9999999999 is not 1
    carried = nano >= WHOLE_LIMIT * _NANO  # 9999.9999999999
    if carried.any():
        nano[carried] -= 1
    rest, low = np.divmod(nano, _OCTET)
    negative = (values < 0) & (nano > 0)
    first = _heads()[rest + negative * (WHOLE_LIMIT * 10)]
    missing = np.isnan(values)
    last = _zero_filled(low)
    first[missing], last[missing] = word(""), word("NaN")
    sums = ~usual & (values > 0) & (values < _SUM_LIMIT - 1)
    if sums.any():
        first[sums], last[sums] = _sums(values[sums])
    return _patched(first, last, ~usual & ~missing & ~sums, values)


def _sums(values: FloatArray) -> Slots:
    """10,000 to 10^9, with six decimals."""
    whole, micro = np.divmod((values * _MICRO + 0.5).astype(np.int64), _MICRO)
    tens, ones = np.divmod(whole, 10)
    high, low = np.divmod(micro, _QUAD)
    return _padded(tens), _middles()[ones * 100 + high] | _filled_quads()[1][low]


def word(text: str) -> np.uint64:
    """Eight characters as one word."""
    return np.uint64(np.frombuffer(text.encode("ascii").rjust(WORD), np.uint64)[0])


def _patched(first: WordArray, last: WordArray, odd: npt.NDArray[np.bool_], values: IntArray | FloatArray) -> Slots:
    """Write the rare figures, one by one, in a form that always fits sixteen characters."""
    for at in np.flatnonzero(odd).tolist():
        pair = np.frombuffer(_plain(float(values[at])).encode("ascii"), np.uint64)
        first[at], last[at] = pair[0], pair[1]
    return first, last


def _plain(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return f"{'+' if value > 0 else '-'}Inf".rjust(SLOT)
    return f"{value:.9g}".rjust(SLOT)  # at its longest -1.23456789e+308


def _padded(values: IntArray) -> WordArray:
    """0 to 10^8 - 1, right-aligned in eight characters."""
    high, low = np.divmod(values, _QUAD)
    heads, tails = _quads()
    padded: WordArray = heads[high] | tails[low + _QUAD * (high == 0)]
    return padded


def _zero_filled(values: IntArray) -> WordArray:
    """0 to 10^8 - 1 as exactly eight digits."""
    high, low = np.divmod(values, _QUAD)
    heads, tails = _filled_quads()
    filled: WordArray = heads[high] | tails[low]
    return filled


def _nothing() -> Slots:
    return np.empty(0, np.uint64), np.empty(0, np.uint64)


@cache
def _blank() -> np.uint64:
    return word("")


def _words(texts: list[str]) -> WordArray:
    return np.frombuffer("".join(texts).encode("ascii"), np.uint64)


@cache
def _quads() -> Slots:
    """First halves (zero is blank) and last halves (zero-filled, then blank-padded) of a padded word."""
    heads = _words([f"{n:4d}\0\0\0\0" if n else "    \0\0\0\0" for n in range(_QUAD)])
    filled = [f"\0\0\0\0{n:04d}" for n in range(_QUAD)]
    return heads, _words(filled + [f"\0\0\0\0{n:4d}" for n in range(_QUAD)])


@cache
def _filled_quads() -> Slots:
    heads = _words([f"{n:04d}\0\0\0\0" for n in range(_QUAD)])
    return heads, _words([f"\0\0\0\0{n:04d}" for n in range(_QUAD)])


@cache
def _middles() -> WordArray:
    """First halves of the last word of a figure with six decimals: its last whole digit and two decimals."""
    return _words([f"{n // 100}.{n % 100:02d}\0\0\0\0" for n in range(1000)])


@cache
def _heads() -> WordArray:
    """The first word of a fixed-point figure by its whole part and first decimal; then the same, negative."""
    tenths = range(WHOLE_LIMIT * 10)
    plus = [f"{n // 10:6d}.{n % 10}" for n in tenths]
    return _words(plus + [f"{f'-{n // 10}':>6}.{n % 10}" for n in tenths])
