from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from netsla.errors import AgentError, HostError
from netsla.model import SECOND, WebSettings
from netsla.sla.snapshot import Snapshot
from netsla.web import WebServer
from netsla.wire.labelling import Labelling
from tests.web.conftest import Serve, Source


async def test_metrics(serve: Serve, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    async with client.get(f"{base}/metrics") as answer:
        text = await answer.text()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["netsla_probe_sent"].samples[0].labels["endpoint"] == "site-00000"
    assert families["netsla_build_info"].samples[0].labels == {"version": "0.1.0", "agent": "probe-fra1"}
    assert families["netsla_config_last_reload_successful"].samples[0].value == 1
    assert families["netsla_receive_drops"].samples[0].value == 3
    assert families["netsla_clock_steps"].samples[0].value == 1
    assert families["netsla_probe_unmeasured"].samples[0].labels["reason"] == "no_route"
    assert "process_cpu_seconds" in families
    assert families["netsla_mqtt_connected"].samples == [], "the family is known, its value is not: there is no broker"
    lateness = {s.labels.get("le", s.name[-3:]): s.value for s in families["netsla_schedule_lateness_seconds"].samples}
    assert (lateness["0.0001"], lateness["0.001"], lateness["+Inf"], lateness["sum"]) == (5, 12, 16, 1.25)


MALFORMED = (
    b"\x16\x03\x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
)


@pytest.mark.parametrize("sent", MALFORMED)
async def test_malformed_requests_are_told_and_leave_no_traceback(
    serve: Serve, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    server, _ = await serve()
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(sent)
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    assert [record for record in caplog.records if record.exc_info] == []


async def test_bugs_are_logged_and_told_without_details(
    serve: Serve, source: Source, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    _, base = await serve()
    source.shown = None  # type: ignore[assignment] # a bug of the agent
    async with client.get(f"{base}/metrics") as answer:
        assert answer.status == 500
        assert "NoneType" not in await answer.text()
        assert answer.headers["Server"] == "netsla"
    assert any(record.exc_info for record in caplog.records)


async def test_promtool_accepts_a_live_scrape(serve: Serve, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    async with client.get(f"{base}/metrics") as answer:
        text = await answer.read()
    pipe = asyncio.subprocess.PIPE
    promtool = await asyncio.create_subprocess_exec(
        "promtool", "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert await promtool.communicate(text) == (b"", b"")
    assert promtool.returncode == 0


async def test_status_and_its_filters(serve: Serve, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    async with client.get(f"{base}/api/v1/status") as answer:
        document = await answer.json()
    assert document["schema"] == "netsla.status/1"
    assert len(document["probes"]) == 30
    query = {"agreement": "acme-dia-3", "endpoint": "site-00009"}
    async with client.get(f"{base}/api/v1/status", params=query) as answer:
        document = await answer.json()
    assert [probe["endpoint"] for probe in document["probes"]] == ["site-00009"]


async def test_figures_that_are_not_there_yet_are_refused_with_the_reason(
    serve: Serve, source: Source, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reading_back() -> Snapshot:
        raise AgentError("the record is being read back", "ask again")

    _, base = await serve()
    monkeypatch.setattr(source, "snapshot", reading_back)
    for path in ("/metrics", "/api/v1/status", "/"):
        async with client.get(base + path) as answer:
            assert (answer.status, "ask again" in await answer.text()) == (503, True)


async def test_the_operators_labels_are_on_every_metric(
    serve: Serve, source: Source, client: aiohttp.ClientSession
) -> None:
    _, base = await serve()
    for pop in ("fra1", "fra2"):
        source.labelling = Labelling((("pop", pop),))
        source.shown = replace(source.shown, at_ns=source.shown.at_ns + SECOND)
        async with client.get(f"{base}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if line and not line.startswith("#")]
        assert len(lines) > 100
        assert [line for line in lines if f'pop="{pop}"' not in line] == []


async def test_health_and_readiness(serve: Serve, source: Source, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    async with client.get(f"{base}/-/healthy") as answer:
        assert (answer.status, await answer.text()) == (200, "netsla is healthy.\n")
    async with client.get(f"{base}/-/ready") as answer:
        assert (answer.status, await answer.text()) == (200, "netsla is ready.\n")
    source.problems, source.is_ready = ["no socket: see netsla doctor"], False
    async with client.get(f"{base}/-/healthy") as answer:
        assert (answer.status, await answer.text()) == (503, "netsla is not healthy.\nno socket: see netsla doctor\n")
    async with client.get(f"{base}/-/ready") as answer:
        assert answer.status == 503


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/nowhere", "/static/netsla.css"])
async def test_every_answer_is_locked_down(serve: Serve, client: aiohttp.ClientSession, path: str) -> None:
    _, base = await serve()
    async with client.get(base + path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(serve: Serve, client: aiohttp.ClientSession, method: str) -> None:
    _, base = await serve()
    for path in ("/metrics", "/api/v1/status", "/"):
        async with client.request(method, base + path, data=b"x") as answer:
            assert answer.status == 405


async def test_head_has_no_body(serve: Serve, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    async with client.head(f"{base}/metrics") as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 1000
        assert await answer.read() == b""


async def test_ipv6_and_several_addresses(serve: Serve, client: aiohttp.ClientSession) -> None:
    server, _ = await serve(listen=(("127.0.0.1", 0), ("::1", 0)))
    (_, _), (host, port) = server.addresses
    assert host == "::1"
    assert server.urls[1] == f"http://[::1]:{port}/"
    async with client.get(f"http://[::1]:{port}/-/ready") as answer:
        assert answer.status == 200


async def test_a_port_in_use_is_named_with_the_remedy(source: Source) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = WebServer(WebSettings(listen=(("127.0.0.1", port),)), source)
        with pytest.raises(HostError, match=f"port {port} of 127.0.0.1 is in use: .*web.listen"):
            await server.start()


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours(source: Source, host: str) -> None:
    server = WebServer(WebSettings(listen=((host, 0),)), source)
    with pytest.raises(HostError, match=f"{host} is not an address of this host"):
        await server.start()
