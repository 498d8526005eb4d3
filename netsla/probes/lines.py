"""The sockets of TCP probes, used again: what a handshake costs beside its packets is mostly making a socket.

Rules: to hang up is to connect to nobody (AF_UNSPEC, see connect(2)): the kernel sends a reset, so that nothing stays
in TIME_WAIT, and forgets the connection with its port, its times and its errno, but not the socket and its options.
What it would not forget is not kept: a socket that an ICMP error came to (another may be in its queue), one bound to a
source (whether that is still ours is for bind() to say, each time) or to a link. An ICMP error about the final ACK it
keeps and does not tell: see :func:`netsla.probes.handshake.nobody_spoke`. A socket whose reset still waits in a queue
of ours is not used: it would be taken for the next SYN. A socket is kept for its own route alone: the kernel goes on
with the sequence numbers where they were, and who knows those of the last handshake could forge the answer to the next.
Kept are at most a quarter of all descriptors, and none where handshakes lack them.
"""

from __future__ import annotations

import ctypes
import errno
import resource
import select
import socket
from collections.abc import Iterable

from netsla.probes.handshake import configure, keeps_nothing
from netsla.probes.routes import Route

_libc = ctypes.PyDLL(None)  # it keeps the interpreter to itself meanwhile: 3 to 6 us
_libc.connect.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
_NOBODY = bytes(16)  # struct sockaddr, AF_UNSPEC
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_ONCE, _DEAF = select.EPOLLOUT | select.EPOLLONESHOT, select.EPOLLONESHOT
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)
_KEPT = 4  # of all descriptors one in so many at most


class Lines:
    """What the routes connect with, and who listens to it."""

    def __init__(self) -> None:
        self._idle: dict[Route, socket.SocketType] = {}
        self._keeping: set[Route] = set()
        self._most = 0
        self._epoll = select.epoll()

    def take(self, route: Route) -> socket.SocketType:
        """A socket that is connected to nobody; raises OSError of our own host."""
        sock = self._idle.pop(route, None)
        if sock is not None:
            if keeps_nothing(sock):
                return sock
            sock.close()
        try:
            sock = socket.SocketType(route.family, _KIND)
        except OSError as error:
            if error.errno not in _EXHAUSTED or not self._idle:
                raise
            self._let_go()
            sock = socket.SocketType(route.family, _KIND)
        try:
            if not route.plain:
                configure(sock, route.spec, route.zone)
            self._epoll.register(sock.fileno(), _DEAF)
        except OSError:
            sock.close()
            raise
        return sock

    def listen(self, sock: socket.SocketType) -> int:
        """Hear how its handshake ends, once; returns its descriptor."""
        descriptor = sock.fileno()
        self._epoll.modify(descriptor, _ONCE)
        return descriptor

    def heard(self, wait_ms: int, most: int) -> list[tuple[int, int]]:
        """(descriptor, events) of those whose handshake ended."""
        return self._epoll.poll(wait_ms / 1000, most)

    def put_back(self, route: Route, sock: socket.SocketType, *, clean: bool) -> None:
        """Hang up; `clean` if its handshake ended well, and no error of any kind came."""
        hung_up = _libc.connect(sock.fileno(), _NOBODY, len(_NOBODY)) == 0
        has_place = len(self._idle) < self._most and route not in self._idle
        if clean and hung_up and has_place and route in self._keeping:
            self._idle[route] = sock
        else:
            sock.close()  # epoll forgets a closed descriptor by itself

    def reset(self, routes: Iterable[Route]) -> None:
        """From now on it is these that are connected."""
        self._let_go()
        self._keeping = {route for route in routes if route.spec.source is None and not route.zone}
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _KEPT

    def _let_go(self) -> None:
        for sock in self._idle.values():
            sock.close()
        self._idle.clear()

    def close(self) -> None:
        """Close all that are not in use."""
        self.reset(())
        self._epoll.close()
