"""icmplib's own batch call, once a second, all addresses at once; nothing of netsla is loaded here.

`python -m bench.drive_icmplib COUNT SECONDS [FILE.npz] [--hold loop]`: the file has `address`, `after_ns`, `rtt_ns`
as :class:`bench.capture.Reported`. With `--hold` a task of the same loop keeps it busy for half a second at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from ipaddress import IPv4Address
from pathlib import Path

from icmplib import async_multiping

from bench.holding import FREE_SECONDS, hold
from bench.lab import targets

_TIMEOUT_S = 2
Trip = tuple[int, int, int]  # address, a moment before the request, round trip: ns


def main() -> None:
    """Drive it, write the file."""
    parser = argparse.ArgumentParser(prog="bench.drive_icmplib")
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--hold", choices=["loop"])
    args = parser.parse_args()
    trips = asyncio.run(_rounds(targets(args.count), args.seconds, args.hold))
    if args.file:
        _write(args.file, trips)


async def _rounds(addresses: list[str], seconds: float, held: str | None) -> list[Trip]:
    """A round a second for so long."""
    trips: list[Trip] = []
    holder = asyncio.create_task(_holding(held)) if held else None
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        trips += await _round(addresses)
        await asyncio.sleep(max(0.0, start + 1 - time.monotonic()))
    if holder:
        holder.cancel()
    return trips


async def _round(addresses: list[str]) -> list[Trip]:
    before_ns = time.time_ns()
    hosts = await async_multiping(
        addresses, count=1, timeout=_TIMEOUT_S, concurrent_tasks=len(addresses), privileged=False
    )
    return [(int(IPv4Address(host.address)), before_ns, round(rtt * 1e6)) for host in hosts for rtt in host.rtts]


async def _holding(how: str) -> None:
    while True:
        hold(how)
        await asyncio.sleep(FREE_SECONDS)


def _write(file: Path, trips: list[Trip]) -> None:
    import numpy as np  # noqa: PLC0415 - only here, so that icmplib's memory is its own

    table = np.array(trips, np.int64).reshape(-1, 3)
    np.savez(file, address=table[:, 0], after_ns=table[:, 1], rtt_ns=table[:, 2])


if __name__ == "__main__":
    main()
