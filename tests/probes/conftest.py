from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

import pytest

from netsla.model import Target
from netsla.probes.batch import SO_TIMESTAMPING, STAMPS
from tests.probes.wiring import Drive, Namespace, Wire


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
def drive() -> Iterator[Callable[[Sequence[Target]], Drive]]:
    """Makes probers that are stopped at the end."""
    made: list[Drive] = []

    def make(targets: Sequence[Target]) -> Drive:
        made.append(Drive(targets))
        return made[-1]

    yield make
    for one in made:
        one.prober.stop()
