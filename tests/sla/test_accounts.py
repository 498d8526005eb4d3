"""Books of time against the settlement's own reading of the same series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.model import SECOND, Endpoint, Objective, Span, UptimeRule
from netsla.sla.accounts import Accounts, Change
from netsla.sla.duty import Duty
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet, Roster
from netsla.sla.grade import Graded
from netsla.sla.standing import EXCLUDED
from netsla.sla.timeline import _undecided
from netsla.sla.uptime import settle
from netsla.sla.window import Window
from tests.sla.builders import MONTH, plan, ratio_objective
from tests.sla.contracts import repair

TEN = Span("10m", seconds=600)
CELL = 60 * SECOND
RULE = UptimeRule("", "outage", minimum_ns=180 * SECOND)
SLIDING = UptimeRule("", "sliding", n=3)
LETTERS = {"G": 1, "B": 0, "U": -1}
RULES = st.sampled_from([RULE, SLIDING, UptimeRule("", "interval"), UptimeRule("", "sliding", n=5)])
SERIES = st.text("GBU", min_size=1, max_size=60)


def layout(*rules: UptimeRule, window: Span = TEN, objectives: tuple[Objective, ...] = ()) -> Fleet:
    """One endpoint for each rule."""
    first = plan(objectives=(ratio_objective(window=window), *objectives))
    one = first.agreements[0].endpoints[0]
    members: tuple[Endpoint, ...] = tuple(replace(one, id=f"e{n}", uptime=rule) for n, rule in enumerate(rules))
    return Roster().lay_out(replace(first, agreements=(replace(first.agreements[0], endpoints=members),)), 0)


def expected(rule: UptimeRule, series: str, out: range = range(0)) -> str:
    """One letter an interval: up, down, ? unknown, x excluded; `out` are the excluded intervals."""
    raw = np.array([LETTERS[letter] for letter in series], np.int8)
    standing = np.where(np.isin(np.arange(len(raw)), list(out)), EXCLUDED, raw).astype(np.int8)
    found = settle(standing, rule)
    undecided = _undecided(found, raw, 0) if rule.method == "sliding" else np.zeros(len(raw), bool)
    return "".join({1: "u", 0: "d", -1: "?", -2: "x"}[c] for c in np.where(undecided, -1, found.code).tolist())


class Books:
    """Accounts of one series per endpoint, all of one length."""

    def __init__(
        self, *rules: UptimeRule, window: Span = TEN, slide: bool = True, objectives: tuple[Objective, ...] = ()
    ) -> None:
        self.fleet = layout(*rules, window=window, objectives=objectives)
        self.accounts, self.changes, self.k = Accounts(), list[Change](), 0
        self.accounts.load(self.fleet, Duty(self.fleet, {}), 0)
        self.window, self.slide = window, slide

    def push(self, *series: str) -> Books:
        for letters in zip(*series, strict=True):
            standing = np.array([LETTERS[letter] for letter in letters], np.int8)
            every = np.ones(len(standing), bool)
            due = (self.k + 1) % self.accounts._cells[: len(standing)] == 0
            self.changes += self.accounts.close(self.k, Graded(standing, standing, due, every))
            if self.slide and self.k >= self.window.seconds // 60:
                self.accounts.expire(self.window.name, self.k - self.window.seconds // 60)
            self.k += 1
        return self

    def exclude(self, first: int, end: int, *, endpoint: str | None = None) -> None:
        """Cells [first, end) are excluded from now on, and nothing else."""
        given = (Exclusion("x", endpoint, first * CELL, end * CELL, "force_majeure"),) if first < end else ()
        before = self.accounts.duty
        places = np.array([one.place for one in self.fleet.endpoints])
        self.changes += self.accounts.amend(before, before.amended("a", given), places, max(first - 1, 0))

    def time(self, place: int = 0) -> list[int]:
        """Minutes up, down, unknown, excluded."""
        found = self.accounts.view(self.window.name)
        return [int(column[place]) // CELL for column in (found.up, found.down, found.unknown, found.excluded)]

    def down(self) -> set[int]:
        """The cells of the first endpoint that changes say are down time."""
        down: set[int] = set()
        for change in self.changes:
            if 0 in change.places:
                (down.add if change.down else down.discard)(change.k)
        return down


def counts(text: str) -> list[int]:
    return [text.count(letter) for letter in "ud?x"]


@given(RULES, SERIES)
def test_a_sliding_window_always_holds_the_present_classes_of_its_cells(rule: UptimeRule, series: str) -> None:
    """Provisional cells may turn after they were booked; expired ones take away just what they booked."""
    assert Books(rule).push(series).time() == counts(expected(rule, "U" * 60 + series)[60:][-10:])


@given(RULES, SERIES)
def test_changes_tell_exactly_which_cells_are_down_time(rule: UptimeRule, series: str) -> None:
    books = Books(rule, slide=False).push(series)
    assert books.down() == {k for k, letter in enumerate(expected(rule, series)) if letter == "d"}


@settings(deadline=None)
@given(RULES, RULES, st.text("GGGGBU", min_size=1, max_size=60), st.integers(0, 59), st.integers(0, 59), st.data())
def test_an_exclusion_agreed_afterwards_is_as_if_it_had_always_been(
    one: UptimeRule, other: UptimeRule, series: str, begin: int, length: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(series)))
    begin = min(begin, len(series))
    out = range(begin, begin + length)
    books = Books(one, other, slide=False).push(series[:at], series[:at][::-1])
    books.exclude(begin, begin + length)
    books.push(series[at:], series[at:])
    assert books.time(0) == counts(expected(one, series, out))
    assert books.time(1) == counts(expected(other, series[:at][::-1] + series[at:], out))
    assert books.down() == {k for k, letter in enumerate(expected(one, series, out)) if letter == "d"}
    books.exclude(0, 0)
    assert books.time(0) == counts(expected(one, series)), "cancelled, it never held"
    books.push("BBG", "GGB")
    assert books.time(0) == counts(expected(one, series + "BBG"))


LONG = st.lists(st.tuples(st.sampled_from("GBU"), st.integers(1, 120)), min_size=1, max_size=6)


@settings(deadline=None)
@given(RULES, st.sampled_from([1, 5]), LONG, LONG, st.integers(0, 400), st.integers(0, 300))
def test_telling_long_stretches_again_is_as_if_they_had_been_told_so_at_first(
    rule: UptimeRule, cells: int, one: list[tuple[str, int]], other: list[tuple[str, int]], begin: int, length: int
) -> None:
    rules = replace(rule, interval_ns=cells * CELL), rule
    first, second = ("".join(letter * count for letter, count in some) for some in (one, other))
    first, second = first.ljust(len(second), first[-1]), second.ljust(len(first), second[-1])
    told = [Books(*rules, slide=False, objectives=(repair(),)) for _ in range(2)]
    assert told[0].accounts._cells.tolist() == [cells, 1]
    told[0].push(first, second).exclude(begin, begin + length)
    told[1].exclude(begin, begin + length)
    told[1].push(first, second)
    again, at_first = (
        (books.time(0), books.time(1), books.accounts.outages(0), books.accounts.outages(1)) for books in told
    )
    assert again == at_first


def test_rows_that_were_down_are_named_when_their_cell_expires() -> None:
    accounts = Books(RULE, slide=False).push("GBBBG" + "G" * 40).accounts
    assert accounts.expire(TEN.name, 0).tolist() == []
    assert accounts.expire(TEN.name, 1).tolist() == [0]


@given(RULES, SERIES, st.integers(0, 60), SERIES)
def test_going_back_in_time_takes_out_what_was_booked_since(
    rule: UptimeRule, series: str, back: int, again: str
) -> None:
    books = Books(rule, slide=False).push(series)
    books.k = max(len(series) - back, 0)
    books.changes += books.accounts.retract(books.k)
    kept = series[: books.k]
    books.push(again)
    assert books.time() == counts(expected(rule, kept + again))
    assert books.down() == {k for k, letter in enumerate(expected(rule, kept + again)) if letter == "d"}


@given(RULES, SERIES, SERIES)
def test_a_long_silence_can_be_passed_over(rule: UptimeRule, before: str, after: str) -> None:
    books = Books(rule, slide=False).push(before + "U" * (90 - len(before)))
    assert books.accounts.quiet()
    books.accounts.pass_over(150)
    books.k = 150
    books.push(after)
    assert books.time() == counts(expected(rule, before + "U" * (150 - len(before)) + after))


def test_a_month_begins_with_the_month_and_its_time_without_record_is_unknown() -> None:
    fleet = layout(RULE, window=MONTH)
    accounts, duty = Accounts(), Duty(fleet, {})
    window = Window(fleet.windows["month"], 8)
    window.cover(fleet.window_rows["month"], fleet.fresh_rows, fleet.rows, 8, 100)
    accounts.load(fleet, duty, 100)
    entering, again = accounts.enter(window, 100, fleet)
    time = accounts.view("month")
    assert (entering.tolist(), again.tolist()) == ([0], [])
    assert (time.unknown[0], time.period[0]) == (100 * CELL, 31 * 86_400 * SECOND)


@pytest.mark.parametrize("name", ["e0", None])
def test_an_exclusion_may_name_one_endpoint(name: str | None) -> None:
    books = Books(RULE, RULE, slide=False).push("G" * 20, "G" * 20)
    books.exclude(5, 10, endpoint=name)
    assert books.time(0) == [15, 0, 0, 5]
    assert books.time(1) == ([20, 0, 0, 0] if name else [15, 0, 0, 5])
