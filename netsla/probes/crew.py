"""The probers of one agent: one for each type of probe that was ever asked for, so that nobody runs a thread idly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from netsla.model import ProbeType, Samples, Target
from netsla.probes.icmp import IcmpProber
from netsla.probes.prober import Prober, ProberFacts
from netsla.probes.tcp import TcpProber

PROBERS: Mapping[ProbeType, Callable[[], Prober]] = {ProbeType.ICMP: IcmpProber, ProbeType.TCP: TcpProber}

_BREATH_S = 0.0005
_MOMENT_S = 0.02  # longer than a tick of 1,000 probes; where ticks follow one another nobody waits for ever


class Crew:
    """Hands each prober its targets, and gathers what they found. Loaded by one thread, drained by any."""

    def __init__(self, makers: Mapping[ProbeType, Callable[[], Prober]] = PROBERS) -> None:
        self._makers = makers
        self._probers: dict[ProbeType, Prober] = {}

    def load(self, targets: Iterable[Target]) -> None:
        """Probe these in place of those before; a prober whose last target went stays, for what is in flight."""
        by_type: dict[ProbeType, list[Target]] = {kind: [] for kind in self._probers}
        for target in targets:
            by_type.setdefault(target.spec.type, []).append(target)
        for kind, its_targets in by_type.items():
            prober = self._probers.get(kind) or self._makers[kind]()
            prober.load(its_targets)
            if kind not in self._probers:
                prober.start()
                self._probers = {**self._probers, kind: prober}  # made anew: another thread may be walking the old one

    def drain(self) -> list[Samples]:
        """Everything decided since the last call."""
        return [batch for prober in self._probers.values() for batch in prober.drain()]

    def facts(self) -> dict[ProbeType, ProberFacts]:
        """The audit of each."""
        return {kind: prober.facts() for kind, prober in self._probers.items()}

    def make_way(self) -> None:
        """Wait until no tick is under way, a moment at most: to be called now and then by who computes at length.

        A tick takes the interpreter's lock some ten times, and waits each time for whoever holds it.
        """
        until = time.monotonic() + _MOMENT_S
        while any(prober.ticking for prober in self._probers.values()) and time.monotonic() < until:
            time.sleep(_BREATH_S)

    def stop(self) -> None:
        """End them all."""
        for prober in self._probers.values():
            prober.stop()
