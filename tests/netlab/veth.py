"""A plain wire: veth pairs between the lab's namespaces, for scenarios where the fault is the host's own.

near side 10.98.0.1 and fd98::1; far side: every address of 10.99.0.0/16 and fd99::/32 answers, and refuses TCP
with a reset. Two more pairs have addresses of their own (10.97.0.0/24, fd97::/64 and 10.96.0.0/24, fd96::/64), so that
the MTU of one can be lowered, and the other taken down.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from tests.netlab.lab import Lab, run

LINK, THIN, FRAIL = "link0", "thin0", "frail0"  # the near ends
_FAR_ENDS = {LINK: "link1", THIN: "thin1", FRAIL: "frail1"}
_NUMBER = {LINK: 98, THIN: 97, FRAIL: 96}


def join(lab: Lab) -> None:
    """Join the namespaces, and wait until they are: an agent probes within a second. Addresses are there at once."""
    for near, far in _FAR_ENDS.items():
        run("ip", "-n", lab.near, "link", "add", near, "type", "veth", "peer", "name", far, "netns", lab.far)
        for namespace, device, host in ((lab.far, far, 2), (lab.near, near, 1)):
            for setting in ("accept_dad=0", "keep_addr_on_down=1"):
                sysctl(namespace, f"net.ipv6.conf.{device}.{setting}")
            run("ip", "-n", namespace, "address", "add", f"10.{_NUMBER[near]}.0.{host}/24", "dev", device)
            run("ip", "-n", namespace, "-6", "address", "add", f"fd{_NUMBER[near]}::{host}/64", "dev", device, "nodad")
            run("ip", "-n", namespace, "link", "set", device, "up")
    run("ip", "-n", lab.far, "route", "add", "local", "10.99.0.0/16", "dev", "lo")
    run("ip", "-n", lab.far, "-6", "route", "add", "local", "fd99::/32", "dev", "lo")
    for device in _FAR_ENDS:
        await_up(lab, device)


def sysctl(namespace: str, setting: str) -> None:
    """Set a sysctl in a namespace."""
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", setting)


def route(lab: Lab, network: str, *how: str) -> None:
    """Replace the near side's route: `prohibit` and its like, the words of a right one, or none at all."""
    family = ["-6"] if ":" in network else []
    kind = how if len(how) == 1 else ()
    run("ip", "-n", lab.near, *family, "route", "flush", "exact", network)
    if how:
        run("ip", "-n", lab.near, *family, "route", "add", *kind, network, *(() if kind else how))


def through(network: str, device: str = LINK) -> tuple[str, ...]:
    """The words of the right route to a far network."""
    gateway = f"fd{_NUMBER[device]}::2" if ":" in network else f"10.{_NUMBER[device]}.0.2"
    return "via", gateway, "dev", device


def restore(lab: Lab, networks: Sequence[str], device: str = LINK) -> None:
    """Give far networks their right routes."""
    for network in networks:
        route(lab, network, *through(network, device))


def await_up(lab: Lab, device: str) -> None:
    """Wait until both ends have carrier."""
    limit = time.monotonic() + 10
    while True:
        links = [
            json.loads(run("ip", "-n", namespace, "-j", "link", "show", name))[0]["operstate"]
            for namespace, name in ((lab.near, device), (lab.far, _FAR_ENDS[device]))
        ]
        if links == ["UP", "UP"]:
            return
        assert time.monotonic() < limit, links
        time.sleep(0.05)
