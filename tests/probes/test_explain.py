import socket

import numpy as np
import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, ProbeSpec, ProbeType, Samples
from netsla.probes import explain
from netsla.probes.explain import run_explain
from netsla.probes.tcp import TcpProber

PING = ProbeSpec("icmp", ProbeType.ICMP, timeout_ns=SECOND)


def tcp(port: int) -> ProbeSpec:
    return ProbeSpec("tcp", ProbeType.TCP, port=port, timeout_ns=500 * MILLISECOND)


def test_an_answer_is_told_with_its_socket_and_stamps(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_explain("127.0.0.1", PING, 1) == 0
    told = capsys.readouterr().out
    assert "asking     ICMP echo, 56 bytes of payload, time limit 1 s, ttl 64" in told
    assert "socket, receive buffer" in told
    assert "answered in 0.0" in told
    assert "kernel stamps at both ends" in told
    assert told.endswith("result     1 of 1 answered\n")


def test_a_closed_port_is_told_apart_from_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert run_explain("127.0.0.1", tcp(closed.getsockname()[1]), 1) == 1
    assert "refused: connection reset, the host is there and the port is closed" in capsys.readouterr().out


def test_a_name_is_told_with_its_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert run_explain("localhost", tcp(server.getsockname()[1]), 1) in (0, 1)
    assert "name       localhost is " in capsys.readouterr().out


def test_a_name_that_does_not_resolve_is_told_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_explain("no-such-name.invalid", PING, 1) == 1
    assert "no-such-name.invalid does not resolve" in capsys.readouterr().out


class AllAtOnce(TcpProber):
    """What was out for three seconds comes back together, as from a neighbour that does not exist."""

    def drain(self) -> list[Samples]:
        row, zero = np.zeros(3, np.int32), np.zeros(3, np.int64)
        outcome = np.full(3, Outcome.LOST, np.uint8)
        return [Samples(row, np.arange(3), zero, zero - 1, outcome, np.zeros(3, np.uint16), np.zeros(3, np.uint8))]


def test_no_more_is_told_than_was_asked_for() -> None:
    told = [line for line, _ in explain._watch(AllAtOnce(), tcp(1), 2, v6=False)]
    assert [line.split()[1] for line in told] == ["lost", "lost", "0"]
    assert told[-1] == "result     0 of 2 answered"
