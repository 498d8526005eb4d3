"""What happens to a probe on the wire, by the class of its endpoint: pure and repeatable.

The class is the last byte of the endpoint's address, `ordinal` counts the endpoint's probes from 0, `second` is
the wire's age in seconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fate:
    """One probe's fate. Delays are seconds from request to reply; `copies` are delays of further copies."""

    lost: bool = False
    delay: float = 0.0
    copies: tuple[float, ...] = ()
    corrupt: bool = False
    forged_sources: int = 0
    forged_nonces: int = 0
    unreachable: bool = False
    extra: dict[str, int] = field(default_factory=dict)


LATE = 1.6  # seconds: beyond the labs' time limit of 1 s
BLACKOUT = (20.0, 26.0)


def constant(_ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.020)


def jitter(ordinal: int, _second: float) -> Fate:
    return Fate(delay=random.Random(ordinal).uniform(0.005, 0.030))


def every_tenth_lost(ordinal: int, _second: float) -> Fate:
    return Fate(lost=ordinal % 10 == 9, delay=0.010)


def blackout(_ordinal: int, second: float) -> Fate:
    return Fate(lost=BLACKOUT[0] <= second < BLACKOUT[1], delay=0.010)


def duplicates(ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.010, copies=(0.012, 0.200) if ordinal % 5 == 4 else ())


def late(ordinal: int, _second: float) -> Fate:
    return Fate(delay=LATE if ordinal % 7 == 6 else 0.010)


def corrupt(ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.010, corrupt=ordinal % 9 == 8)


def forged_source(_ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.030, forged_sources=2)


def forged_nonce(_ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.030, forged_nonces=2)


def mixture(ordinal: int, second: float) -> Fate:
    base = jitter(ordinal, second)
    return Fate(lost=ordinal % 13 == 12, delay=base.delay, copies=(LATE + 0.1,) if ordinal % 6 == 5 else ())


def unreachable(ordinal: int, _second: float) -> Fate:
    return Fate(delay=0.010, unreachable=ordinal % 4 == 3)


CLASSES = (
    constant,
    jitter,
    every_tenth_lost,
    blackout,
    duplicates,
    late,
    corrupt,
    forged_source,
    forged_nonce,
    mixture,
    unreachable,
)


def fate_of(address: bytes, ordinal: int, second: float) -> Fate:
    """The fate of a probe to a packed address; addresses beyond the classes are answered at once."""
    number = address[-1]
    return CLASSES[number](ordinal, second) if number < len(CLASSES) else Fate()
