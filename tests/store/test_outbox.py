"""What must be told: kept before it is told, in order, once each, within a bound."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from netsla.store.backlog import Event
from netsla.store.outbox import Outbox, read_history, read_states
from tests.store.disks import fill, small_disk, until

Open = Callable[..., Outbox]


def event(number: int, objective: str = "a/b/c") -> Event:
    return Event(f"id-{number:05d}", objective, json.dumps({"n": number}).encode(), at_ns=number)


def collapse(objective: str, events: Sequence[Event]) -> Event:
    total = sum(json.loads(one.payload).get("stands_for", 1) for one in events)
    body = {"stands_for": total, "first": events[0].id, "last": events[-1].id}
    return Event(f"sum-{events[0].id}-{events[-1].id}", objective, json.dumps(body).encode(), events[-1].at_ns)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[Outbox] = []

    def open_(path: Path = tmp_path / "outbox.db", sinks: Sequence[str] = ("mqtt",), **more: Any) -> Outbox:
        made.append(Outbox(path, sinks, collapse, **more))
        made[-1].start().result(10)
        return made[-1]

    yield open_
    for one in made:
        one.close(0.1)


def ids(events: list[Event]) -> list[str]:
    return [one.id for one in events]


def tell(box: Outbox) -> list[Event]:
    """Everything that may be told now, in the order of telling."""
    told: list[Event] = []
    while some := box.next("mqtt", 1):
        told += some
        box.done("mqtt", ids(some))
    return told


def drain(box: Outbox, sink: str = "mqtt", limit: int = 100) -> list[str]:
    told: list[str] = []
    while some := box.next(sink, limit):
        told += ids(some)
        box.done(sink, ids(some))
    return told


def test_nothing_is_told_before_it_is_kept(opened: Open) -> None:
    box = opened()
    hold = threading.Event()
    box.database.submit(lambda _c: hold.wait(10))
    future = box.put({"a/b/c": b"open"}, [event(1)])
    assert box.next("mqtt") == []
    hold.set()
    future.result(10)
    assert ids(box.next("mqtt")) == ["id-00001"]


def test_order_is_kept_per_objective_whatever_is_refused(opened: Open) -> None:
    box = opened()
    box.put({}, [event(1, "x"), event(2, "x"), event(3, "y")]).result(10)
    assert ids(box.next("mqtt")) == ["id-00001", "id-00003"]
    box.done("mqtt", ["id-00003"])
    assert ids(box.next("mqtt")) == ["id-00001"]
    box.put({}, [event(4, "y")]).result(10)
    assert ids(box.next("mqtt", 1)) == ["id-00001"]
    box.failed("mqtt", ["id-00001"])
    assert ids(box.next("mqtt", 1)) == ["id-00004"]
    assert ids(box.next("mqtt")) == ["id-00004", "id-00001"]
    assert drain(box) == ["id-00004", "id-00001", "id-00002"]


def test_each_sink_has_its_own_way_to_go(opened: Open) -> None:
    box = opened(sinks=("mqtt", "webhook"))
    box.put({}, [event(1), event(2)]).result(10)
    assert drain(box, "mqtt") == ["id-00001", "id-00002"]
    assert box.pending("mqtt") == 0
    assert box.pending("webhook") == 2
    box.set_sinks(("webhook", "alertmanager")).result(10)
    box.put({}, [event(3)]).result(10)
    assert box.next("mqtt") == []
    assert drain(box, "webhook") == ["id-00001", "id-00002", "id-00003"]
    assert drain(box, "alertmanager") == ["id-00003"]


def test_a_restart_tells_what_was_not_acknowledged_and_knows_the_states(opened: Open, tmp_path: Path) -> None:
    first = opened(sinks=("mqtt", "webhook"))
    first.put({"x": b"open", "y": b"open"}, [event(1, "x"), event(2, "y"), event(3, "x")])
    first.put({"y": None}, [event(4, "y")]).result(10)
    first.done("mqtt", ["id-00001"]).result(10)
    first.close()
    second = Outbox(tmp_path / "outbox.db", ("mqtt", "webhook"), collapse)
    assert second.start().result(10) == {"x": b"open"}
    assert second.states() == {"x": b"open"}
    assert drain(second) == ["id-00002", "id-00003", "id-00004"]
    assert len(drain(second, "webhook")) == 4
    assert ids(second.history(2)) == ["id-00002", "id-00003", "id-00004"]
    second.close()


def test_what_came_before_the_file_was_read_comes_after_what_was_kept(opened: Open, tmp_path: Path) -> None:
    first = opened()
    first.put({"x": b"1"}, [event(1)]).result(10)
    first.close()
    second = Outbox(tmp_path / "outbox.db", ("mqtt",), collapse)
    second.put({"x": b"2"}, [event(2)])
    second.start().result(10)
    until(lambda: second.pending("mqtt") == 2)
    assert drain(second)[0] == "id-00001"
    assert second.states() == {"x": b"2"}
    second.close()


def test_a_listener_is_woken_when_there_is_more_to_tell(opened: Open) -> None:
    box = opened()
    woken = threading.Event()
    box.listen(woken.set)
    box.put({}, [event(1)])
    assert woken.wait(10)
    assert ids(box.next("mqtt")) == ["id-00001"]


def test_over_the_bound_the_middle_of_one_objective_becomes_one(opened: Open, tmp_path: Path) -> None:
    box = opened(bound=10)
    for number in range(1, 12):
        box.put({}, [event(number, "flap" if number > 2 else "calm")])
    box.database.submit(lambda _c: None).result(10)
    assert box.pending("mqtt") == 5
    told = tell(box)
    assert [one.id for one in told if one.objective == "calm"] == ["id-00001", "id-00002"]
    flap = [one for one in told if one.objective == "flap"]
    assert [one.id for one in flap] == ["id-00003", "sum-id-00004-id-00010", "id-00011"]
    assert json.loads(flap[1].payload)["stands_for"] == 7


def test_a_collapsed_outbox_reads_back_in_the_same_order(opened: Open, tmp_path: Path) -> None:
    box = opened(bound=10)
    for number in range(1, 12):
        box.put({}, [event(number, "flap")])
    box.close()
    again = Outbox(tmp_path / "outbox.db", ("mqtt",), collapse)
    again.start().result(10)
    assert drain(again) == ["id-00001", "sum-id-00002-id-00010", "id-00011"]
    again.close()


def test_far_too_many_objectives_become_one_summary(opened: Open) -> None:
    box = opened(bound=10)
    for number in range(25):
        box.put({}, [event(number, f"objective-{number}")])
    assert box.pending("mqtt") <= 10
    box.database.submit(lambda _c: None).result(10)
    told = tell(box)
    assert sum(json.loads(one.payload).get("stands_for", 1) for one in told) == 25


def test_what_was_told_long_ago_is_let_go(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.store.outbox._TRIM_EVERY", 10)
    box = opened(history=5)
    for begin in (0, 10):
        box.put({}, [event(number) for number in range(begin, begin + 10)]).result(10)
    assert len(box.history(0)) == 20, "what waits is kept"
    drain(box)
    box.put({}, [], [event(number) for number in range(20, 31)]).result(10)
    assert ids(box.history(0)) == [f"id-{number:05d}" for number in range(26, 31)]


def test_what_stands_open_is_in_the_history_however_long_ago_it_began(opened: Open, tmp_path: Path) -> None:
    box = opened()
    box.put({"x": b"open"}, [event(1, "x"), event(2, "y"), event(3, "x"), event(7, "y")]).result(10)
    assert ids(box.history(5)) == ["id-00007"]
    assert ids(box.history(5, {"x": 1})) == ["id-00001", "id-00003", "id-00007"]
    assert ids(box.history(1, {"x": 3})) == [f"id-{number:05d}" for number in (1, 2, 3, 7)]
    assert ids(read_history(tmp_path / "outbox.db", 5, {"x": 3})) == ["id-00003", "id-00007"]
    assert read_states(tmp_path / "outbox.db") == {"x": b"open"}


def test_many_objectives_over_the_bound_are_put_together_without_holding_up_who_decides(opened: Open) -> None:
    """Ten thousand breaches that grow worse each hour while nobody listens: every put is made in the engine's turn."""
    box = opened(bound=50_000)
    longest = 0.0
    for number in range(8):
        events = [event(number * 10_000 + one, f"o{one}") for one in range(10_000)]
        begin = time.thread_time()
        box.put({}, events)
        longest = max(longest, time.thread_time() - begin)
    assert box.pending("mqtt") <= 50_000
    assert longest < 1.0


