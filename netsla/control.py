"""The control socket, both ends: how the command line asks the running agent.

Rules: a unix stream socket, mode 0660; every request knows its peer by SO_PEERCRED. One request a
connection: a line of JSON `{"op": ..., ...}`. The answer is a line of JSON: `{"ok": true, "length": n}`
and then n bytes of body, or `{"ok": false, "problem": ..., "remedy": ..., "refused": ...}`, or `{"ok": false, "faults":
[...]}` of a configuration. What an operation does is the caller's: a visible table of handlers. The
client end (`ask`) is plain sockets: asyncio is imported only by the server, because the command line
must start fast.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from netsla.errors import AgentError, ConfigError, Fault, HostError, NetslaError, RequestError

if TYPE_CHECKING:
    import asyncio

DEFAULT_SOCKET = "/run/netsla/netsla.sock"
MODE = 0o660
REQUEST_LIMIT = 65_536  # bytes of a request, newline included
REQUEST_SECONDS = 5.0  # to send a request
ANSWER_SECONDS = 60.0  # to take an answer
CONNECTIONS = 32  # at once
_CHUNK = 262_144  # bytes handed to the transport at once
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks."""

    pid: int
    uid: int
    gid: int


Request = dict[str, Any]
Handler = Callable[[Request, Peer], Awaitable[bytes | Mapping[str, Any]]]


def peer_of(sock: socket.socket) -> Peer:
    """The credentials of the other end of a connected unix socket."""
    return Peer(*_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)))


def name_of(uid: int) -> str:
    """A user by name, or by number where the host knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


# --- the asking end --------------------------------------------------------------------------------


def ask(path: str, request: Request, *, seconds: float = 30.0) -> bytes:
    """One request, its answer's body.

    :class:`AgentError` if there is no agent or it cannot answer, :class:`RequestError` if it refuses,
    :class:`ConfigError` if that is for its configuration.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(seconds)
        try:
            channel.connect(path)
            channel.sendall(json.dumps(request).encode() + b"\n")
            with channel.makefile("rb") as answer:
                return _body(answer.readline(), answer.read)
        except TimeoutError as late:
            raise AgentError(f"the agent at {path} did not answer within {seconds:g} s", "see its journal") from late
        except OSError as error:
            raise _unreachable(path, error) from error


def _body(line: bytes, read: Callable[[int], bytes]) -> bytes:
    try:
        head = json.loads(line)
    except ValueError as error:
        raise AgentError("the agent closed the connection without an answer", "see its journal") from error
    if "faults" in head:
        raise ConfigError([Fault(**fault) for fault in head["faults"]])
    if not head["ok"]:
        raise (RequestError if head.get("refused") else AgentError)(head["problem"], head["remedy"])
    body = read(head["length"])
    if len(body) != head["length"]:
        raise AgentError("the agent's answer broke off", "see its journal")
    return body


def _unreachable(path: str, error: OSError) -> AgentError:
    if isinstance(error, PermissionError):
        remedy = "join the group that owns the socket, or use sudo"
    elif isinstance(error, FileNotFoundError | ConnectionRefusedError):
        remedy = "start it (systemctl start netsla, or netsla run), or name its socket with --socket"
    else:
        remedy = "name the agent's socket with --socket"
    return AgentError(f"no agent answers at {path} ({error.strerror or error})", remedy)


# --- the answering end -----------------------------------------------------------------------------


class ControlServer:
    """Answers requests in the running loop, by a table of handlers."""

    def __init__(self, path: str, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._inode = -1
        self._open = 0

    async def start(self) -> None:
        """Listen. :class:`HostError` if the folder is missing, closed to us, or another agent lives there."""
        import asyncio  # noqa: PLC0415 - the client end must not pay for it

        sock = _listening(self._path)
        self._inode = os.stat(self._path).st_ino  # noqa: PTH116 - a string all the way to bind()
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=REQUEST_LIMIT)

    async def close(self) -> None:
        """Stop listening and take the socket's file away, if it is still ours."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        with suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:  # noqa: PTH116 - a string all the way to bind()
                os.unlink(self._path)  # noqa: PTH108 - as above

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import asyncio  # noqa: PLC0415 - as in start

        self._open += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                peer = peer_of(writer.get_extra_info("socket"))
                body = await self._answer(reader, peer)
                await _send(writer, body)
        except (TimeoutError, ConnectionError):
            writer.transport.abort()  # a peer that neither asks, reads nor stays is not waited for
        except asyncio.CancelledError:
            writer.transport.abort()  # the agent ends: the stream that began this task would log it as an error
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, peer: Peer) -> list[bytes]:
        """The pieces of the answer to whatever was asked."""
        try:
            if self._open > CONNECTIONS:
                raise AgentError(f"{CONNECTIONS} requests are under way already", "try again")
            request = await _request(reader)
            handler = self._handlers.get(request["op"])
            if handler is None:
                raise RequestError(
                    f"unknown operation {request['op']!r}", f"known: {', '.join(sorted(self._handlers))}"
                )
            return _framed(await handler(request, peer))
        except ConfigError as error:
            return [_line({"ok": False, "faults": [asdict(fault) for fault in error.faults]})]
        except NetslaError as error:
            refused = isinstance(error, RequestError)
            return [_line({"ok": False, "problem": error.problem, "remedy": error.remedy, "refused": refused})]


async def _request(reader: asyncio.StreamReader) -> Request:
    import asyncio  # noqa: PLC0415 - as in start

    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            request = json.loads(await reader.readline())
    except ValueError as error:  # not JSON, or beyond the limit
        raise RequestError("not a request", f"send one line of JSON of at most {REQUEST_LIMIT} bytes") from error
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise RequestError("not a request", 'send {"op": "...", ...}')
    return request


def _framed(result: bytes | Mapping[str, Any]) -> list[bytes]:
    body = result if isinstance(result, bytes) else _line(result)
    return [_line({"ok": True, "length": len(body)}), body]


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


async def _send(writer: asyncio.StreamWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        for start in range(0, len(piece), _CHUNK):
            writer.write(piece[start : start + _CHUNK])
            await writer.drain()


def _listening(path: str) -> socket.socket:
    """A bound and listening socket at `path`; a file left over by a dead agent is removed."""
    folder = os.path.dirname(path) or "."  # noqa: PTH120 - a string all the way to bind()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _clear(path)
        sock.bind(path)
        os.chmod(path, MODE)  # noqa: PTH101 - as above
        sock.listen(CONNECTIONS)  # only now can anybody connect
    except FileNotFoundError as error:
        sock.close()
        raise HostError(f"no folder {folder} for the control socket", "create it, or set agent.socket") from error
    except PermissionError as error:
        sock.close()
        raise HostError(f"{folder} is closed to this user", "set agent.socket to a path it may write") from error
    except OSError as error:
        sock.close()
        problem = f"cannot listen at {path} ({error.strerror or error})"
        raise HostError(problem, "set agent.socket to another path, of at most 107 bytes") from error
    except HostError:
        sock.close()
        raise
    return sock


def _clear(path: str) -> None:
    """Remove the socket of a dead agent; refuse to touch a living one, or what is no socket."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as above
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise HostError(f"{path} exists and is not a socket", "remove it, or set agent.socket to another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - as above
            return
        except BlockingIOError:  # its backlog is full: it lives
            raise HostError(f"another agent lives at {path}", "stop it, or set agent.socket to another path") from None
        pid = peer_of(probe).pid
    raise HostError(f"another agent lives at {path} (pid {pid})", "stop it, or set agent.socket to another path")
