from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

import pytest

from netsla.model import Target
from netsla.probes.batch import SO_TIMESTAMPING, STAMPS
from tests.probes.wiring import Drive, Namespace, Silence, Wire


@pytest.fixture(scope="session", autouse=True)
def stamping() -> Iterator[None]:
    """The kernel stamps what comes in only a moment after the first socket asks for it: ask for the whole session."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS)
        yield


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace in which this thread is, with ping sockets for everybody."""
    one = Namespace("n")
    try:
        one.set("ipv4/ping_group_range", "0 2147483647")
        with one.entered():
            yield one
    finally:
        one.delete()


@pytest.fixture
def wire(namespace: Namespace) -> Iterator[Wire]:
    one = Wire(namespace)
    yield one
    one.close()


@pytest.fixture
def silence() -> Iterator[Silence]:
    with Silence() as one:
        yield one


@pytest.fixture
def drive() -> Iterator[Callable[[Sequence[Target]], Drive]]:
    """Makes probers that are stopped at the end."""
    made: list[Drive] = []

    def make(targets: Sequence[Target]) -> Drive:
        made.append(Drive(targets))
        return made[-1]

    yield make
    for one in made:
        one.prober.stop()


@pytest.fixture
def veth(namespace: Namespace) -> Iterator[Namespace]:
    """The far end of a veth pair that swallows everything; the near one is `near`, with 10.40.0.1 and fd40::1."""
    far = Namespace("f")
    namespace.set("ipv6/conf/default/accept_dad", "0")
    namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far.name)
    for address in ("10.40.0.1/24", "10.40.0.2/24", "fd40::1/64", "fd40::2/64"):
        namespace.ip("addr", "add", address, "dev", "near", *(["nodad"] if ":" in address else []))
    hardware = "02:00:00:00:00:01"
    far.ip("link", "set", "far", "address", hardware)
    for name, end in (("far", far), ("near", namespace)):
        end.ip("link", "set", name, "up")
    for network, gateway in (("10.0.0.0/8", "10.40.0.254"), ("fd00::/8", "fd40::ffff")):  # nobody has to find them
        namespace.ip("neigh", "replace", gateway, "lladdr", hardware, "dev", "near", "nud", "permanent")
        namespace.ip("route", "replace", network, "via", gateway, "dev", "near")
    yield far
    far.delete()
