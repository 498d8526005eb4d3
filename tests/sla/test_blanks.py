"""Missing probes of the live windows, as a report counts them."""

import numpy as np

from netsla.model import SECOND, UptimeRule
from netsla.sla.accounts import Accounts
from netsla.sla.blanks import Blanks
from netsla.sla.duty import Duty
from netsla.sla.fleet import Roster
from netsla.sla.window import Window
from tests.sla.builders import MONTH, plan, ratio_objective

CELLS = 31 * 1440
BEGIN = 1000  # the first recorded cell, in January 1970
ALL = np.arange(2, dtype=np.int32)


def month(rule: UptimeRule | None = None) -> tuple[Blanks, Window, Accounts, Duty]:
    fleet = Roster().lay_out(plan(2, objectives=(ratio_objective(window=MONTH),), rule=rule), 0)
    duty, accounts, blanks, window = Duty(fleet, {}), Accounts(), Blanks(), Window(MONTH, 8)
    window.cover(fleet.window_rows["month"], fleet.fresh_rows, fleet.rows, 8, BEGIN)
    accounts.load(fleet, duty, BEGIN)
    accounts.enter(window, BEGIN, fleet)
    blanks.load(fleet, BEGIN)
    return blanks, window, accounts, duty


def missing(blanks: Blanks, window: Window, accounts: Accounts, duty: Duty) -> list[int]:
    blanks.count(window, accounts, duty, ALL)
    found: list[int] = window.missing.tolist()
    return found


def test_before_the_first_record_everything_due_is_missing() -> None:
    assert missing(*month()) == [BEGIN * 60] * 2


def test_an_interval_that_the_record_begins_in_misses_what_was_not_recorded() -> None:
    assert BEGIN % 15 == 10
    assert missing(*month(UptimeRule(interval_ns=900 * SECOND))) == [BEGIN * 60] * 2


def test_gaps_are_missing_for_those_whom_they_concern_and_united_where_they_meet() -> None:
    blanks, window, accounts, duty = month()
    blanks.add(2000, 2005, ALL)
    blanks.add(2005, 2010, ALL)
    blanks.add(3000, 3001, ALL[:1])
    assert len(blanks._gaps) == 2
    assert missing(blanks, window, accounts, duty) == [BEGIN * 60 + 660, BEGIN * 60 + 600]
    assert [blanks.at(k) for k in (1999, 2000, 2009, 2010, 3000)] == [False, True, True, False, False]
    assert blanks.any_since(3000)
    blanks.drop(3001)
    assert not blanks.any_since(0)
