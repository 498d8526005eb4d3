"""Where TCP probes go, and in which order."""

from __future__ import annotations

import socket
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import SECOND, ProbeSpec, ProbeType, Target
from netsla.probes.routes import rounds, route_to

SPEC = ProbeSpec("tcp", ProbeType.TCP, port=443)


def target(row: int, address: str | None, spec: ProbeSpec = SPEC) -> Target:
    return Target(row, f"a/e{row}/tcp", address, spec)


@pytest.mark.parametrize(
    ("address", "family", "where", "zone", "plain"),
    [
        ("192.0.2.7", socket.AF_INET, ("192.0.2.7", 443), "", True),
        ("2001:db8::7", socket.AF_INET6, ("2001:db8::7", 443), "", False),
        ("fe80::7%eth0", socket.AF_INET6, ("fe80::7", 443), "eth0", False),
        (None, socket.AF_INET, None, "", True),
    ],
)
def test_how_to_connect(
    address: str | None, family: int, where: tuple[str, int] | None, zone: str, plain: bool
) -> None:  # fmt: skip
    route = route_to(target(3, address))
    assert (route.row, route.family, route.address, route.zone, route.plain) == (3, family, where, zone, plain)


def test_each_interval_has_a_round_in_the_order_of_its_timetable() -> None:
    slow = replace(SPEC, interval_ns=10 * SECOND)
    targets = [target(row, f"192.0.2.{row}", slow if row % 3 else SPEC) for row in range(30)]
    by_interval = {one.timetable.interval_ns: one for one in rounds(targets)}
    assert by_interval.keys() == {SPEC.interval_ns, slow.interval_ns}
    for interval, one in by_interval.items():
        mine = [each for each in targets if each.spec.interval_ns == interval]
        assert [route.row for route in one.routes] == [mine[at].row for at in one.timetable.order.tolist()]
        assert (np.diff(one.timetable.grain) >= 0).all()
