import socket

import pytest

from netsla import ports
from netsla.errors import HostError


def close(opened: list[socket.socket]) -> None:
    for one in opened:
        one.close()


def test_who_connects_is_answered_before_anybody_serves() -> None:
    (one,) = ports.open_all([("127.0.0.1", 0)])
    with socket.create_connection(one.getsockname(), timeout=5):
        assert not one.getblocking()
    one.close()


def test_every_address_of_the_host_is_both_families() -> None:
    opened = ports.open_all([("", 0)])
    assert {one.family for one in opened} == {socket.AF_INET, socket.AF_INET6}
    close(opened)


def test_one_port_that_is_taken_leaves_none_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (first,) = ports.open_all([("127.0.0.1", 0)])
        free = first.getsockname()
        first.close()
        with pytest.raises(HostError, match=f"port {port} of 127.0.0.1 is in use: .*web.listen"):
            ports.open_all([free, ("127.0.0.1", port)])
    close(ports.open_all([free]))


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(HostError, match=r"192\.0\.2\.1"):
        ports.open_all([("192.0.2.1", 0)])
