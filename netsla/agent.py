"""The agent: what is probed already is counted, judged and told; the parts run together, and end in order.

Rules: probing was begun before (`launch.py`), has its own threads and never waits for anything here. The engine lives
in a single-worker executor: whatever touches it is sent there (`_with_engine`). The event loop only coordinates. A
reload builds the whole new plan first; any error leaves the old one running.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import netsla
from netsla import config
from netsla.clock import StepWatch
from netsla.config.loading import refuse_moves
from netsla.control import Handler, Peer, Request
from netsla.doors import Doors
from netsla.errors import ConfigError, HostError
from netsla.excluding import Excluding
from netsla.history import History
from netsla.launch import CLEAR_LINE, Launched
from netsla.model import SECOND, Plan, Target
from netsla.portrait import Portraits
from netsla.probes.naming import Names
from netsla.showing import REMEMBERING, Showing
from netsla.sla.engine import Engine
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.snapshot import AgentView
from netsla.sla.standin import StandIn
from netsla.sla.view import Viewer
from netsla.systemd import Notifier
from netsla.telling import Telling
from netsla.vitals import Troubles, Vitals, live_line
from netsla.wire import status
from netsla.wire.amounts import counted

log = logging.getLogger("netsla")
Result = TypeVar("Result")

_TURN_S = 1.0  # how often the engine counts and judges
_ASIDE_S = 0.055  # after the second: probers begin to send every 0.1 s, and should not be held up by it
_STEP_NS = 10 * SECOND  # a smaller step of the clock touches no verdict (SLA R15)


class Agent:
    """One running agent. Async-only: make it inside the loop that runs it."""

    def __init__(self, launched: Launched) -> None:
        self._launched, self._plan = launched, launched.plan
        self._path, self._roster, self._probers = launched.path, launched.roster, launched.probers
        self._fleet = launched.fleet
        state_dir = Path(self._plan.agent.state_dir)
        self._history = History(state_dir)
        self._telling = Telling(self._plan, self._history.ledger, self._address_of)
        self._excluding = Excluding(self._history.ledger, lambda: self._plan, self._exclude)
        self._engine = Engine(self._history.read_cell, self._history.read_rows)
        self._worker = ThreadPoolExecutor(1, "engine")
        self._names = Names(self._moved)
        self._vitals, self._notifier, self._watch = Vitals(), Notifier(), StepWatch()
        viewer = Viewer(self._engine)
        self._showing = Showing(viewer, self._with_engine, self._history, self._vitals, self._names, self._about)
        self._portraits = Portraits(lambda: self._plan, self._telling.breaches)
        self._doors = Doors(self._answers(), self._showing, self._portraits)
        self._reload_ok = True
        self._reloading = asyncio.Lock()
        self._end, self._restored = asyncio.Event(), asyncio.Event()

    # --- life ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Count, judge and tell until told to end; every part ends with it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        tasks: set[asyncio.Task[Any]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: _keep(tasks, self._reload_by_signal()))
        try:
            await self._doors.open(self._plan, self._launched.listening)
            self._notifier.ready(self._status_line())
            log.info("probing: %s", self._status_line())
            self._history.start({"version": netsla.__version__, "plan": self._plan.digest}, self._launched.at_ns)
            async with self._reloading:
                await asyncio.gather(self._telling.start(), self._adopt(self._plan, self._launched.fleet))
            gc.enable()  # as far as there is something to be collected: what was laid out is not
            tasks.add(asyncio.create_task(self._turns()))
            await self._until_end(tasks)
        finally:
            await self._close(tasks)

    async def _go_on(self) -> None:
        """Bring back what was recorded, while the probers probe already; until then nothing is judged or told."""
        loop, show = asyncio.get_running_loop(), partial(self._showing.begin, whole=False)
        self._vitals.note("windows", (REMEMBERING,))  # before anybody is shown the last hour
        log.info("%s", await self._at_length(lambda: self._remember(lambda: loop.call_soon_threadsafe(show))))
        self._restored.set()
        self._vitals.note("windows", ())
        self._showing.begin(whole=True)
        self._doors.prepare()
        gc.freeze()

    def _remember(self, show: Callable[[], object]) -> str:
        """On the engine's thread; `show` is called once the last hour can be shown."""
        fleet = self._engine.fleet  # by now: a reload may have been quicker
        assert fleet is not None
        self._history.wait(fleet)
        given, open_since = self._excluding.recall(), self._telling.open_since(fleet)
        if self._history.stand_in(lambda: StandIn(fleet, given, open_since, time.time_ns(), self._history.read_cell)):
            show()
        for agreement, exclusions in given.items():
            self._engine.exclude(agreement, exclusions, time.time_ns())
        said = self._history.restore(self._engine, fleet)
        self._telling.restore(self._engine, fleet)
        return said

    async def _exclude(self, agreement: str, exclusions: tuple[Exclusion, ...]) -> None:
        await self._restored.wait()
        await self._at_length(lambda: self._engine.exclude(agreement, exclusions, time.time_ns()))

    async def _until_end(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Wait for the end; a task that dies of a bug ends the agent, and the service manager restarts it."""
        ended = asyncio.create_task(self._end.wait())
        running = set(tasks)
        done, _ = await asyncio.wait({ended, *running}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        for task in done & running:
            task.result()

    async def _close(self, tasks: set[asyncio.Task[Any]]) -> None:
        self._notifier.stopping("ending")
        self._history.give_up()
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the live line stays as it stood last
        self._probers.stop()
        self._names.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._doors.close()
        self._portraits.close()
        await self._with_engine(lambda: None)
        self._worker.shutdown()
        await self._telling.close()
        await asyncio.to_thread(self._history.close)
        self._launched.lock.leave()

    # --- plan ---------------------------------------------------------------------------------------

    async def _adopt(self, plan: Plan, fleet: Fleet | None = None) -> None:
        """Measure by this plan from now on; `fleet`: it was launched, and is probed already."""
        first = fleet is not None
        now = self._launched.at_ns if first else time.time_ns()
        fleet = await self._at_length(lambda: self._lay_out(fleet or self._roster.lay_out(plan, now), plan, now))
        self._plan, self._fleet = plan, fleet
        self._showing.load(plan, fleet)
        self._names.want({(p.address, p.family) for p in fleet.watched})
        if not (first and self._launched.complete):
            self._load_probers(fleet)
        gc.freeze()  # plan and layout stay: a collection that walked them would hold every thread for 0.2 s
        if self._restored.is_set():
            self._doors.prepare()

    def _lay_out(self, fleet: Fleet, plan: Plan, now_ns: int) -> Fleet:
        self._engine.load(fleet, now_ns)
        self._history.adopt(fleet)
        self._telling.load(fleet, plan.digest)
        return fleet

    def _load_probers(self, fleet: Fleet) -> None:
        self._probers.load(
            Target(probe.row, probe.key, self._names.address(probe.address, probe.family), probe.spec)
            for probe in fleet.watched
        )

    def _moved(self, name: str, old: str | None, new: str | None) -> None:
        """A name changed its address."""
        log.info("%s is now %s (was %s)", name, new or "unresolved", old or "unresolved")
        self._history.ledger.note("address", {"name": name, "old": old, "new": new})
        self._load_probers(self._fleet)

    async def reload(self) -> str:
        """Read the configuration anew; :class:`ConfigError` leaves the old plan running."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                plan, warnings = await asyncio.to_thread(config.load, self._path, again=True)
                refuse_moves(self._path, self._plan, plan)
                await self._doors.renew(plan.web)
                await self._adopt(plan)
                await self._telling.reload(plan)
                self._told(reload_ok=True)
            except (ConfigError, HostError) as error:
                self._told(reload_ok=False)
                log.error("reload refused, the old plan goes on: %s", error)  # noqa: TRY400 - no bug, no traceback
                raise
            finally:
                self._notifier.ready(self._status_line())
            for warning in warnings:
                log.warning("%s", warning)
            self._history.ledger.note("reload", {"plan": plan.digest})
            log.info("reloaded: %s", self._status_line())
            return self._status_line()

    def _told(self, *, reload_ok: bool) -> None:
        """How the reload ended is seen by whoever asks next."""
        self._reload_ok = reload_ok
        self._showing.forget()
        self._vitals.note("configuration", self._find_troubles()["configuration"])

    async def _reload_by_signal(self) -> None:
        with contextlib.suppress(ConfigError, HostError):  # said in the log, and in the metrics
            await self.reload()

    # --- the turn -----------------------------------------------------------------------------------

    async def _turns(self) -> None:
        """Count and judge once a second; feed the watchdog only while everything moves."""
        await self._go_on()
        loop = asyncio.get_running_loop()
        scale = time.time() - loop.time()  # that of the probers, whose ticks begin with each second
        while True:
            await self._with_engine(self._turn)
            self._watch_over()
            now = loop.time() + scale
            await asyncio.sleep(math.floor(now - _ASIDE_S + 1.5) + _ASIDE_S - now)

    def _turn(self) -> None:
        batches = self._history.put_back() + self._probers.drain()
        threshold = min(_STEP_NS, self._fleet.seconds * SECOND // 2)
        touched = self._watch.look(time.time_ns(), time.monotonic_ns(), threshold)
        self._engine.count(batches)
        if touched is not None:
            log.warning("the clock stepped, or the host slept: the intervals between are unknown")
            self._history.ledger.note("clock_step", {"from": touched[0], "to": touched[1]})
            self._engine.suspect(*touched)
        now = time.time_ns()
        self._history.keep(self._engine.step(now), self._engine, now)
        self._telling.turn(self._engine, now)

    def _watch_over(self) -> None:
        if self._vitals.look(self._probers.facts(), self._find_troubles(), time.monotonic()):
            self._notifier.watchdog()
        for line in self._vitals.news():
            log.warning("%s", line)
        if sys.stderr.isatty():
            line = live_line(self._engine, len(self._vitals.problems))
            print(f"{CLEAR_LINE}{line}", end="", file=sys.stderr, flush=True)

    def _find_troubles(self) -> Troubles:
        isolated = "isolated: our own references do not answer, or did not just now: figures are frozen"
        return {
            "references": (isolated,) if self._engine.isolated else (),
            "names": tuple(self._names.problems()),
            "ledger": self._history.ledger.problems(),
            "windows": () if self._restored.is_set() else (REMEMBERING,),
            **self._telling.troubles(),
            "web": self._doors.problems,
            "configuration": () if self._reload_ok else ("the last reload was refused: run netsla check",),
        }

    async def _with_engine(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def _at_length(self, work: Callable[[], Result]) -> Result:
        """What may keep the engine busy: the watchdog is fed, and what is counted meanwhile is kept."""
        working = asyncio.ensure_future(self._with_engine(lambda: self._history.busy(self._engine, work)))
        while not (await asyncio.wait({working}, timeout=_TURN_S))[0]:
            await asyncio.to_thread(self._history.put_aside, self._probers.drain, time.time_ns())
            self._watch_over()
        return working.result()

    # --- who asks -----------------------------------------------------------------------------------

    def _about(self) -> AgentView:
        facts = self._probers.facts().values()
        return AgentView(
            name=self._plan.agent.name,
            version=netsla.__version__,
            started_ns=self._launched.at_ns,
            config_digest=self._plan.digest,
            problems=self._vitals.problems,
            reload_ok=self._reload_ok,
            lateness_counts=tuple(map(sum, zip(*(fact.lateness_counts for fact in facts), strict=True))),
            lateness_sum_seconds=sum(fact.lateness_sum_seconds for fact in facts),
            receive_drops=sum(fact.receive_drops for fact in facts),
            clock_steps=sum(fact.clock_steps for fact in facts),
            parts=self._vitals.parts,
            outbox_pending=self._telling.pending(),
            mqtt_connected=self._telling.mqtt_connected(),
        )

    def _answers(self) -> dict[str, Handler]:
        return {
            "status": self._answer_status,
            "reload": self._answer_reload,
            "breaches": lambda request, _peer: self._telling.answer_breaches(request),
            "acknowledge": self._answer_acknowledge,
            "exclusion_add": self._excluding.answer_add,
            "exclusion_cancel": self._excluding.answer_cancel,
            "exclusion_list": lambda request, _peer: self._excluding.answer_list(request),
        }

    async def _answer_status(self, request: Request, _peer: Peer) -> bytes:
        only = status.Only.of(request)
        snapshot = await self._showing.snapshot()
        return await asyncio.to_thread(status.render, snapshot, only)

    async def _answer_reload(self, _request: Request, peer: Peer) -> dict[str, str]:
        log.info("reload asked for by uid %d, pid %d", peer.uid, peer.pid)
        return {"status": await self.reload()}

    async def _answer_acknowledge(self, request: Request, peer: Peer) -> dict[str, str]:
        await self._restored.wait()
        return await self._with_engine(lambda: self._telling.acknowledge(self._engine, request, peer))

    def _address_of(self, one: FleetObjective) -> str:
        """Where the probes of an objective go now."""
        probe = next((each for each in one.endpoint.probes if each.row in one.rows), None)
        return (self._names.resolved(probe.address, probe.family) if probe else None) or one.endpoint.endpoint.address

    def _status_line(self) -> str:
        where = ", ".join(self._doors.urls)
        count = len(self._fleet.probes)
        what = f"{counted(count, 'probe')}, {counted(len(self._plan.agreements), 'agreement')}"
        return f"{what}; page and /metrics at {where or 'no address'}"


def _keep(tasks: set[asyncio.Task[Any]], work: Any) -> None:
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _main(launched: Launched) -> None:
    await Agent(launched).run()


def run(launched: Launched) -> None:
    """Run an agent that probes already, in the foreground until SIGTERM or SIGINT; raises ConfigError, HostError."""
    asyncio.run(_main(launched))
