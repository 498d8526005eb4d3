"""Who falls silent, and who is heard again."""

from __future__ import annotations

import numpy as np

from netsla.sla.silence import Silences, Turn

TWO = np.array([7, 9])


def turns(silences: Silences, silent: list[bool], excluded: list[bool], newest: int = 5) -> list[Turn]:
    return silences.watch(TWO, np.array([newest, newest]), np.array(silent), np.array(excluded))


def test_each_turn_once() -> None:
    silences = Silences()
    assert turns(silences, [False, False], [False, False]) == []
    assert turns(silences, [True, False], [False, False]) == [Turn(7, 5, None, told=True)]
    assert turns(silences, [True, False], [False, False]) == []
    assert turns(silences, [True, False], [True, False]) == [], "what was told is not hushed any more"
    assert turns(silences, [False, False], [False, False], newest=8) == [Turn(7, 5, 8, told=True)]
    assert silences.told == {}


def test_hushed_until_the_time_counts_again() -> None:
    silences = Silences()
    assert turns(silences, [True, True], [True, False]) == [Turn(7, 5, None, told=False), Turn(9, 5, None, told=True)]
    assert (silences.hushed, silences.told) == ({7: 5}, {9: 5})
    assert turns(silences, [True, True], [False, False], newest=6) == [Turn(7, 5, None, told=True)]
    assert silences.hushed == {}
