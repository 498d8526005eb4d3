from __future__ import annotations

import asyncio
import os
import select
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from netsla import control
from netsla.control import DEFAULT_SOCKET, ControlServer, Handler, Peer, Request, ask
from netsla.errors import AgentError, ConfigError, Fault, HostError, RequestError
from netsla.model import AgentSettings

FAULTS = [Fault("netsla.yaml", 3, 5, "unknown key 'prbes'", "did you mean 'probes'?")]
LARGE = bytes(range(256)) * 40_000  # 10 MB: more than any socket buffer


async def echo(request: Request, peer: Peer) -> Request:
    return {"said": request.get("say"), "pid": peer.pid, "uid": peer.uid}


async def large(request: Request, peer: Peer) -> bytes:
    return LARGE


async def refuse(request: Request, peer: Peer) -> bytes:
    raise HostError("no", "ask nicely")


async def wrong(request: Request, peer: Peer) -> bytes:
    raise RequestError("there is no such thing", "see the list")


async def reload(request: Request, peer: Peer) -> bytes:
    raise ConfigError(FAULTS)


HANDLERS: dict[str, Handler] = {"echo": echo, "large": large, "refuse": refuse, "reload": reload, "wrong": wrong}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    path = str(tmp_path / "netsla.sock")
    server = ControlServer(path, HANDLERS)
    await server.start()
    yield path
    await server.close()


async def asked(path: str, request: Request) -> bytes:
    return await asyncio.to_thread(ask, path, request, seconds=20.0)


async def test_a_request_and_who_made_it(path: str) -> None:
    import orjson

    answer = orjson.loads(await asked(path, {"op": "echo", "say": "grüezi"}))
    assert answer == {"said": "grüezi", "pid": os.getpid(), "uid": os.getuid()}


async def test_a_large_answer_comes_whole(path: str) -> None:
    assert await asked(path, {"op": "large"}) == LARGE


async def test_refusals_carry_their_remedy(path: str) -> None:
    with pytest.raises(AgentError) as refusal:
        await asked(path, {"op": "refuse"})
    assert (refusal.value.problem, refusal.value.remedy) == ("no", "ask nicely")


async def test_a_wrong_request_is_told_apart_from_an_agent_that_cannot_answer(path: str) -> None:
    with pytest.raises(RequestError) as refusal:
        await asked(path, {"op": "wrong"})
    assert (refusal.value.problem, refusal.value.remedy) == ("there is no such thing", "see the list")


async def test_faults_of_a_configuration_come_through(path: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        await asked(path, {"op": "reload"})
    assert refusal.value.faults == tuple(FAULTS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"op": "frob"}\n', "unknown operation 'frob': known: echo, large, refuse, reload, wrong"),
        (b"nonsense\n", "not a request"),
        (b"[1]\n", "not a request"),
        (b'{"op": 7}\n', "not a request"),
        (b"x" * (control.REQUEST_LIMIT + 2), "not a request"),
    ],
)
async def test_what_is_no_request(path: str, line: bytes, problem: str) -> None:
    async with connected(path) as (reader, writer):
        writer.write(line)
        answer = await reader.readline()
        with pytest.raises(RequestError, match=problem):
            control._body(answer, lambda _: b"")


async def test_the_socket_is_for_owner_and_group_only(path: str) -> None:
    assert stat.S_IMODE((await asyncio.to_thread(Path(path).stat)).st_mode) == 0o660


async def test_a_silent_client_is_dropped(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_SECONDS", 0.05)
    async with connected(path) as (reader, _):
        assert await reader.read() == b""


async def test_a_client_that_never_reads_is_dropped_and_holds_nobody(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    with client:
        await asyncio.get_running_loop().sock_connect(client, path)
        await asyncio.get_running_loop().sock_sendall(client, b'{"op": "large"}\n')
        assert b"hello" in await asked(path, {"op": "echo", "say": "hello"})
        poll = select.poll()
        poll.register(client, 0)  # only POLLHUP: the other end has closed
        assert await asyncio.to_thread(poll.poll, 5_000)


@asynccontextmanager
async def connected(path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_answer_that_the_end_cuts_off_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As when the agent is told to end in the midst of a reload: asyncio.run cancels what is under way."""
    begun = asyncio.Event()

    async def endless(request: Request, peer: Peer) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    path = str(tmp_path / "a.sock")
    server = ControlServer(path, {"endless": endless})
    await server.start()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"op": "endless"}\n')
    await begun.wait()
    for task in asyncio.all_tasks():
        if "_serve" in str(task.get_coro()):
            task.cancel()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    assert not caplog.records
    writer.close()
    await server.close()


async def test_close_takes_the_socket_away(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    server = ControlServer(str(path), HANDLERS)
    await server.start()
    await server.close()
    assert not path.exists()
    await server.close()  # twice is fine


async def test_close_leaves_a_successors_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    first = ControlServer(str(path), HANDLERS)
    await first.start()
    path.unlink()
    second = ControlServer(str(path), HANDLERS)
    await second.start()
    await first.close()
    assert b"still" in await asked(str(path), {"op": "echo", "say": "still"})
    await second.close()


async def test_a_dead_agents_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    server = ControlServer(path, HANDLERS)
    await server.start()
    assert b"new" in await asked(path, {"op": "echo", "say": "new"})
    await server.close()


async def test_a_living_agents_socket_is_not(path: str) -> None:
    with pytest.raises(HostError, match=rf"another agent lives at {path} \(pid {os.getpid()}\)"):
        await ControlServer(path, HANDLERS).start()
    assert b"alive" in await asked(path, {"op": "echo", "say": "alive"})


async def test_other_files_are_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(HostError, match="is not a socket"):
        await ControlServer(str(path), HANDLERS).start()
    assert path.read_text() == "data"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("missing/a.sock", "no folder .*missing"), ("x" * 120, "cannot listen at .*: set agent.socket")],
)
async def test_places_that_cannot_be(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(HostError, match=problem):
        await ControlServer(str(tmp_path / name), HANDLERS).start()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"no agent answers at .*netsla.sock.*: start it"):
        ask(str(tmp_path / "netsla.sock"), {"op": "echo"})


def test_an_agent_that_does_not_answer(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(path)
        deaf.listen(1)
        with pytest.raises(AgentError, match=r"did not answer within 0\.1 s"):
            ask(path, {"op": "echo"}, seconds=0.1)


def test_the_client_imports_nothing_heavy() -> None:
    code = "import sys, netsla.control; print([m for m in ('asyncio', 'aiohttp', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_one_default_for_both_ends() -> None:
    assert AgentSettings("a").socket == DEFAULT_SOCKET
