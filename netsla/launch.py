"""From the command to the first probe: what lies before it, and nothing that it could do without.

Rules: no event loop, ledger, engine or server here, nor any module that needs one: on a cold disk each costs its time.
They are imported while the probers probe already. Names are asked by the agent: their probes begin when they have an
address. Who cannot measure by this configuration, or has no place here, is told before a packet leaves.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from netsla import config, doctor, ports
from netsla.model import Plan, Target
from netsla.probes.address import is_numeric
from netsla.probes.crew import Crew
from netsla.sla.fleet import Fleet, Roster
from netsla.store.lock import FolderLock

log = logging.getLogger("netsla")

CLEAR_LINE = "\r\x1b[K"  # takes the live line away, on a terminal
_SWITCH_S = 0.0002  # thread switch interval: a long computation delays each step of a prober by so much, not by 5 ms


@dataclass(frozen=True, slots=True)
class Launched:
    """An agent that probes, and does nothing else yet."""

    path: Path  # of the configuration
    plan: Plan
    at_ns: int  # since when, UTC: layouts are of this instant
    lock: FolderLock
    listening: tuple[socket.socket, ...]  # for the web server: a probe of our own port is answered from the first
    roster: Roster
    fleet: Fleet
    probers: Crew
    complete: bool  # whether everything is probed: no address is a name


def launch(path: Path) -> Launched:
    """Begin to probe by a configuration; raises ConfigError, HostError. No garbage is collected from now on."""
    _set_up_process()
    plan, warnings = config.load(path)
    for warning in warnings:
        log.warning("%s", warning)
    doctor.require_sockets(plan)
    folder = Path(plan.agent.state_dir)
    doctor.make_folder(folder)
    lock = FolderLock(folder)
    lock.take()
    listening = ports.open_all(plan.web.listen)
    now, roster = time.time_ns(), Roster()
    fleet = roster.lay_out(plan, now)
    targets = [Target(one.row, one.key, one.address, one.spec) for one in fleet.watched if is_numeric(one.address)]
    probers = Crew()
    probers.load(targets)
    return Launched(path, plan, now, lock, tuple(listening), roster, fleet, probers, len(targets) == len(fleet.watched))


def _set_up_process() -> None:
    form = f"{CLEAR_LINE * sys.stderr.isatty()}%(levelname)s %(message)s"
    logging.basicConfig(format=form, level=logging.INFO, stream=sys.stderr)
    sys.setswitchinterval(_SWITCH_S)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)  # until the agent listens to them: there is nothing yet that could be lost
    gc.disable()  # what is made now stays: looking through it again and again holds every thread


def _end(_number: int, _frame: object) -> None:
    sys.exit(0)
