"""`netsla probe`: one address, probed by the agent's own probers, with every step in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from netsla.errors import Exit
from netsla.model import SECOND, TCP_RESET, Outcome, ProbeSpec, ProbeType, Reason, SampleFlag, Samples, Target
from netsla.probes.icmp import IcmpProber
from netsla.probes.prober import Prober
from netsla.probes.resolve import Resolution, Resolver
from netsla.probes.tcp import TcpProber
from netsla.wire import words

_LOOK_S = 0.02


def run_explain(address: str, spec: ProbeSpec, count: int) -> int:
    """Probe and print as it happens; the exit code: 0 if anything was answered."""
    answered = False
    for line, good in explain(address, spec, count):
        answered |= good
        print(line, flush=True)
    return Exit.OK if answered else Exit.FAILED


def explain(address: str, spec: ProbeSpec, count: int) -> Iterator[tuple[str, bool]]:
    """(line, whether it tells of an answer), as it happens; takes about `count` seconds."""
    resolution = asyncio.run(Resolver().resolve(address, "any"))
    yield from ((line, False) for line in _resolved(address, resolution))
    if not resolution.addresses:
        return
    prober: Prober = IcmpProber() if spec.type is ProbeType.ICMP else TcpProber()
    each = replace(spec, interval_ns=SECOND)
    prober.load([Target(0, f"probe/{address}", resolution.addresses[0], each)])
    yield f"asking     {_how(each)}", False
    prober.start()
    try:
        yield from _watch(prober, each, count, v6=":" in resolution.addresses[0])
    finally:
        prober.stop()


def _watch(prober: Prober, spec: ProbeSpec, count: int, *, v6: bool) -> Iterator[tuple[str, bool]]:
    decided, told, received = 0, False, 0
    until = time.monotonic() + count + spec.timeout_ns / SECOND + 2
    while decided < count and time.monotonic() < until:
        time.sleep(_LOOK_S)
        facts = prober.facts()
        if facts.sockets and not told:
            told = True
            yield f"socket     {'; '.join(facts.sockets)}", False
        for batch in prober.drain():
            for i in range(min(len(batch), count - decided)):  # one that took seconds has others behind it
                decided += int(batch.outcome[i]) <= Outcome.UNMEASURED
                received += int(batch.outcome[i]) == Outcome.ANSWERED
                yield _line(prober, batch, i, v6=v6), int(batch.outcome[i]) == Outcome.ANSWERED
    for problem in prober.facts().problems:
        yield f"problem    {problem}", False
    yield f"result     {received} of {decided} answered", False


def _resolved(name: str, resolution: Resolution) -> Iterator[str]:
    if resolution.error:
        yield f"name       {name} does not resolve: {resolution.error}"
    elif resolution.addresses != (name,):
        yield f"name       {name} is {', '.join(resolution.addresses)} (asked again after {resolution.ttl:g} s)"


def _how(spec: ProbeSpec) -> str:
    what = f"ICMP echo, {spec.size} bytes of payload" if spec.type is ProbeType.ICMP else f"TCP port {spec.port}"
    return f"{what}, time limit {spec.timeout_ns / SECOND:g} s, ttl {spec.ttl}"


def _line(prober: Prober, batch: Samples, i: int, *, v6: bool) -> str:
    outcome, detail, flags = Outcome(int(batch.outcome[i])), int(batch.detail[i]), int(batch.flags[i])
    sent = datetime.fromtimestamp(int(batch.sent_ns[i]) / SECOND, UTC)
    text = f"{sent:%H:%M:%S.%f}  {outcome.name.lower()}"
    if batch.rtt_ns[i] >= 0:
        text += f" in {int(batch.rtt_ns[i]) / 1e6:.3f} ms ({_stamps(flags, prober)})"
    if outcome is Outcome.UNMEASURED:
        text += f": {Reason(detail).label}, this host could not send it"
    elif detail == TCP_RESET:
        text += ": connection reset, the host is there and the port is closed"
    elif outcome is Outcome.REFUSED:
        offenders = prober.offenders() if isinstance(prober, IcmpProber) else {}
        text += f": {words.refusal(detail, v6=v6)}" + (f", says {offenders[0]}" if offenders else "")
    elif flags & SampleFlag.RETRANSMITTED:
        text += f": the SYN was sent {detail + 1} times"
    return text


def _stamps(flags: int, prober: Prober) -> str:
    if isinstance(prober, TcpProber):
        return "user-space time" if flags & SampleFlag.USER_STAMP else "kernel's handshake time"
    text = "sent by user-space stamp" if flags & SampleFlag.USER_STAMP else "kernel stamps at both ends"
    return text + ("; the wall clock stepped" if flags & SampleFlag.CLOCK_STEP else "")
