"""The endpoints that agents are killed over: loopback addresses by number, in four agreements."""

from __future__ import annotations

import numpy as np

from netsla.model import IntArray

AGREEMENTS = ("a0", "a1", "a2", "a3")
PER_AGREEMENT = 50
GUESTS = 10  # endpoints of a0 that reloads add and take away
ENDPOINTS = PER_AGREEMENT * len(AGREEMENTS)
FLEET = ENDPOINTS + GUESTS
CHANGING = np.r_[ENDPOINTS - PER_AGREEMENT : FLEET]  # a3, whose threshold reloads change, and the guests
_PER_NET = 250

_HEAD = """\
agent: {name: lab, state_dir: var, socket: netsla.sock}
web: {listen: []}
probes: {ping: {type: icmp, interval: 1s, timeout: 500ms}}
agreements:
"""
_AGREEMENT = """\
  - id: %s
    probes: [ping]
    uptime: {method: interval, interval: %ds, loss_over: 50%%}
    objectives:
      - {id: up, metric: uptime, target: ">= 95%%", window: 1h}
      - {id: delivery, metric: packet_delivery, target: ">= 99%%", window: 5m}
      - {id: latency, metric: latency, statistic: p95, target: "<= %dms", window: 5m}
    endpoints:
"""


def config(seconds: int, *, guests: bool = False, limit_ms: int = 10) -> str:
    """A configuration with cells of so many seconds; `limit_ms` is the latency that a3 promises."""
    text = _HEAD
    for number, name in enumerate(AGREEMENTS):
        text += _AGREEMENT % (name, seconds, limit_ms * 100 if name == "a3" else 1000)
        own = range(number * PER_AGREEMENT, (number + 1) * PER_AGREEMENT)
        also = range(ENDPOINTS, FLEET) if guests and number == 0 else range(0)
        for one in (*own, *also):
            text += f"      - {{id: e{one}, address: 127.77.{one // _PER_NET}.{one % _PER_NET + 1}}}\n"
    return text


def address_number(address: IntArray) -> IntArray:
    """Which endpoint an IPv4 address belongs to."""
    return (address >> 8 & 255) * _PER_NET + (address & 255) - 1
