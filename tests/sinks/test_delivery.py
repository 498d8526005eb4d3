"""Delivery over sinks made up for the purpose: order, pauses, what is said, and that nobody waits for anybody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netsla.sinks import delivery as module
from netsla.sinks.base import Link, SinkError
from netsla.sinks.delivery import Delivery
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox
from tests.sinks.receiver import desk, hurry, until


@dataclass
class Made:
    """A sink that does what a test says."""

    name: str = "made"
    away: str = ""
    breaks_at: str = ""  # the id that breaks the link, after those before it were taken
    refuses: dict[str, str] = field(default_factory=dict)  # objective -> why
    refuses_states: str = ""
    bug: Exception | None = None
    hangs: bool = False
    opened: int = 0
    told: list[Event] = field(default_factory=list)
    states: Mapping[str, bytes] = field(default_factory=dict)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        self.opened += 1
        if self.away:
            raise SinkError(self.away)
        if self.bug:
            raise self.bug
        yield self

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        if self.hangs:
            await asyncio.Event().wait()
        ids = [one.id for one in events]
        if self.breaks_at in ids:
            taken = events[: ids.index(self.breaks_at)]
            self.told += taken
            raise SinkError("it broke", taken=frozenset(one.id for one in taken))
        refused = {one.id: self.refuses[one.objective] for one in events if one.objective in self.refuses}
        self.told += [one for one in events if one.id not in refused]
        return refused

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> str:
        self.states = states if changed else self.states
        return self.refuses_states

    async def broken(self) -> None:
        await self.cut.wait()
        raise SinkError("it was cut")

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.told]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


async def test_each_once_and_in_order(tmp_path: Path) -> None:
    sink = Made()
    async with desk(tmp_path, sink) as ours:
        for number in range(40):
            await ours.put(f"acme/e{number % 4}/o")
        await ours.drained()
    assert sorted(sink.ids) == sorted(one for ids in ours.order.values() for one in ids)
    for objective, ids in ours.order.items():
        assert [one.id for one in sink.told if one.objective == objective] == ids


async def test_refused_events_hold_up_their_own_objective_only(tmp_path: Path) -> None:
    sink = Made(refuses={f"bad/e{i}/o": "no" for i in range(150)})
    async with desk(tmp_path, sink) as ours:
        for i in range(150):  # more than a batch
            await ours.put(f"bad/e{i}/o")
        later = [await ours.put("bad/e0/o"), await ours.put("good/e/o")]
        await until(lambda: later[1] in sink.ids)
        await until(lambda: "events of 150 objectives are refused: no" in ours.delivery.problem)
        assert ours.outbox.pending("made") == 151
        sink.refuses.clear()
        await ours.drained()
        await until(lambda: not ours.delivery.problem)
    assert [one.id for one in sink.told if one.objective == "bad/e0/o"] == ours.order["bad/e0/o"]


async def test_an_event_that_breaks_every_link_lets_the_others_pass(tmp_path: Path) -> None:
    sink = Made()
    async with desk(tmp_path, sink) as ours:
        await ours.put("a/first/o")
        await ours.drained()
        sink.breaks_at = "id-00004"
        ids = [await ours.put(f"a/e{i}/o") for i in range(20)]
        await until(lambda: ours.outbox.pending("made") == 1)
        assert [one.id for one in ours.outbox.next("made")] == ["id-00004"]
        sink.breaks_at = ""
        await ours.drained()
    assert sorted(sink.ids) == ["id-00001", *ids], "what was taken before the break is not told again"


async def test_a_cause_is_said_once_and_stands_until_it_clears(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink = Made(away="nobody there")
    async with desk(tmp_path, sink) as ours:
        await ours.put()
        for _ in range(2):
            await until(lambda: sink.opened >= 5)
            assert (ours.delivery.problem, ours.delivery.connected) == ("nobody there", False)
            sink.away = ""
            sink.cut.clear()
            await ours.drained()
            await until(lambda: ours.delivery.connected and not ours.delivery.problem)
            sink.away, sink.opened = "nobody there", 0
            sink.cut.set()
            await ours.put()
    said = [one.getMessage() for one in caplog.records if one.name == "netsla"]
    assert said.count("made: nobody there") == 1


async def test_trouble_stands_while_a_sink_opens_but_takes_nothing(tmp_path: Path) -> None:
    sink = Made(breaks_at="id-00001")
    async with desk(tmp_path, sink) as ours:
        await ours.put()
        await until(lambda: ours.delivery.problem == "it broke")
        for _ in range(50):
            await asyncio.sleep(0.002)
            assert ours.delivery.problem == "it broke"


async def test_an_end_while_a_broken_link_is_put_away_is_not_swallowed(tmp_path: Path) -> None:
    class Slow(Made):
        """Takes a while to notice that nobody waits for its end any more."""

        async def broken(self) -> None:
            try:
                await self.cut.wait()
            finally:
                leaving.set()
                await stay.wait()

    leaving, stay = asyncio.Event(), asyncio.Event()
    async with desk(tmp_path, Slow(breaks_at="id-00001")) as ours:
        await ours.put()
        await leaving.wait()
        ours.task.cancel()
        await asyncio.sleep(0)
        stay.set()
        ended, _ = await asyncio.wait({ours.task}, timeout=10)
        assert ended == {ours.task}


async def test_a_bug_of_a_sink_stands_as_its_problem_and_ends_nothing(tmp_path: Path) -> None:
    sink = Made(bug=RuntimeError("not foreseen"))
    async with desk(tmp_path, sink) as ours:
        await ours.put()
        await until(lambda: sink.opened >= 3)
        assert ours.delivery.problem == "the link failed in an unforeseen way: RuntimeError('not foreseen')"
        sink.bug = None
        await ours.drained()
        await until(lambda: not ours.delivery.problem)
    assert sink.ids == ["id-00001"]


async def test_refused_states_are_said(tmp_path: Path) -> None:
    sink = Made(refuses_states="no room")
    async with desk(tmp_path, sink) as ours:
        await until(lambda: ours.delivery.problem == "states are refused: no room")
        sink.refuses_states = ""
        await until(lambda: not ours.delivery.problem)


async def test_states_are_handed_over_when_they_change(tmp_path: Path) -> None:
    sink = Made()
    async with desk(tmp_path, sink) as ours:
        await asyncio.wrap_future(ours.outbox.put({"a/e/o": b"1"}, []))
        await until(lambda: sink.states == {"a/e/o": b"1"})
        await asyncio.wrap_future(ours.outbox.put({"a/e/o": None}, []))
        await until(lambda: sink.states == {})


async def test_pauses_grow_to_a_bound_and_have_full_jitter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.0

    monkeypatch.setattr("random.uniform", uniform)
    monkeypatch.setattr(module, "_FIRST_S", 0.5)
    monkeypatch.setattr(module, "_LONGEST_S", 60.0)
    async with desk(tmp_path, Made(away="away")):
        await until(lambda: len(asked) >= 9)
    assert asked[:9] == [(0, pause) for pause in (0.5, 1, 2, 4, 8, 16, 32, 60, 60)]


async def test_a_stuck_sink_delays_no_other(tmp_path: Path) -> None:
    stuck, well = Made("stuck", hangs=True), Made("well")
    outbox = Outbox(tmp_path / "outbox.db", ["stuck", "well"], lambda _objective, events: events[-1])
    await asyncio.wrap_future(outbox.start())
    tasks = [asyncio.create_task(Delivery(one, outbox).run()) for one in (stuck, well)]
    for number in range(100):
        outbox.put({}, [Event(f"id-{number}", f"a/e{number % 7}/o", b"{}", number)])
    await until(lambda: len(well.told) == 100)
    await until(lambda: outbox.pending("well") == 0)
    assert outbox.pending("stuck") == 100
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(outbox.close)
