"""The ports that the agent listens at for HTTP: open before the first probe leaves.

Rules: plain sockets, and nothing imported that is large. The kernel completes handshakes from here on, so that whoever
probes a port of ours, we ourselves perhaps, is answered while the server behind it is still being made.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from netsla.errors import HostError

BACKLOG = 128  # handshakes that wait to be served


def open_all(places: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Listening sockets at all of them; HostError, and none is open, if one is not to be had.

    A host of "" is every address of this host; port 0 is any that is free.
    """
    opened: list[socket.socket] = []
    try:
        for host, port in places:
            try:
                opened += _open(host, port)
            except OSError as error:
                raise _refused(host, port, error) from error
    except HostError:
        for one in opened:
            one.close()
        raise
    return opened


def _open(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            one = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # a family that this host does not have
        opened.append(one)
        try:
            _listen(one, address)
        except OSError:
            for each in opened:
                each.close()
            raise
    return opened


def _listen(one: socket.socket, address: tuple[object, ...]) -> None:
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
    one.bind(address)
    one.listen(BACKLOG)


def _refused(host: str, port: int, error: OSError) -> HostError:
    """Why it cannot listen there, with the remedy."""
    place = f"port {port} of {host or 'all addresses'}"
    if error.errno == errno.EADDRINUSE:
        return HostError(f"{place} is in use", f"see who has it (ss -ltnp 'sport = :{port}'), or set web.listen")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return HostError(
            f"{host} is not an address of this host", "set web.listen to one that is (ip address), or 127.0.0.1"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return HostError(f"{place} is not allowed to this user", "set web.listen to a port from 1024 on")
    return HostError(f"cannot listen at {place}: {error.strerror or error}", "set web.listen")
