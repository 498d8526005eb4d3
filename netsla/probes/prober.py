"""What every prober offers the agent, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from netsla.model import Samples, Target

# Upper bounds, in seconds, of the histogram of lateness (true send minus its slot).
LATENESS_BOUNDS = (0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class ProberFacts:
    """A prober's audit of itself, cumulative since it started."""

    lateness_counts: tuple[int, ...]  # per bound of LATENESS_BOUNDS and one beyond; not cumulative over bounds
    lateness_sum_seconds: float
    receive_drops: int
    clock_steps: int
    sockets: tuple[str, ...]  # for people: "ipv4 ping socket, rcvbuf 8 MiB, kernel tx+rx stamps"
    problems: tuple[str, ...]  # standing problems, each with its remedy; empty when all is well
    ticks: int  # grows while the prober's thread is alive: the watchdog looks at it


class Prober(Protocol):
    """Packets out, Samples in. Thread-safe; runs its own thread."""

    def load(self, targets: Sequence[Target]) -> None:
        """Take these targets in place of the old; unchanged ones go on without a break or a burst."""

    def start(self) -> None:
        """Open sockets lazily and begin probing; never raises for what one target's faults cause."""

    def drain(self) -> list[Samples]:
        """Everything decided since the last call, oldest first."""

    def facts(self) -> ProberFacts:
        """The audit so far."""

    def stop(self) -> None:
        """End in order; probes in flight are discarded, not counted."""
