"""Killed at any instant, the agent goes on: counts of all but the last seconds come back, the time away is ours."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from netsla.errors import AgentError
from netsla.history import History
from netsla.model import SECOND, Outcome, Reason
from netsla.sla.snapshot import AgentView
from netsla.sla.standin import StandIn
from netsla.sla.tally import Column
from tests.sla.builders import HOUR, MINUTE, MONTH, START, ratio_objective, samples
from tests.sla.builders import plan as make_plan
from tests.sla.test_engine import Drive
from tests.store.disks import remount, small_disk

PLAN = make_plan(2, objectives=(ratio_objective(window=HOUR), ratio_objective(window=MONTH)))

NOBODY = AgentView("test", "0", 0, "", ())


def live(history: History, drive: Drive, seconds: int) -> None:
    """A second after the other, recorded as the agent does it."""
    for _ in range(seconds):
        drive.second(0)
        history.keep(drive.engine.step(drive.now), drive.engine, drive.now)


def begin(folder: Path, now_ns: int | None = None) -> tuple[History, Drive, str]:
    """An agent that starts now, on whatever the folder holds."""
    history = History(folder)
    history.start({})
    drive = Drive(PLAN, now_ns or START, history.read_cell, history.read_rows)
    history.adopt(drive.fleet)
    return history, drive, history.restore(drive.engine, drive.fleet)


def kill(history: History) -> None:
    """What is written is written; nothing else is said."""
    assert history.ledger.flush()
    history._recall.close()
    history.ledger.close()


def sent(drive: Drive, window: str) -> tuple[int, int]:
    found = next(w for w in drive.look().windows if w.name == window)
    return int(found.sent[0]), int(found.unmeasured[0])


def test_a_first_start_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    history, drive, said = begin(tmp_path)
    assert said == "no record yet"
    live(history, drive, 5)
    assert sent(drive, "1h") == (5, 0)
    kill(history)


def test_a_kill_costs_at_most_ten_seconds_of_counts_and_the_time_away_is_ours(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 3 * 60 + 25)
    kill(history)
    before = sent(drive, "1h")[0]
    again, after, said = begin(tmp_path, drive.now + 2 * MINUTE)
    assert said.startswith("the record ends at")
    back = sent(after, "1h")[0]
    assert before - 10 <= back <= before
    live(again, after, 120)
    got, unmeasured = sent(after, "1h")
    assert got == back + 120
    assert unmeasured == 120 + before - back, "the time away, and what the kill cost"
    assert after.look().unmeasured_by[Reason.AGENT_DOWN, 0] == unmeasured
    assert sent(after, "month") == (got, unmeasured)
    kill(again)


def test_a_kill_in_the_first_minute_keeps_what_was_counted(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 17)
    kill(history)
    again, after, _ = begin(tmp_path, drive.now + 5 * SECOND)
    assert 7 <= sent(after, "1h")[0] <= 17
    kill(again)


def test_an_unreadable_record_is_no_record(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 70)
    kill(history)
    ledger = tmp_path / "ledger.db"
    ledger.write_bytes(b"not a database" + bytes(4000))
    for beside in ("-wal", "-shm"):
        (tmp_path / f"ledger.db{beside}").unlink(missing_ok=True)
    again, after, _ = begin(tmp_path, drive.now + MINUTE)
    assert sent(after, "1h")[0] == 0
    assert np.isnan(after.look().objectives.value).all()
    live(again, after, 5)
    assert sent(after, "1h") == (5, 0)
    assert list(tmp_path.glob("ledger.db.*")), "the broken file is set aside"
    kill(again)


def test_what_was_counted_first_is_kept_soon_and_an_orderly_end_keeps_all(tmp_path: Path) -> None:
    """Killed again and again soon after its start, an agent still remembers."""
    history, drive, _ = begin(tmp_path)
    history.keep(drive.engine.step(drive.now), drive.engine, drive.now)  # the first turn: nothing is counted yet
    live(history, drive, 2)
    kill(history)
    again, after, _ = begin(tmp_path, drive.now)
    assert sent(after, "1h")[0] >= 1
    live(again, after, 4)
    counted = sent(after, "1h")[0]
    again.close()
    last, end, _ = begin(tmp_path, after.now)
    assert sent(end, "1h")[0] == counted
    last.close()


def wait(history: History, drive: Drive, seconds: int) -> None:
    """The probers probe, the engine is not there yet."""
    rows = [probe.row for probe in drive.fleet.watched]
    for _ in range(seconds):
        batch = samples(rows, [Outcome.ANSWERED] * len(rows), 10.0, drive.now, drive.slot, 0)
        drive.slot, drive.now = drive.slot + 1, drive.now + SECOND
        history.put_aside(partial(list, [batch]), drive.now)


def test_a_kill_while_the_past_is_read_back_costs_no_more(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 85)
    kill(history)
    before = sent(drive, "1h")[0]
    now = drive.now
    for _ in range(2):
        again = History(tmp_path)
        again.start({})
        after = Drive(PLAN, now)
        again.adopt(after.fleet)
        again.wait(after.fleet)
        wait(again, after, 45)
        kill(again)
        now = after.now
    last, end, _ = begin(tmp_path, now)
    assert before + 90 - 3 * 10 <= sent(end, "1h")[0] <= before + 90
    kill(last)


def test_what_waited_is_counted_once(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 85)
    history.close()
    again = History(tmp_path)
    again.start({})
    after = Drive(PLAN, drive.now, again.read_cell)
    again.adopt(after.fleet)
    again.wait(after.fleet)
    wait(again, after, 45)
    again.restore(after.engine, after.fleet)
    after.engine.count(again.put_back())
    assert again.put_back() == []
    live(again, after, 5)
    assert sent(after, "1h") == (85 + 45 + 5, 0)
    kill(again)


def test_an_orderly_end_while_the_past_is_read_back_loses_nothing(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 85)
    history.close()
    again = History(tmp_path)
    again.start({})
    after = Drive(PLAN, drive.now)
    again.adopt(after.fleet)
    again.wait(after.fleet)
    wait(again, after, 3)
    again.close()
    last, end, _ = begin(tmp_path, after.now)
    assert sent(end, "1h")[0] == 88
    kill(last)


def test_who_ends_does_not_wait_for_the_past(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 3 * 60)
    kill(history)
    again = History(tmp_path)
    again.start({})
    again.give_up()
    after = Drive(PLAN, drive.now + MINUTE)
    again.adopt(after.fleet)
    assert again.restore(after.engine, after.fleet) == "the record was not read back to its end"
    kill(again)


def test_what_comes_in_while_the_engine_is_busy_is_kept_and_counted_once(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 85)
    history.busy(drive.engine, lambda: None)
    wait(history, drive, 20)
    drive.load(make_plan(3, objectives=(ratio_objective(window=HOUR), ratio_objective(window=MONTH))))  # a reload
    history.adopt(drive.fleet)
    history.busy(drive.engine, lambda: None)  # and another, before anything was counted
    wait(history, drive, 20)
    assert history.ledger.flush()
    with history.ledger.archive.open() as look:
        kept = sum(int(cell.matrix[Column.SENT, 0]) for cell, _ in (*look.open_cells(), *look.cells(0, 2**62)))
    assert 85 + 40 - 10 <= kept <= 85 + 40
    drive.engine.count(history.put_back())
    live(history, drive, 10)
    assert sent(drive, "1h") == (85 + 40 + 10, 0)
    kill(history)


def test_the_last_hour_is_shown_while_the_past_is_read_back(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 3 * 60 + 25)
    history.close()
    again = History(tmp_path)
    again.start({})
    after = Drive(PLAN, drive.now, again.read_cell, again.read_rows)
    again.adopt(after.fleet)
    again.wait(after.fleet)
    wait(again, after, 3)
    with pytest.raises(AgentError, match="ask again"):
        again.view(after.now, NOBODY, {})
    assert again.stand_in(lambda: StandIn(after.fleet, {}, {}, after.now, again.read_cell))
    wait(again, after, 4)
    shown = again.view(after.now, NOBODY, {})
    assert [window.name for window in shown.windows] == ["5m", "1h"]
    assert [int(window.sent[0]) for window in shown.windows] == [3 * 60 + 25 + 7] * 2
    again.restore(after.engine, after.fleet)
    after.engine.count(again.put_back())
    assert sent(after, "1h") == (3 * 60 + 25 + 7, 0)
    with pytest.raises(AgentError, match="just been read back"):
        again.view(after.now, NOBODY, {})
    kill(again)


def after_an_outage(folder: Path, seconds: int) -> tuple[History, Drive]:
    """Begun anew on the record of a minute that was well, of so many seconds in which all was lost, and of a minute."""
    history, drive, _ = begin(folder)
    live(history, drive, 60)
    for _ in range(seconds):
        drive.second(Outcome.LOST)
        history.keep(drive.engine.step(drive.now), drive.engine, drive.now)
    live(history, drive, 60)
    history.close()
    again = History(folder)
    again.start({})
    return again, drive


def test_the_last_hour_is_shown_without_reading_down_time_back(tmp_path: Path) -> None:
    again, drive = after_an_outage(tmp_path, 120)
    fleet = Drive(PLAN, drive.now).fleet
    again.adopt(fleet)
    again.wait(fleet)
    asked: list[int] = []
    assert again.stand_in(lambda: StandIn(fleet, {}, {}, drive.now, asked.append))
    assert asked == []
    (hour,) = [window for window in again.view(drive.now, NOBODY, {}).windows if window.name == "1h"]
    assert (int(hour.sent[0]), int(hour.received[0])) == (240, 120)
    kill(again)


def test_the_past_is_read_back_in_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down time, too: each look would read all names again."""
    again, drive = after_an_outage(tmp_path, 180)
    after = Drive(PLAN, drive.now, again.read_cell, again.read_rows)
    again.adopt(after.fleet)
    looks = Mock(wraps=again.ledger.archive.open)
    monkeypatch.setattr(again.ledger.archive, "open", looks)
    again.restore(after.engine, after.fleet)
    assert int(after.engine.windows["1h"].down[0, 0]) == 180
    assert looks.call_count == 1
    kill(again)


