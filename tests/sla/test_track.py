"""The running machine against a plain, slow reading of SLA R4 over the whole series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import SECOND, UptimeRule
from netsla.sla.fleet import Roster
from netsla.sla.track import DOWN, UNKNOWN, UP, Track, machine_of
from netsla.sla.uptime import settle
from tests.sla.builders import plan

LETTERS = {"G": 1, "B": 0, "U": -1}


def run(rule: UptimeRule, *series: str) -> list[str]:
    """The classes after the last interval, one letter each, of several endpoints in one track."""
    track = Track()
    track.load(Roster().lay_out(plan(len(series), rule=rule), 0))
    classes = np.full((len(series[0]), len(series)), -1)
    for k, letters in enumerate(zip(*series, strict=True)):
        standing = np.array([LETTERS[letter] for letter in letters], np.int8)
        for turn in track.push(k, standing, np.ones(len(series), bool)):
            keep = turn.places[classes[turn.k, turn.places] != UNKNOWN]
            classes[turn.k, keep] = turn.code
    return ["".join({UP: "u", DOWN: "d", UNKNOWN: "?"}[code] for code in column) for column in classes.T]


def plain(rule: UptimeRule, series: str) -> str:
    """R4 read word by word: find the runs, turn at their onset."""
    falls, rises, gap = machine_of(rule)
    classes, down, onset, run_length, silent = list("?" * len(series)), False, 0, 0, 0
    for k, letter in enumerate(series):
        if letter == "U":
            silent += 1
            if silent > gap:
                down, run_length = down and rule.method == "sliding", 0
            continue
        silent = 0
        against = letter == ("G" if down else "B")
        onset = k if against and run_length == 0 else onset
        run_length = run_length + 1 if against else 0
        classes[k] = "d" if down else "u"
        if run_length and run_length >= (rises if down else falls):
            down, run_length = not down, 0
            for i in range(onset, k + 1):
                if series[i] != "U":
                    classes[i] = "d" if down else "u"
    return "".join(classes)


rules = st.sampled_from(
    [
        UptimeRule("", "interval"),
        UptimeRule("", "sliding", n=3),
        UptimeRule("mef", "sliding", n=10),
        UptimeRule("", "outage", minimum_ns=120 * SECOND),
        UptimeRule("", "outage", minimum_ns=300 * SECOND),
    ]
)
letters = st.text("GBU", min_size=12, max_size=60)


@given(rules, st.data())
def test_the_machine_says_what_a_plain_reading_says(rule: UptimeRule, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 50))
    series = [data.draw(st.text("GBU", min_size=length, max_size=length)) for _ in range(3)]
    assert run(rule, *series) == [plain(rule, one) for one in series]


@given(rules, st.text("GBU", min_size=1, max_size=80))
def test_the_machine_agrees_with_the_settlement(rule: UptimeRule, series: str) -> None:
    """Live windows and reports say the same of every interval."""
    settled = settle(np.array([LETTERS[letter] for letter in series], np.int8), rule)
    assert run(rule, series)[0] == "".join({1: "u", 0: "d", -1: "?"}[code] for code in settled.code.tolist())


@pytest.mark.parametrize(
    ("rule", "series", "classes"),
    [
        (UptimeRule("", "sliding", n=3), "GGBBGBBBGBGGGGBG", "uuuuudddddu" + "uuuuu"),  # SLA section 6
        (UptimeRule("", "outage", minimum_ns=120 * SECOND), "GBGBBGBBBG", "uuuddudddu"),
        (UptimeRule("", "interval"), "GBU", "ud?"),
        (UptimeRule("", "outage", minimum_ns=120 * SECOND), "BUB", "d?d"),
        (UptimeRule("", "outage", minimum_ns=120 * SECOND), "BUUB", "u??u"),
        (UptimeRule("", "outage", minimum_ns=120 * SECOND), "BBUUB", "dd??u"),
    ],
)
def test_worked_by_hand(rule: UptimeRule, series: str, classes: str) -> None:
    assert run(rule, series) == [classes]


@given(letters, st.integers(0, 11))
def test_more_bad_intervals_never_give_less_down_time(series: str, at: int) -> None:
    rule = UptimeRule("", "outage", minimum_ns=120 * SECOND)
    worse = series[:at] + "B" + series[at + 1 :]
    if series[at] != "U":
        assert run(rule, worse)[0].count("d") >= run(rule, series)[0].count("d")


def test_an_outage_knows_its_onset() -> None:
    track = Track()
    track.load(Roster().lay_out(plan(), 0))
    for k, standing in enumerate((1, 0, 0, 0)):
        list(track.push(k, np.array([standing], np.int8), np.array([True])))
    assert (track.down.tolist(), track.since_k.tolist()) == ([True], [1])
