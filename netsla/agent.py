"""The agent: a Plan becomes parts, the parts run together, and end in order.

Rules: probing has its own threads and never waits for anything here. The engine lives in a single-worker
executor: whatever touches it is sent there (`_with_engine`). The event loop only coordinates. A reload builds
the whole new plan first; any error leaves the old one running.
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
from pathlib import Path
from typing import Any, TypeVar

import netsla
from netsla import config, doctor
from netsla.clock import StepWatch
from netsla.config.loading import refuse_moves
from netsla.control import ControlServer, Handler, Peer, Request
from netsla.errors import AgentError, ConfigError, Exit, HostError
from netsla.excluding import Excluding
from netsla.history import History
from netsla.model import SECOND, Plan, Target
from netsla.portrait import Portraits
from netsla.probes.crew import Crew
from netsla.probes.naming import Names
from netsla.probes.prober import LATENESS_BOUNDS
from netsla.sla.engine import Engine
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet, FleetObjective, Roster
from netsla.sla.snapshot import AgentView, Snapshot
from netsla.sla.standin import StandIn
from netsla.sla.view import Viewer
from netsla.store.lock import FolderLock
from netsla.systemd import Notifier
from netsla.telling import Telling
from netsla.vitals import Troubles, Vitals, live_line
from netsla.web import WebServer
from netsla.wire import status
from netsla.wire.labelling import Labelling

log = logging.getLogger("netsla")
Result = TypeVar("Result")

_TURN_S = 1.0  # how often the engine counts and judges
_ASIDE_S = 0.055  # after the second: probers begin to send every 0.1 s, and should not be held up by it
_PATIENCE_S = 4.0  # less than whoever asks waits for an answer
_REMEMBERING = "what was recorded is being read back: no uptime, no window longer than 1h, no alert until then"
_STEP_NS = 10 * SECOND  # a smaller step of the clock touches no verdict (SLA R15)
_CLEAR = "\r\x1b[K"  # takes the live line away, on a terminal
_SWITCH_S = 0.0002  # thread switch interval: a long computation delays each step of a prober by so much, not by 5 ms


class Agent:
    """One running agent. Async-only: make it inside the loop that runs it."""

    def __init__(self, config_path: Path) -> None:
        self._path = config_path
        self._plan, warnings = config.load(config_path)
        for warning in warnings:
            log.warning("%s", warning)
        self._started_ns = time.time_ns()
        self._roster = Roster()
        self._lock = FolderLock(Path(self._plan.agent.state_dir))
        self._history = History(Path(self._plan.agent.state_dir))
        self._telling = Telling(self._plan, self._history.ledger, self._address_of)
        self._excluding = Excluding(self._history.ledger, lambda: self._plan, self._exclude)
        self._engine = Engine(self._history.read_cell, self._history.read_rows)
        self._viewer = Viewer(self._engine)
        self._worker = ThreadPoolExecutor(1, "engine")
        self._probers = Crew()
        self._names = Names(self._moved)
        self._fleet: Fleet | None = None
        self._labels = Labelling.of(self._plan)
        self._reload_ok = True
        self._reloading = asyncio.Lock()
        self._vitals = Vitals()
        self._snapshot: Snapshot | None = None
        self._viewing: asyncio.Future[Snapshot] | None = None
        self._probing = False
        self._watch = StepWatch()
        self._notifier = Notifier()
        self._end, self._restored = asyncio.Event(), asyncio.Event()
        self._portraits = Portraits(lambda: self._plan, self._telling.breaches)
        self._web: WebServer | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._control: ControlServer | None = None

    # --- life ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Probe until told to end; every part ends with it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        tasks: set[asyncio.Task[Any]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: _keep(tasks, self._reload_by_signal()))
        try:
            doctor.require_sockets(self._plan)
            doctor.make_folder(Path(self._plan.agent.state_dir))
            await self._listen(self._plan)
            self._lock.take()
            self._history.start({"version": netsla.__version__, "plan": self._plan.digest})
            await self._telling.start()
            await self._adopt(self._plan)
            self._probing = True
            tasks.add(asyncio.create_task(self._turns()))
            self._notifier.ready(self._status_line())
            log.info("probing: %s", self._status_line())
            await self._until_end(tasks)
        finally:
            await self._close(tasks)

    async def _go_on(self) -> None:
        """Bring back what was recorded, while the probers probe already; until then nothing is judged or told."""
        log.info("%s", await self._at_length(self._remember))
        self._restored.set()
        self._prepare()
        gc.freeze()

    def _prepare(self) -> None:
        """Lay out the page of metrics before somebody asks."""
        if self._web is not None and self._restored.is_set():
            self._preparing = asyncio.create_task(self._web.prepare())

    def _remember(self) -> str:
        fleet = self._engine.fleet  # by now: a reload may have been quicker
        assert fleet is not None
        self._history.wait(fleet)
        given, open_since = self._excluding.recall(), self._telling.open_since(fleet)
        self._history.stand_in(lambda: StandIn(fleet, given, open_since, time.time_ns(), self._history.read_cell))
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
        for task in (*tasks, *([self._preparing] if self._preparing else [])):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._web:
            await self._web.close()
        self._portraits.close()
        if self._control:
            await self._control.close()
        await self._with_engine(lambda: None)
        self._worker.shutdown()
        await self._telling.close()
        await asyncio.to_thread(self._history.close)
        self._lock.leave()

    # --- plan ---------------------------------------------------------------------------------------

    async def _listen(self, plan: Plan) -> None:
        """Open the web server and the control socket of a plan."""
        doctor.make_folder(Path(plan.agent.socket).parent)
        answers: dict[str, Handler] = {
            "status": self._answer_status,
            "reload": self._answer_reload,
            "breaches": lambda request, _peer: self._telling.answer_breaches(request),
            "acknowledge": self._answer_acknowledge,
            "exclusion_add": self._excluding.answer_add,
            "exclusion_cancel": self._excluding.answer_cancel,
            "exclusion_list": lambda request, _peer: self._excluding.answer_list(request),
        }
        self._control = ControlServer(plan.agent.socket, answers)
        await self._control.start()
        self._web = self._server_of(plan)
        await self._web.start()

    async def _adopt(self, plan: Plan) -> None:
        """Measure by this plan from now on."""
        fleet = await self._at_length(lambda: self._lay_out(plan))
        self._plan, self._labels, self._fleet, self._snapshot = plan, Labelling.of(plan), fleet, None
        self._names.want({(p.address, p.family) for p in fleet.watched})
        self._load_probers(fleet)
        gc.freeze()  # plan and layout stay: a collection that walked them would hold every thread for 0.2 s
        self._prepare()

    def _lay_out(self, plan: Plan) -> Fleet:
        now = time.time_ns()
        fleet = self._roster.lay_out(plan, now)
        self._engine.load(fleet, now)
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
        if self._fleet is not None:
            self._load_probers(self._fleet)

    async def reload(self) -> str:
        """Read the configuration anew; :class:`ConfigError` leaves the old plan running."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                plan, warnings = await asyncio.to_thread(config.load, self._path)
                refuse_moves(self._path, self._plan, plan)
                if plan.web != self._plan.web:
                    await self._move_web(plan)
                elif self._web:
                    await self._web.renew()
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
        self._reload_ok, self._snapshot = reload_ok, None
        self._vitals.note("configuration", self._find_troubles()["configuration"])

    def _server_of(self, plan: Plan) -> WebServer:
        return WebServer(plan.web, self, self._portraits, lateness_bounds=LATENESS_BOUNDS)

    async def _move_web(self, plan: Plan) -> None:
        """Listen elsewhere; if that fails, listen as before."""
        assert self._web is not None
        new = self._server_of(plan)
        await self._web.close()
        try:
            await new.start()
            self._web = new
        except HostError:
            self._web = self._server_of(self._plan)
            await self._web.start()
            raise

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
        assert self._fleet is not None
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
            print(f"{_CLEAR}{live_line(self._engine, len(self._vitals.problems))}", end="", file=sys.stderr, flush=True)

    def _find_troubles(self) -> Troubles:
        isolated = "isolated: our own references do not answer, or did not just now: figures are frozen"
        return {
            "references": (isolated,) if self._engine.isolated else (),
            "names": tuple(self._names.problems()),
            "ledger": self._history.ledger.problems(),
            "windows": () if self._restored.is_set() else (_REMEMBERING,),
            **self._telling.troubles(),
            "web": self._web.problems if self._web else (),
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

    # --- what others look at ------------------------------------------------------------------------

    async def snapshot(self) -> Snapshot:
        """The present Snapshot, at most a turn old; concurrent callers share one."""
        fresh = self._snapshot is not None and time.time_ns() - self._snapshot.at_ns < _TURN_S * SECOND
        if fresh and self._snapshot is not None:
            return self._snapshot
        await self._patience()
        if self._viewing is None:
            whole = self._with_engine(lambda: self._view(self._viewer.view)) if self._restored.is_set() else None
            self._viewing = asyncio.ensure_future(whole or asyncio.to_thread(self._view, self._history.view))
            self._viewing.add_done_callback(self._viewed)
        return await asyncio.shield(self._viewing)

    async def _patience(self) -> None:
        """Who asks before the last hour is read back waits a little."""
        until = time.monotonic() + _PATIENCE_S
        while not (self._restored.is_set() or self._history.stands_in):
            if time.monotonic() > until:
                raise AgentError(_REMEMBERING, "probing goes on; ask again in a moment")
            await asyncio.sleep(_TURN_S / 10)

    def _viewed(self, done: asyncio.Future[Snapshot]) -> None:
        self._viewing = None
        if not done.cancelled() and done.exception() is None:
            self._snapshot = done.result()

    def _view(self, view: Callable[[int, AgentView, dict[int, str]], Snapshot]) -> Snapshot:
        facts = self._probers.facts().values()
        agent = AgentView(
            name=self._plan.agent.name,
            version=netsla.__version__,
            started_ns=self._started_ns,
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
        assert self._fleet is not None
        known = self._names.all_resolved()
        addresses = {
            probe.row: known[key]
            for probe in (self._fleet.probes if known else ())
            if (key := (probe.address, probe.family)) in known
        }
        return view(time.time_ns(), agent, addresses)

    def labels(self) -> Labelling:
        """The labels of the plan in force."""
        return self._labels

    def ready(self) -> bool:
        """Whether probing has begun, and there are figures for whoever asks."""
        return self._probing and self._restored.is_set()

    def health(self) -> tuple[bool, list[str]]:
        """Whether the agent measures as it should, and everything that troubles it."""
        return self._vitals.measuring, list(self._vitals.problems)

    async def _answer_status(self, request: Request, _peer: Peer) -> bytes:
        only = status.Only.of(request)
        snapshot = await self.snapshot()
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
        count = len(self._fleet.probes) if self._fleet else 0
        where = ", ".join(self._web.urls) if self._web else ""
        return f"{count} probes, {len(self._plan.agreements)} agreements; page and /metrics at {where or 'no address'}"


def _keep(tasks: set[asyncio.Task[Any]], work: Any) -> None:
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _main(config_path: Path) -> None:
    await Agent(config_path).run()


def run(config_path: Path) -> int:
    """Run the agent in the foreground until SIGTERM or SIGINT; returns the exit code."""
    form = f"{_CLEAR * sys.stderr.isatty()}%(levelname)s %(message)s"
    logging.basicConfig(format=form, level=logging.INFO, stream=sys.stderr)
    sys.setswitchinterval(_SWITCH_S)
    try:
        asyncio.run(_main(config_path))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return Exit.CONFIG
    except HostError as error:
        print(f"netsla: {error}", file=sys.stderr)
        return Exit.HOST
    return Exit.OK
