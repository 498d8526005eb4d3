"""A connecting socket: how it is set up, and what the kernel tells of how the handshake ended.

Rules: nothing here decides. An ICMP error is told with its type and code, as it came: a firewall's "port unreachable"
ends a connect() with the very errno of the endpoint's reset, but only a reset is a sign of life.
"""

from __future__ import annotations

import errno
import socket
import struct

from netsla.model import ProbeSpec, Reason
from netsla.probes.batch import EE_ORIGIN_ICMP, EE_ORIGIN_ICMP6
from netsla.probes.channel import scope_of
from netsla.probes.sender import REASONS

ESTABLISHED = (0, errno.ECONNRESET, errno.EPIPE)
"""How a connect() ends whose handshake was complete: well, or by an endpoint that hung up before we looked."""
SYN_SENT, CLOSED = 2, 7
HALF_OPEN = (SYN_SENT, 3)
"""tcpi_state of a handshake that waits, that failed; where both ends began, the second SYN is out."""
KEPT_BACK = 2
"""tcpi_ca_state of one that waits, and whose SYN a queue of our own host dropped: TCP calls that congestion.

It is full, or its link is down. What a firewall of ours drops is not told so (see :mod:`netsla.probes.exits`).
"""
_INFO = struct.Struct("BB66xI28xI")  # of struct tcp_info: tcpi_state, _ca_state, _rtt in us, _total_retrans
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_SO_MEMINFO, _MEMINFO = 55, struct.Struct("8xI")  # SK_MEMINFO_WMEM_ALLOC: bytes of what is on its way out
_DEFAULT_TTL = 64
_IPV6_UNICAST_HOPS, _IPV6_TCLASS, _IPV6_RECVERR = 16, 67, 25
_IP_RECVERR, _IP_BIND_ADDRESS_NO_PORT = 11, 24
_ERRORS = ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR))
_ERROR_BYTES = 128
# What ICMP errors become on a connecting socket (net/ipv4/icmp.c, icmp_err_convert), where the kernel keeps no more.
_ICMP_OF = {
    errno.ENETUNREACH: 3 << 8,
    errno.EHOSTUNREACH: 3 << 8 | 1,
    errno.ENOPROTOOPT: 3 << 8 | 2,
    errno.EMSGSIZE: 3 << 8 | 4,
    errno.EOPNOTSUPP: 3 << 8 | 5,
    errno.EHOSTDOWN: 3 << 8 | 7,
    errno.EACCES: 3 << 8 | 13,
}


def is_plain(spec: ProbeSpec, family: int) -> bool:
    """Whether a socket needs no option beyond the defaults."""
    return family == socket.AF_INET and spec.dscp == 0 and spec.ttl == _DEFAULT_TTL and spec.source is None


def configure(sock: socket.SocketType, spec: ProbeSpec, zone: str) -> None:
    """Set what a probe asks for; raises OSError, of a source or an interface that is not there."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, spec.ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, spec.dscp << 2)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)  # IPv4 keeps the error of a handshake unasked
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS, spec.ttl)
        if spec.dscp:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, spec.dscp << 2)
    if spec.source is not None:
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        number, _, source_zone = spec.source.partition("%")
        sock.bind((number, 0, 0, scope_of(source_zone or zone)) if ":" in number else (number, 0))


def look(sock: socket.SocketType) -> tuple[int, int, int, int]:
    """(tcpi_state, tcpi_ca_state, RTT in ns by the kernel or 0 if it has none, SYNs beyond the first)."""
    state, congestion, rtt_us, again = _INFO.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
    return state, congestion, rtt_us * 1000, again


def error_of(sock: socket.SocketType) -> int:
    """The errno that a handshake ended with, 0 if it has not; told once."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def hang_up(sock: socket.SocketType) -> None:
    """End it here; a finished handshake with a reset, so that nothing stays in TIME_WAIT."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()


def is_waiting(sock: socket.SocketType) -> bool:
    """Whether a handshake is not decided yet."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == SYN_SENT


def keeps_nothing(sock: socket.SocketType) -> bool:
    """Whether the kernel has let go of everything that was sent: it has left, or it was dropped."""
    (kept,) = _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    return not kept


def keeps_first(sock: socket.SocketType) -> bool:
    """Whether the first SYN still waits in the kernel. A later one is there for a moment each time that it is sent."""
    kept = not keeps_nothing(sock)
    return kept and not look(sock)[3]


def icmp_error(sock: socket.SocketType, code: int) -> int | None:
    """Type and code of the ICMP error that ended a handshake with this errno; None if it was a reset."""
    try:
        _, control, _, _ = sock.recvmsg(1, _ERROR_BYTES, socket.MSG_ERRQUEUE)
    except OSError:
        control = []
    for level, kind, error in control:  # struct sock_extended_err: errno, origin, type, code
        if (level, kind) in _ERRORS and error[4] in (EE_ORIGIN_ICMP, EE_ORIGIN_ICMP6):
            return int(error[5]) << 8 | error[6]
    return None if code == errno.ECONNREFUSED else _ICMP_OF.get(code, 3 << 8)


def own_reason(code: int | None, spec: ProbeSpec) -> Reason:
    """Why our own host would not connect. Without a source set, EADDRNOTAVAIL means that no port is free."""
    if code == errno.EADDRNOTAVAIL and spec.source is None:
        return Reason.NO_DESCRIPTORS
    return REASONS.get(code or 0, Reason.OTHER)