def test_what_has_left_the_last_hour_by_now_is_not_read_to_be_shown(tmp_path: Path) -> None:
    again, drive = after_an_outage(tmp_path, 120)
    late = drive.now + 58 * MINUTE
    after = Drive(PLAN, late, again.read_cell, again.read_rows)
    again.adopt(after.fleet)
    again.wait(after.fleet)
    asked: list[int] = []
    made = StandIn(after.fleet, {}, {}, late, asked.append)
    assert again.stand_in(lambda: made)
    again.view(late, NOBODY, {})
    assert asked == []
    again.restore(after.engine, after.fleet)
    after.engine.step(late)
    for name, window in made.engine.windows.items():
        whole = after.engine.windows[name]
        assert window.first_k == whole.first_k
        for figures in ("matrix", "histogram", "missing"):
            assert np.array_equal(getattr(window, figures), getattr(whole, figures)), (name, figures)
    assert 0 < int(made.engine.windows["1h"].matrix[0, 0]) < 240
    kill(again)


def test_a_disk_that_is_away_at_the_start_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.history._AWAY_S", 0.1)
    with small_disk(tmp_path / "disk") as disk:
        remount(disk, "ro")
        begun = time.monotonic()
        history, drive, said = begin(disk)
        assert said == "no readable record"
        history.wait(drive.fleet)
        assert time.monotonic() - begun < 5
        remount(disk, "rw")
        kill(history)


