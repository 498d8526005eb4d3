"""Who falls silent, and who is heard again."""

from __future__ import annotations

import numpy as np

from netsla.sla.silence import Silence, Silences, Turn

TWO = np.array([7, 9])
NONE = ("", "")


def turns(silences: Silences, silent: list[bool], causes: tuple[str, str], newest: int = 5) -> list[Turn]:
    return silences.watch(TWO, np.array([newest, newest]), np.array(silent), np.array(causes, "<U10"))


def test_each_turn_once() -> None:
    silences = Silences()
    assert turns(silences, [False, False], NONE) == []
    assert turns(silences, [True, False], NONE) == [Turn(7, 5, None, "")]
    assert turns(silences, [True, False], NONE) == []
    assert turns(silences, [True, False], ("excluded", "")) == [], "what was told is not hushed any more"
    assert turns(silences, [False, False], NONE, newest=8) == [Turn(7, 5, 8, "")]
    assert silences.open == {}


def test_hushed_until_the_cause_is_gone() -> None:
    silences = Silences()
    assert turns(silences, [True, True], ("excluded", "")) == [Turn(7, 5, None, "excluded"), Turn(9, 5, None, "")]
    assert silences.open == {7: Silence(5, "excluded"), 9: Silence(5, "")}
    assert turns(silences, [True, True], ("unmeasured", ""), newest=6) == [], "one cause after another"
    assert turns(silences, [True, True], NONE, newest=6) == [Turn(7, 5, None, "")]
    assert silences.open == {7: Silence(5, ""), 9: Silence(5, "")}


def test_the_end_of_what_was_hushed_is_hushed() -> None:
    silences = Silences()
    turns(silences, [True, False], ("excluded", ""))
    assert turns(silences, [False, False], NONE, newest=8) == [Turn(7, 5, 8, "excluded")]
