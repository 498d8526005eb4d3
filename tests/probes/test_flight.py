from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.probes import flight
from netsla.probes.flight import Flights


def enter(flights: Flights, count: int) -> range:
    """Probes whose nonce is their number plus 5, all out."""
    first = flights.head
    at = flights.places(first, count)
    numbers = np.arange(first, first + count).astype(np.uint64)
    flights.nonce[at], flights.state[at] = numbers + np.uint64(5), flight.OUT
    flights.row[at] = np.arange(count)
    flights.head += count
    return range(first, first + count)


def run(flights: Flights, numbers: list[int], shift: int = 5) -> slice | None:
    asked = np.array(numbers, np.uint64)
    return flights.run(asked, asked + np.uint64(shift))


def known(flights: Flights, numbers: list[int], shift: int = 5) -> list[bool]:
    asked = np.array(numbers, np.uint64)
    return [bool(one) for one in flights.find(asked, asked + np.uint64(shift))[2]]


@pytest.mark.parametrize("start", [0, (1 << 16) - 700, (1 << 32) - 700, (1 << 62) - 700])
def test_numbers_go_on_over_every_boundary(start: int) -> None:
    flights = Flights(1024)
    flights.head = start
    given_out: list[int] = []
    for _ in range(7):
        given_out += enter(flights, 300)
        kept = given_out[-1024:]
        assert known(flights, kept) == [True] * len(kept)
        older = given_out[:-1024]
        assert known(flights, older) == [False] * len(older)
        coming = list(range(flights.head, flights.head + 2000))
        assert not any(known(flights, coming))
    for far in (1 << 16, 1 << 32):
        assert not any(known(flights, [number + far for number in given_out[-500:]]))
        assert not any(known(flights, [number - far for number in given_out[-500:] if number >= far]))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_any_number_may_be_asked(numbers: list[int]) -> None:
    flights = Flights()
    enter(flights, 1024)
    asked = np.array(numbers, np.uint64)
    place, _, ours = flights.find(asked, asked ^ np.uint64(1 << 40))
    assert ((place >= 0) & (place < flights.size)).all()
    assert not ours.any()


def test_a_wrong_nonce_or_a_free_place_is_not_ours() -> None:
    flights = Flights()
    enter(flights, 10)
    assert known(flights, [3], shift=6) == [False]
    flights.state[3] = flight.FREE
    assert known(flights, [2, 3, 4]) == [True, False, True]


@pytest.mark.parametrize("start", [0, 100, 5000, (1 << 32) - 500])
def test_growing_forgets_nothing(start: int) -> None:
    flights = Flights(1024)
    flights.head = start
    numbers = list(enter(flights, 600)) + list(enter(flights, 400))
    flights.grow(9000)
    assert flights.size == 16384
    assert known(flights, numbers) == [True] * 1000
    more = list(enter(flights, 9000))
    assert known(flights, numbers + more) == [True] * 10_000
    flights.grow(10)
    assert flights.size == 16384


@given(st.integers(0, 2**40), st.integers(0, 1024))
def test_places_are_the_numbers_modulo_the_ring(first: int, count: int) -> None:
    flights = Flights(1024)
    places = np.arange(flights.size)[flights.places(first, count)]
    assert places.tolist() == [number % 1024 for number in range(first, first + count)]


def test_a_run_is_found_whole_or_not_at_all() -> None:
    flights = Flights(1024)
    enter(flights, 700)
    assert run(flights, list(range(300, 700))) == slice(300, 700)
    assert run(flights, [300, 302]) is None
    assert run(flights, [301, 300]) is None
    assert run(flights, [698, 699, 700]) is None  # not yet given
    assert run(flights, [5, 6], shift=6) is None
    flights.state[6] = flight.FREE
    assert run(flights, [5, 6]) is None
    enter(flights, 700)
    assert run(flights, [1022, 1023, 1024]) is None  # around the end of the ring
    assert run(flights, [1024, 1025]) == slice(0, 2)
    assert run(flights, [375, 376]) is None  # overwritten, in part
    assert run(flights, [376, 377]) == slice(376, 378)


def test_what_is_found_is_handed_out_with_its_place() -> None:
    flights = Flights(1024)
    enter(flights, 20)
    asked = np.array([7, 3], np.uint64)
    place, there, ours = flights.find(asked, asked + np.uint64(5))
    assert place.tolist() == there["row"].tolist() == [7, 3]
    assert ours.all()
