"""The page of one endpoint."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
from yarl import URL

from netsla.web import endpoint, page
from netsla.web.source import Portrait
from netsla.wire.breaches import Breach
from netsla.wire.chart import Chart, draw
from tests.synthetic import changed, snapshot
from tests.web.conftest import Serve, Source
from tests.web.test_page import rows

CHART = Chart("uptime", "Availability", (0.0, 60.0), (100.0,), " %", ((0.0, "00:00"),), percent=True)
BREACH = Breach(
    "breach", "1", "acme-dia-1", "ACME", "site-00010", "203.0.113.1", "delivery-5m", "packet_delivery",
    ">= 99%", "5m", "P2", "2026-05-28T20:25:40Z", "2026-05-28T20:25:50Z", ended_at="2026-05-28T20:26:00Z", value=0.98,
)  # fmt: skip


def test_objectives_probes_windows_charts_and_breaches() -> None:
    past = Portrait([("Availability", draw(CHART))], [BREACH])
    text = endpoint.render(snapshot(100), "acme-dia-1", "site-00010", "day", past)
    found = rows(text)
    heads = [row[:3] for row in found if row[0] in ("Standing", "Window", "What")]
    assert heads == [
        ["Standing", "Endpoint", "Objective"],
        ["Standing", "Endpoint", "Probe"],
        ["Window", "Probe", "Sent"],
        ["What", "Objective", "Onset"],
    ]
    assert {row[1] for row in found if row[0].endswith(("met", "breached", "good", "bad"))} == {"site-00010"}
    windows = {row[0]: row for row in found if row[1] == "ping"}
    assert windows["5m"][2] == "300"
    assert windows["5m"][5].endswith(" %")
    assert windows["5m"][9].endswith(" ms")
    assert found[-1] == ["breach", "delivery-5m", BREACH.onset, BREACH.ended_at, "98.0000 %", ">= 99%", "P2"]
    assert '<svg class="chart"' in text
    assert "style=" not in text
    assert '?span=month">this month</a>' in text


def test_what_people_configured_is_escaped() -> None:
    evil = "<script>alert('1')</script>"
    base = snapshot(1)
    named = replace(base.roll, agreement=(evil,), endpoint=(evil,), probe=(evil,))
    shown = changed(base, roll=replace(named, objective_agreement=(evil,) * 2, objective_endpoint=(evil,) * 2))
    text = endpoint.render(shown, evil, evil, "month", Portrait(problem=evil, breaches=[replace(BREACH, what=evil)]))
    assert rows(text)[1][1] == evil


async def test_one_click_leads_from_the_page_to_an_endpoint(
    serve: Serve, source: Source, client: aiohttp.ClientSession
) -> None:
    odd = "Köln & 1/2?"
    source.shown = changed(
        source.shown,
        roll=replace(
            source.shown.roll,
            endpoint=(odd, *source.shown.roll.endpoint[1:]),
            objective_endpoint=(odd, odd, *source.shown.roll.objective_endpoint[2:]),
        ),
    )
    _, base = await serve()
    where = page.address("acme-dia-0", odd)
    async with client.get(f"{base}/") as answer:
        assert f'href="{where}"' in await answer.text()
    async with client.get(URL(f"{base}{where}?span=month", encoded=True)) as answer:
        assert answer.status == 200
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert rows(await answer.text())[1][1] == odd
    for missing in ("/agreements/acme-dia-0/endpoints/nobody", "/agreements/nobody/endpoints/site-00001"):
        async with client.get(f"{base}{missing}") as answer:
            assert answer.status == 404
