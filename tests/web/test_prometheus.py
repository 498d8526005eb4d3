"""A real Prometheus server scrapes the agent's web server and answers queries about it."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.web.conftest import Serve, Source

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: netsla
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """A server that scrapes `target` every second; gives its base address."""
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def query(client: aiohttp.ClientSession, base: str, expression: str) -> list[dict[str, Any]]:
    """The result as soon as there is one, for at most 20 s."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with client.get(f"{base}/api/v1/query", params={"query": expression}) as answer:
                    result: list[dict[str, Any]] = (await answer.json())["data"]["result"]
            except (aiohttp.ClientError, KeyError):
                result = []  # not up yet
            if result:
                return result
            await asyncio.sleep(0.1)


async def test_prometheus_reads_what_we_say(
    serve: Serve, source: Source, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    _, base = await serve(compat=("blackbox", "smokeping"))
    async with prometheus(tmp_path, base.removeprefix("http://")) as server:
        assert (await query(client, server, 'up{job="netsla"} == 1'))[0]["value"][1] == "1"
        sent = await query(client, server, "netsla_probe_sent_total")
        delivery = await query(client, server, 'netsla_window_packet_delivery_ratio{window="1h"}')
        budget = await query(client, server, 'netsla_error_budget_remaining_ratio{objective="delivery-5m"}')
        late = await query(client, server, "histogram_quantile(0.5, netsla_schedule_lateness_seconds_bucket)")
        success = await query(client, server, "probe_success")
    shown = source.shown
    by_endpoint = {each["metric"]["endpoint"]: float(each["value"][1]) for each in sent}
    assert by_endpoint == dict(zip(shown.roll.endpoint, shown.sent.tolist(), strict=True))
    ratios = {each["metric"]["endpoint"]: float(each["value"][1]) for each in delivery}
    assert "site-00000" not in ratios  # nothing was sent: absent, not 0 and not 1
    assert math.isclose(ratios["site-00001"], shown.windows[1].delivery[1], abs_tol=1e-9)
    assert {float(each["value"][1]) for each in budget} == {-1.5, 0.75}
    assert len(success) == 29
    assert success[0]["metric"]["instance"].startswith("203.0.")
    assert len(late) == 1
