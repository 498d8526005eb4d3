import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import SECOND, Span, UptimeRule
from netsla.sla.accounts import Accounts, Change
from netsla.sla.fleet import Roster
from tests.sla.builders import plan, ratio_objective
from tests.sla.test_track import LETTERS, plain

TEN = Span("10m", seconds=600)
RULE = UptimeRule("", "outage", minimum_ns=180 * SECOND)


def drive(series: str, window: Span = TEN, *, slide: bool = True) -> tuple[Accounts, list[Change]]:
    accounts, changes = Accounts(), []
    fleet = Roster().lay_out(plan(rule=RULE, objectives=(ratio_objective(window=window),)), 0)
    accounts.load(fleet, 0)
    for k, letter in enumerate(series):
        changes += accounts.close(k, np.array([LETTERS[letter]], np.int8), np.array([True]))
        if slide and k >= window.seconds // 60:
            accounts.expire(window.name, k - window.seconds // 60)
    return accounts, changes


@given(st.text("GBU", min_size=1, max_size=60))
def test_a_sliding_window_always_holds_the_present_classes_of_its_cells(series: str) -> None:
    """Provisional cells may turn after they were booked; expired ones take away just what they booked."""
    time = drive(series)[0].view(TEN.name)
    expected = plain(RULE, series)[-10:]
    assert [time.up[0], time.down[0], time.unknown[0]] == [60 * expected.count(c) for c in "ud?"]


@given(st.text("GBU", min_size=1, max_size=40))
def test_changes_tell_exactly_which_cells_are_down_time(series: str) -> None:
    down: set[int] = set()
    for change in drive(series, slide=False)[1]:
        if len(change.places):
            (down.add if change.down else down.discard)(change.k)
    assert down == {k for k, letter in enumerate(plain(RULE, series)) if letter == "d"}


def test_rows_that_were_down_are_named_when_their_cell_expires() -> None:
    accounts, _ = drive("GBBBG" + "G" * 40, slide=False)
    assert accounts.expire(TEN.name, 0).tolist() == []
    assert accounts.expire(TEN.name, 1).tolist() == [0]


def test_going_back_in_time_takes_out_what_was_booked_since() -> None:
    accounts, _ = drive("GGGGG", slide=False)
    accounts.close(3, np.array([-1], np.int8), np.array([True]))
    time = accounts.view(TEN.name)
    assert (time.up[0], time.unknown[0]) == (180, 60)
