"""The running form of the uptime methods agrees with the whole-series form, interval by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.model import UptimeRule
from netsla.sla.standing import Standings
from netsla.sla.uptime import settle
from netsla.sla.uptrack import NOT_DOWN, PENDING, UptimeTrack
from tests.sla.test_uptime import INTERVAL, RULES, SERIES, outage, outages, series, sliding

FIRST = 1000  # number of the first interval


@dataclass
class Ran:
    """What a track said: books (T, places), ended outages and micro-outages by place."""

    track: UptimeTrack
    books: Standings
    ended: list[list[tuple[int, int, int]]]
    micro: list[int]


def run(texts: list[str], rules: list[UptimeRule], *, stop: int | None = None) -> Ran:
    """Push series of one length; at `stop` the track is put away and restored."""
    matrix = np.array([series(text) for text in texts], np.int8).reshape(len(texts), -1).T
    ran = Ran(_begun(rules), np.full(matrix.shape, -9, np.int8), [[] for _ in texts], [0] * len(texts))
    for t, standing in enumerate(matrix):
        if t == stop:
            state = ran.track.state()
            ran.track = _begun(rules)
            ran.track.restore(state)
        step = ran.track.push(FIRST + t, standing)
        ran.books[t] = step.code
        ran.books[step.changed_k - FIRST, step.changed_place] = step.changed_code
        over = step.ended
        for place, first, last, length in zip(over.place, over.first_k, over.last_k, over.length, strict=True):
            ran.ended[place].append((int(first) - FIRST, int(last) - FIRST, int(length)))
        for place in step.micro_place.tolist():
            ran.micro[place] += 1
    return ran


def _begun(rules: list[UptimeRule]) -> UptimeTrack:
    track = UptimeTrack()
    track.resize(len(rules))
    track.begin(range(len(rules)), rules)
    return track


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SERIES, RULES), min_size=1, max_size=6), st.data())
def test_both_forms_agree_at_every_instant(places: list[tuple[str, UptimeRule]], data: st.DataObject) -> None:
    shortest = min(len(text) for text, _ in places)
    texts, rules = [text[:shortest] for text, _ in places], [rule for _, rule in places]
    stop = data.draw(st.integers(0, max(shortest, 1)))
    ran = run(texts, rules, stop=stop)
    track, books, ended, micro = ran.track, ran.books, ran.ended, ran.micro
    for place, (text, rule) in enumerate(zip(texts, rules, strict=True)):
        whole = settle(series(text), rule)
        assert books[:, place].tolist() == whole.code.tolist()
        closed = outages(whole)[:-1] if whole.open else outages(whole)
        assert ended[place] == closed
        assert track.onset_k[place] == (FIRST + whole.first[-1] if whole.open else NOT_DOWN)
        assert micro[place] == len(whole.micro)
        if whole.provisional.any():
            assert track.final_before_k[place] <= FIRST + np.flatnonzero(whole.provisional)[0]
        known = np.flatnonzero(whole.code >= 0)
        final = known[known + FIRST < track.final_before_k[place]] if len(known) else known
        assert not whole.provisional[final].any()
        assert len(final) == len(known) - int(whole.provisional.sum())


def test_places_on_other_grids_are_pending_in_between() -> None:
    track = UptimeTrack()
    track.resize(2)
    track.begin([0, 1], [INTERVAL, sliding(2)])
    codes = []
    for cell in range(10):
        due = np.array([True, (cell + 1) % 5 == 0])
        number = np.array([cell, cell // 5])
        codes.append(track.push(number, np.array([1, 0], np.int8), due).code.tolist())
    assert [code[1] for code in codes] == [PENDING] * 4 + [1] + [PENDING] * 4 + [0]
    assert track.onset_k.tolist() == [NOT_DOWN, 0]


def test_a_place_that_begins_anew_forgets() -> None:
    track = run(["BB", "BB"], [outage(2), outage(2)]).track
    track.begin([0], [outage(2)])
    assert track.down.tolist() == [False, True]
    step = track.push(FIRST + 2, np.array([0, 0], np.int8))
    assert step.code.tolist() == [1, 0]


def test_a_deeper_ring_keeps_what_is_provisional() -> None:
    track = run(["GGGGB"], [sliding(3)]).track
    before = track.final_before_k[0]
    track.resize(2)
    track.begin([1], [sliding(9)])
    assert track.final_before_k[0] == before == FIRST + 3


@given(st.lists(st.tuples(SERIES, RULES), min_size=1, max_size=6), st.text("GBUx", min_size=6, max_size=6), SERIES)
def test_a_leap_is_as_if_every_interval_had_been_pushed(
    places: list[tuple[str, UptimeRule]], alike: str, after: str
) -> None:
    shortest = min(len(text) for text, _ in places)
    rules = [rule for _, rule in places]
    stretch = [alike[place] * 40 for place in range(len(places))]
    texts = [text[:shortest] + long for (text, _), long in zip(places, stretch, strict=True)]
    track = run([text[: shortest + 20] for text in texts], rules).track
    pushed = run(texts, rules).track
    standing = np.array([series(text[-1])[0] for text in texts], np.int8)
    if track.settled(standing):
        track.leap(20, standing)
    else:
        for t in range(shortest + 20, shortest + 40):
            track.push(FIRST + t, standing)
    for t, letter in enumerate(after):
        one, other = (
            each.push(FIRST + shortest + 40 + t, np.repeat(series(letter), len(places))) for each in (track, pushed)
        )
        for name in ("code", "changed_place", "changed_k", "changed_code", "micro_place", "micro_k"):
            assert getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("place", "first_k", "last_k", "length"):
            assert getattr(one.ended, name).tolist() == getattr(other.ended, name).tolist()
        for name in ("final_before_k", "undecided_k", "last_k"):
            assert getattr(track, name).tolist() == getattr(pushed, name).tolist()


def test_stretches_of_one_standing_settle() -> None:
    for rule in (INTERVAL, sliding(5), outage(5)):
        for letter in "GBUx":
            assert run(["GG" + letter * 20], [rule]).track.settled(series(letter)), (rule, letter)
    assert not run(["GGB"], [outage(5)]).track.settled(series("B"))
    assert not run(["GGU"], [outage(5)]).track.settled(series("U"))
