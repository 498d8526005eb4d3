"""Uptime methods (SLA R4 and section 6); both forms are held against one slow and plain reading."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.model import SECOND, UptimeRule
from netsla.sla.standing import Standings
from netsla.sla.uptime import Settled, interval_standing, method_of, settle

CODES = {"G": 1, "B": 0, "U": -1, "x": -2}
SHOWN = {1: "1", 0: "0", -1: "u", -2: "x"}


def series(text: str) -> Standings:
    return np.array([CODES[letter] for letter in text], np.int8)


def sliding(n: int) -> UptimeRule:
    return UptimeRule(profile="custom", method="sliding", n=n)


def outage(intervals: int) -> UptimeRule:
    return UptimeRule(profile="custom", method="outage", minimum_ns=intervals * 60 * SECOND)


INTERVAL = UptimeRule(profile="custom", method="interval")
RULES = st.sampled_from([INTERVAL, *map(sliding, (1, 2, 3, 5)), *map(outage, (1, 2, 3, 5))])
SERIES = st.text("GBUx", max_size=60) | st.text("GBBGGU", max_size=60)


def shown(settled: Settled) -> str:
    return "".join("p" if prov else SHOWN[int(c)] for c, prov in zip(settled.code, settled.provisional, strict=True))


def outages(settled: Settled) -> list[tuple[int, int, int]]:
    return list(zip(settled.first.tolist(), settled.last.tolist(), settled.length.tolist(), strict=True))


# --- section 6 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "down", "available", "all_"),
    [
        ("1/5", [3, 4, 5, 6], (69, 72), (83, 120)),
        ("1/2", [4, 5, 6], (78, 84), (83, 120)),
        ("3/4", [4, 5], (83, 96), (83, 120)),
    ],
)
def test_y1540(limit: str, down: list[int], available: tuple[int, int], all_: tuple[int, int]) -> None:
    sent = np.full(10, 12)
    received = np.array([12, 12, 11, 9, 0, 0, 5, 10, 12, 12])
    rule = UptimeRule(method="interval", loss_over=Fraction(limit))
    settled = settle(interval_standing(sent, received, rule), rule)
    assert np.flatnonzero(settled.code == 0).tolist() == down
    up = settled.code == 1
    assert (int(received[up].sum()), int(sent[up].sum())) == available
    assert (int(received.sum()), int(sent.sum())) == all_


def test_sliding_example() -> None:
    settled = settle(series("GGBBGBBBGBGGGGBG"), sliding(3))
    assert shown(settled) == "11111000001111pp"
    final = settled.code[~settled.provisional]
    assert Fraction(int((final == 1).sum()), len(final)) == Fraction(9, 14)
    assert outages(settled) == [(5, 9, 5)]


def test_outage_example() -> None:
    settled = settle(series("GBGBBGBBBG"), outage(2))
    assert 60 * int((settled.code == 0).sum()) == 300
    assert len(settled.micro) == 1


# --- UNKNOWN, EXCLUDED --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (outage(2), "BUBG", "0u01"),  # one UNKNOWN neither extends nor breaks
        (outage(2), "BUUBG", "1uu11"),  # two close the run: both parts are micro-outages
        (outage(3), "BUBG", "1u11"),  # UNKNOWN does not make it longer
        (outage(3), "BUBUUBG", "0u0uu01"),
        (outage(3), "BBBUUUBG", "000uuu11"),  # after the gap a new run, judged by itself
        (outage(2), "BxxxxBG", "0xxxx01"),  # excluded ones are as if they were not there
        (outage(2), "GBBUUG", "100uu1"),
        (outage(2), "GB", "1p"),
        (outage(2), "GBU", "1pu"),
        (outage(2), "GBUU", "11uu"),
        (sliding(3), "BUUBUBGGG", "0uu0u011" + "1"),
        (sliding(3), "BBUUUBGGGGG", "11uuu111" + "1pp"),
        (sliding(3), "BBBUUUGBGGGGG", "000uuu001" + "11pp"),  # the state outlives the gap (R14)
        (sliding(3), "GBUB", "1pup"),  # the run may still turn
        (sliding(3), "BBBxGxGxGGG", "000x1x1x1pp"),
        (sliding(1), "GBGUB", "101u0"),  # one is enough either way, and nothing waits for more
        (INTERVAL, "GBUBG", "10u01"),
    ],
)
def test_unknown_and_excluded(rule: UptimeRule, text: str, expected: str) -> None:
    got = shown(settle(series(text), rule))
    if rule.method == "sliding" and "p" not in expected:
        got = got.replace("p", "1")
    assert got == expected


def test_an_unknown_inside_keeps_one_outage_and_a_longer_gap_makes_two() -> None:
    assert outages(settle(series("GBBUBG"), outage(2))) == [(1, 4, 3)]
    assert outages(settle(series("GBBUUBBG"), outage(2))) == [(1, 2, 2), (5, 6, 2)]
    assert outages(settle(series("BUBUUB"), INTERVAL)) == [(0, 2, 2), (5, 5, 1)]


def test_an_outage_is_open_until_something_ends_it() -> None:
    assert settle(series("GBB"), outage(2)).open
    assert settle(series("GBBU"), outage(2)).open
    assert not settle(series("GBBUU"), outage(2)).open
    assert not settle(series("GBBG"), outage(2)).open


def test_empty_and_all_unknown() -> None:
    for text in ("", "UUU", "xxx", "UxU"):
        settled = settle(series(text), sliding(3))
        assert not settled.provisional.any()
        assert not len(settled.first)
        assert not (settled.code >= 0).any()


# --- a slow and plain reading -------------------------------------------------------------------------


def plainly(text: str, rule: UptimeRule) -> tuple[str, int]:
    """Present classes and closed micro-outages, read off the rules one interval at a time."""
    method = method_of(rule)
    runs: list[list[int]] = []  # members; a run is broken by another standing or by a gap
    gap, after_gap = 0, set()
    kept = [i for i, letter in enumerate(text) if letter != "x"]
    for i in kept:
        if text[i] == "U":
            gap += 1
            continue
        if not runs or gap > method.gap or text[runs[-1][0]] != text[i]:
            if runs and gap > method.gap:
                after_gap.add(len(runs))
            runs.append([])
        runs[-1].append(i)
        gap = 0
    out, state, micro = ["x" if letter == "x" else "u" for letter in text], "1", 0
    for number, run in enumerate(runs):
        bad = text[run[0]] == "B"
        if number in after_gap and rule.method != "sliding":
            state = "1"
        if len(run) >= (method.falls if bad else method.rises):
            state = "0" if bad else "1"
        elif bad and rule.method == "outage" and (number < len(runs) - 1 or gap > method.gap):
            micro += 1
        for i in run:
            out[i] = state
    return "".join(out), micro


@settings(max_examples=400, deadline=None)
@given(SERIES, RULES)
def test_settle_is_the_plain_reading(text: str, rule: UptimeRule) -> None:
    settled = settle(series(text), rule)
    codes, micro = plainly(text, rule)
    assert "".join(SHOWN[int(c)] for c in settled.code) == codes
    assert len(settled.micro) == micro
    assert int(settled.length.sum()) == codes.count("0")


@settings(max_examples=400, deadline=None)
@given(SERIES, RULES, SERIES)
def test_what_is_not_provisional_never_changes(text: str, rule: UptimeRule, more: str) -> None:
    before, after = settle(series(text), rule), settle(series(text + more), rule)
    final = ~before.provisional
    assert (after.code[: len(text)][final] == before.code[final]).all()


@settings(max_examples=300, deadline=None)
@given(SERIES, RULES, st.data())
def test_more_bad_never_raises_uptime(text: str, rule: UptimeRule, data: st.DataObject) -> None:
    good = [i for i, letter in enumerate(text) if letter == "G"]
    if not good:
        return
    at = data.draw(st.sampled_from(good))
    worse = text[:at] + "B" + text[at + 1 :]
    assert (settle(series(worse), rule).code == 0).sum() >= (settle(series(text), rule).code == 0).sum()


@settings(max_examples=200, deadline=None)
@given(SERIES, RULES, st.randoms(use_true_random=False))
def test_the_contents_of_excluded_time_do_not_matter(text: str, rule: UptimeRule, random: object) -> None:
    kept = series("".join(letter for letter in text if letter != "x"))
    whole = settle(series(text), rule)
    part = settle(kept, rule)
    assert (whole.code[whole.code != -2] == part.code).all()
    assert whole.length.tolist() == part.length.tolist()


def test_interval_runs_are_groups_of_bad() -> None:
    text = "GGBBGBGBBB"
    groups = [len(list(members)) for letter, members in groupby(text) if letter == "B"]
    assert settle(series(text), INTERVAL).length.tolist() == groups
