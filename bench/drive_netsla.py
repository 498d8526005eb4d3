"""netsla's ICMP prober alone, as the agent drives it, writing down every single round trip it reports.

`python -m bench.drive_netsla COUNT SECONDS FILE.npz [--hold loop|interpreter]`: asks the first COUNT addresses of the
lab once a second. The file has `address`, `after_ns`, `rtt_ns` as :class:`bench.capture.Reported`, and how many probes
were `unmeasured` and `lost`, and how late 99 % left at most (`lateness_p99`, s). The agent itself tells only sums.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from ipaddress import IPv4Address
from itertools import accumulate
from pathlib import Path

import numpy as np

from bench.holding import FREE_SECONDS, HELD_SECONDS, hold
from bench.lab import targets
from bench.metrics import quantile_bound
from netsla.model import Outcome, ProbeSpec, ProbeType, Samples, Target
from netsla.probes.icmp import IcmpProber
from netsla.probes.prober import LATENESS_BOUNDS

_SWITCH_S = 0.001  # the thread switch interval that the agent sets
_EARLIER_NS = 400_000_000  # a moment safely between two probes of one address, which are a second apart


def main() -> None:
    """Drive the prober, write the file."""
    parser = argparse.ArgumentParser(prog="bench.drive_netsla")
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("file", type=Path)
    parser.add_argument("--hold", choices=["loop", "interpreter"])
    args = parser.parse_args()
    sys.setswitchinterval(_SWITCH_S)
    addresses = targets(args.count)
    spec = ProbeSpec("ping", ProbeType.ICMP)
    prober = IcmpProber()
    prober.load([Target(row, f"bench/{address}/ping", address, spec) for row, address in enumerate(addresses)])
    prober.start()
    samples = _drained(prober, args.seconds, args.hold)
    late = prober.facts().lateness_counts
    prober.stop()
    answered = samples.take(samples.outcome == Outcome.ANSWERED)
    numbers = np.array([int(IPv4Address(address)) for address in addresses], np.int64)
    np.savez(
        args.file,
        address=numbers[answered.row],
        after_ns=answered.sent_ns - _EARLIER_NS,
        rtt_ns=answered.rtt_ns,
        unmeasured=np.sum(samples.outcome == Outcome.UNMEASURED),
        lost=np.sum((samples.outcome == Outcome.LOST) | (samples.outcome == Outcome.REFUSED)),
        lateness_p99=quantile_bound(dict(zip((*LATENESS_BOUNDS, math.inf), accumulate(late), strict=True)), 0.99),
    )


def _drained(prober: IcmpProber, seconds: float, held: str | None) -> Samples:
    """Everything that was decided within so many seconds, the main thread held or idle between drains."""
    batches: list[Samples] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if held:
            hold(held)
        time.sleep(FREE_SECONDS if held else HELD_SECONDS)
        batches += prober.drain()
    return Samples.join([Samples.empty(), *batches])


if __name__ == "__main__":
    main()
