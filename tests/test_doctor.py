import errno
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from netsla import doctor
from netsla.errors import HostError
from netsla.model import Plan, ProbeSpec, ProbeType
from tests.sla.builders import plan

HOST = {
    "/proc/sys/net/ipv4/ping_group_range": "1\t0\n",
    "/proc/self/status": "Name:\tx\nCapEff:\t0000000000000000\n",
    "/proc/sys/net/core/rmem_max": "212992\n",
    "/proc/sys/net/core/wmem_max": "33554432\n",
    "/proc/sys/net/core/tstamp_allow_data": "0\n",
    "/proc/sys/net/ipv6/conf/all/disable_ipv6": "1\n",
}


def test_neither_ping_nor_raw_sockets_is_told_with_both_ways_out() -> None:
    (finding,) = doctor.privileges(HOST.get, [1000])
    assert "ping_group_range is 1 0" in finding.fact
    assert "sysctl -w net.ipv4.ping_group_range" in finding.remedy
    assert "CAP_NET_RAW" in finding.remedy


@pytest.mark.parametrize(
    ("host", "groups"),
    [
        ({"/proc/sys/net/ipv4/ping_group_range": "0\t2147483647"}, [1000]),
        ({"/proc/sys/net/ipv4/ping_group_range": "5\t5"}, [1000, 5]),
        ({"/proc/self/status": "CapEff:\t0000000000002000"}, [1000]),
    ],
)
def test_either_privilege_is_enough(host: dict[str, str], groups: list[int]) -> None:
    assert list(doctor.privileges((HOST | host).get, groups)) == []


def test_buffers_are_held_against_the_rate_of_the_plan() -> None:
    small = {"/proc/sys/net/core/rmem_max": "4194304", "/proc/sys/net/core/wmem_max": "4194304"}
    assert list(doctor.buffers(small.get, rate=1000)) == []
    facts = [finding.fact for finding in doctor.buffers(small.get, rate=10_000)]
    assert [fact.split()[0] for fact in facts] == ["net.core.rmem_max", "net.core.wmem_max"]


def test_the_rest_is_said_when_it_limits_and_not_otherwise() -> None:
    assert [f.fact.split()[0] for f in doctor.stamps(HOST.get)] == ["net.core.tstamp_allow_data"]
    assert list(doctor.stamps(dict[str, str]().get)) == []
    assert len(list(doctor.families(HOST.get))) == 1
    kept = {"/proc/net/netstat": "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 3 7\nIpExt: InOctets\nIpExt: 9\n"}
    assert "dropped 7 packets" in next(doctor.returns(kept.get)).fact
    assert list(doctor.returns({"/proc/net/netstat": kept["/proc/net/netstat"].replace("3 7", "3 0")}.get)) == []
    assert list(doctor.returns(dict[str, str]().get)) == []
    assert len(list(doctor.counters({"/proc/net/snmp": "Ip: OutRequests\nIp: 7\n"}.get, handshakes=0.1))) == 1
    assert list(doctor.counters({"/proc/net/snmp": "Ip: OutRequests OutTransmits\nIp: 7 7\n"}.get, 0.1)) == []
    assert list(doctor.counters(dict[str, str]().get, handshakes=0)) == []
    assert list(doctor.descriptors(1024, at_once=500)) == []
    assert "1256" in next(doctor.descriptors(1024, at_once=1000)).remedy
    assert list(doctor.clock(0)) == []
    assert len(list(doctor.clock(5))) == 1
    assert list(doctor.room("/var", 2 << 30)) == []
    assert next(doctor.room("/var", 5 << 20)).fact == "only 5 MiB are free in /var"


def test_this_host_is_examined_without_a_fault() -> None:
    assert all(str(finding).count(": ") >= 1 for finding in doctor.examine(plan()))


def _plan_of(*kinds: ProbeType) -> Plan:
    specs = tuple(ProbeSpec(str(kind), kind, port=80 if kind is ProbeType.TCP else None) for kind in kinds)
    return plan(probes=specs)


def _opener(*allowed: tuple[int, int]) -> doctor.Open:
    def opened(family: int, kind: int, protocol: int) -> socket.socket:
        if (family, kind) not in allowed:
            raise PermissionError(errno.EPERM, "not permitted")
        return socket.socket(socket.AF_UNIX)

    return opened


def test_regression_13_a_plan_of_icmp_alone_needs_an_icmp_socket() -> None:
    with pytest.raises(HostError, match=r"neither ping nor raw.*ping_group_range.*CAP_NET_RAW"):
        doctor.require_sockets(_plan_of(ProbeType.ICMP), _opener())


@pytest.mark.parametrize("way", [(socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_RAW)])
def test_one_icmp_socket_is_enough_to_begin(way: tuple[int, int]) -> None:
    doctor.require_sockets(_plan_of(ProbeType.ICMP), _opener(way))


def test_a_plan_that_can_measure_something_begins() -> None:
    doctor.require_sockets(_plan_of(ProbeType.ICMP, ProbeType.TCP), _opener())
    doctor.require_sockets(plan(endpoints=0), _opener())


def test_a_folder_is_made_and_must_be_open_to_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o750
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match=r"cannot make the folder .*file/x: Not a directory"):
        doctor.make_folder(tmp_path / "file" / "x")
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK | os.X_OK)  # root may write anywhere
    with pytest.raises(HostError, match="closed to this user: chown it"):
        doctor.make_folder(tmp_path / "a")
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY))
    doctor.make_folder(tmp_path / "a")  # a disk that has failed: the agent measures, and says so
