from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from netsla.model import SECOND
from netsla.probes.channel import Options
from netsla.probes.session import DARK_NS, PER_SECOND, SUSPICIOUS, Sessions, Suspect
from tests.probes.wiring import Namespace, Wire

START = 1000 * SECOND
SUSPECT = Suspect(2, Options(4), "10.1.0.1")


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    one = Sessions()
    one.cover(5000)
    yield one
    one.close()


def rows(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def darken(sessions: Sessions, *numbers: int, until: int = START + DARK_NS) -> None:
    """Missed once a second until then."""
    for at in range(START, until + 1, SECOND):
        sessions.missed(rows(*numbers), at)


def test_only_what_is_dark_for_long_enough_is_suspect(sessions: Sessions) -> None:
    darken(sessions, 2, until=START + DARK_NS - SECOND)
    assert sessions.streak[2] >= SUSPICIOUS
    assert sessions.idle
    sessions.missed(rows(2), START + DARK_NS)
    assert not sessions.idle
    assert sessions.next_row(START + DARK_NS) == 2
    assert sessions.next_row(START + DARK_NS) is None


def test_an_answer_clears_the_suspicion(sessions: Sessions) -> None:
    darken(sessions, 2)
    sessions.heard(rows(2), START + DARK_NS)
    assert sessions.next_row(START + DARK_NS) is None
    assert sessions.streak[2] == 0


def test_a_row_that_is_somebody_else_starts_anew(sessions: Sessions) -> None:
    darken(sessions, 2)
    sessions.forget(np.array([2]))
    assert sessions.next_row(START + DARK_NS) is None
    sessions.missed(rows(2), START + 10 * DARK_NS)
    assert sessions.idle


def test_checks_grow_rarer_the_longer_it_is_dark(sessions: Sessions) -> None:
    asked = []
    for at in range(START, START + 2000 * SECOND, SECOND):
        sessions.missed(rows(2), at)
        if sessions.next_row(at) is not None:
            asked.append((at - START) // SECOND)
    assert np.diff(asked).tolist() == [10, 20, 40, 80, 160, 320, 600, 600]


def test_a_mass_failure_is_asked_slowly(sessions: Sessions) -> None:
    darken(sessions, *range(5000))
    now, asked = START + DARK_NS, 0
    for tick in range(100):
        while sessions.next_row(now + tick * SECOND // 100) is not None:
            asked += 1
    assert asked <= 2 * PER_SECOND + 1
    assert len(sessions._queue) <= 10 * PER_SECOND


@pytest.mark.netns
@pytest.mark.parametrize("raw", [False, True])
def test_an_answer_to_a_fresh_id_is_found_on_its_own_socket(wire: Wire, sessions: Sessions, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    darken(sessions, 2)
    sessions.ask(SUSPECT, START)
    (echo,) = wire.echoes()
    for forged in (echo.icmp[:-8] + bytes(8), echo.icmp[:-16] + bytes(8) + echo.icmp[-8:]):
        wire.answer(echo, icmp=forged)
    assert sessions.answers(START) == []
    wire.answer(echo)
    assert sessions.answers(START) == [(SUSPECT, Options(4, generation=1))]
    wire.answer(echo)
    assert sessions.answers(START) == []


@pytest.mark.netns
def test_an_answer_from_elsewhere_proves_nothing(wire: Wire, sessions: Sessions) -> None:
    darken(sessions, 2)
    sessions.ask(SUSPECT, START)
    (echo,) = wire.echoes()
    wire.answer(echo, source="10.1.0.2")
    assert sessions.answers(START) == []
    wire.answer(echo, kind=13)
    assert sessions.answers(START) == []


@pytest.mark.netns
def test_silence_is_forgotten_and_the_socket_closed(wire: Wire, sessions: Sessions) -> None:
    darken(sessions, 2)
    sessions.ask(SUSPECT, START)
    (echo,) = wire.echoes()
    assert sessions.answers(START + 2 * SECOND) == []
    sessions._queue.clear()
    assert sessions.answers(START + 61 * SECOND) == []
    assert sessions.idle
    wire.answer(echo)
    assert sessions.answers(START + 62 * SECOND) == []


@pytest.mark.netns
def test_a_host_that_allows_no_socket_asks_nobody(namespace: Namespace, sessions: Sessions) -> None:
    sessions.ask(Suspect(1, Options(4, source="10.88.0.1"), "10.1.0.1"), START)
    sessions.ask(SUSPECT, START)  # no route
    assert sessions._asked == {}


def test_an_answer_of_another_row_clears_nothing(sessions: Sessions) -> None:
    darken(sessions, 2)
    sessions.heard(rows(1), START + DARK_NS)
    assert sessions.streak[2] >= SUSPICIOUS
    sessions.heard(rows(2), START + DARK_NS)
    assert sessions.streak[2] == 0
    darken(sessions, 2, until=START + SECOND)
    sessions.heard(rows(2), START + DARK_NS)
    assert sessions.streak[2] == 0
