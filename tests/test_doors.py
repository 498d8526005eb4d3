"""Where the agent is asked: both doors open, and stay open whatever a reload wants."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from netsla.control import Peer, Request, ask
from netsla.doors import Doors
from netsla.errors import HostError
from netsla.model import AgentSettings, Plan, WebSettings
from netsla.web.source import NoPast
from tests.synthetic import snapshot
from tests.web.conftest import Source

HERE = WebSettings(listen=(("127.0.0.1", 0),))


async def echo(request: Request, _peer: Peer) -> Request:
    return request


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    made = Doors({"echo": echo}, Source(snapshot(3)), NoPast())
    yield made
    await made.close()


def plan(folder: Path, web: WebSettings = HERE) -> Plan:
    agent = AgentSettings("test", state_dir=str(folder), socket=str(folder / "run" / "s.sock"))
    return Plan(agent=agent, web=web, agreements=())


async def page(url: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(f"{url}-/healthy") as answer:
        return answer.status


async def test_both_are_open_once_it_says_so(doors: Doors, tmp_path: Path) -> None:
    assert doors.urls == []
    await doors.open(plan(tmp_path))
    answer = await asyncio.to_thread(ask, str(tmp_path / "run" / "s.sock"), {"op": "echo", "say": 3})
    assert json.loads(answer)["say"] == 3
    (url,) = doors.urls
    assert await page(url) == 200
    assert doors.problems == ()


async def test_a_port_that_is_taken_is_an_error_of_the_host(doors: Doors, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(HostError, match="is in use"):
            await doors.open(plan(tmp_path, WebSettings(listen=(taken.getsockname(),))))
        assert doors.urls == []


async def test_a_reload_moves_the_page(doors: Doors, tmp_path: Path) -> None:
    await doors.open(plan(tmp_path))
    (before,) = doors.urls
    await doors.renew(HERE)
    assert doors.urls == [before], "nothing has changed"
    await doors.renew(WebSettings(listen=(("127.0.0.2", 0),)))
    (after,) = doors.urls
    assert after.startswith("http://127.0.0.2:")
    assert await page(after) == 200
    with pytest.raises(aiohttp.ClientError):
        await page(before)


async def test_where_a_reload_cannot_listen_it_listens_as_before(doors: Doors, tmp_path: Path) -> None:
    await doors.open(plan(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(HostError):
        await doors.renew(WebSettings(listen=(taken.getsockname(),)))
    (url,) = doors.urls
    assert await page(url) == 200
    await doors.renew(HERE)
    assert doors.urls == [url], "these are the settings that are in force"


async def test_the_page_of_metrics_is_laid_out_before_somebody_asks(doors: Doors, tmp_path: Path) -> None:
    doors.prepare()  # nobody listens yet
    await doors.open(plan(tmp_path))
    doors.prepare()
    assert doors._preparing is not None
    await doors._preparing