def test_nobody_stands_in_where_nothing_is_to_be_read(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 5)
    history.close()
    (tmp_path / "ledger.db").write_bytes(b"rubbish" * 1000)
    again = History(tmp_path)
    again.adopt(drive.fleet)
    assert not again.stand_in(lambda: StandIn(drive.fleet, {}, {}, drive.now, again.read_cell))


def test_nobody_stands_in_at_a_first_start(tmp_path: Path) -> None:
    history, drive, said = begin(tmp_path)
    assert said == "no record yet"
    assert not history.stand_in(lambda: StandIn(drive.fleet, {}, {}, drive.now, history.read_cell))
    kill(history)


def test_the_last_hour_ends_now_not_where_the_record_ends(tmp_path: Path) -> None:
    history, drive, _ = begin(tmp_path)
    live(history, drive, 3 * 60 + 25)
    history.close()
    again = History(tmp_path)
    again.start({})
    after = Drive(PLAN, drive.now + 30 * MINUTE, again.read_cell)
    again.adopt(after.fleet)
    again.wait(after.fleet)
    again.stand_in(lambda: StandIn(after.fleet, {}, {}, after.now, again.read_cell))
    five, hour = again.view(after.now, NOBODY, {}).windows
    assert (int(five.sent[0]), int(hour.sent[0])) == (0, 3 * 60 + 25)
    assert hour.unmeasured[0] > 26 * 60
    kill(again)
