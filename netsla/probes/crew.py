"""The probers of one agent: one for each type of probe that was ever asked for, so that nobody runs a thread idly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from netsla.model import ProbeType, Samples, Target
from netsla.probes.icmp import IcmpProber
from netsla.probes.prober import Prober, ProberFacts
from netsla.probes.tcp import TcpProber

PROBERS: Mapping[ProbeType, Callable[[], Prober]] = {ProbeType.ICMP: IcmpProber, ProbeType.TCP: TcpProber}


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

    def stop(self) -> None:
        """End them all."""
        for prober in self._probers.values():
            prober.stop()