@pytest.mark.netns
def test_on_a_full_disk_alerts_wait_and_then_go_out_all_the_same(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        box = opened(disk / "outbox.db")
        ballast = fill(disk)
        future = box.put({"x": b"open"}, [Event("big", "x", bytes(300_000))])
        until(lambda: bool(box.problems()))
        assert box.next("mqtt") == []
        monkeypatch.setattr("netsla.store.outbox.TELL_ANYWAY_S", 0.0)
        assert ids(box.next("mqtt")) == ["big"]
        ballast.unlink()
        future.result(30)
        assert box.next("mqtt", 1)[0].id == "big"
        box.close()


def test_a_deleted_file_loses_nothing(opened: Open, tmp_path: Path) -> None:
    box = opened()
    box.put({"x": b"open"}, [event(1), event(2)]).result(10)
    (tmp_path / "outbox.db").unlink()
    box.put({}, [event(3)]).result(10)
    box.close()
    again = Outbox(tmp_path / "outbox.db", ("mqtt",), collapse)
    assert again.start().result(10) == {"x": b"open"}
    assert drain(again) == ["id-00001", "id-00002", "id-00003"]
    again.close()


def test_when_single_writes_were_given_up_all_is_written_at_once(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("in the way")
    box = Outbox(tmp_path / "way" / "outbox.db", ("mqtt",), collapse)
    box.database._waiting._bound_bytes = 5000
    box.start()
    for number in range(50):
        box.put({f"o{number}": b"open"}, [event(number, f"o{number}")])
    until(lambda: "given up" in "".join(box.problems()))
    (tmp_path / "way").unlink()
    until(lambda: box.problems() == () and len(box.next("mqtt")) == 50)
    box.close()
    again = Outbox(tmp_path / "way" / "outbox.db", ("mqtt",), collapse)
    assert len(again.start().result(10)) == 50
    assert again.pending("mqtt") == 50
    again.close()
