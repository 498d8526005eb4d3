"""The page of one endpoint."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
from yarl import URL

from netsla.web import endpoint, page
from netsla.web.asked import Asked
from netsla.web.source import Portrait
from netsla.wire.breaches import Breach
from netsla.wire.chart import Chart, draw
from tests.synthetic import changed, snapshot
from tests.web.conftest import Serve, Source
from tests.web.test_overview import rows

CHART = Chart("uptime", "Availability", (0.0, 60.0), (100.0,), " %", ((0.0, "00:00"),), percent=True)
BREACH = Breach(
    "breach", "1", "acme-dia-1", "ACME", "site-00010", "203.0.113.1", "delivery-5m", "packet_delivery",
    ">= 99%", "5m", "P2", "2026-05-28T20:25:40Z", "2026-05-28T20:25:50Z", ended_at="2026-05-28T20:26:00Z", value=0.98,
    path={"hops": [[1, "192.0.2.1", 0.5]], "reached": False},
)  # fmt: skip


def test_objectives_probes_windows_charts_and_breaches() -> None:
    past = Portrait([("Availability", draw(CHART))], [BREACH])
    text = endpoint.render(snapshot(100), "acme-dia-1", "site-00010", Asked(), past)
    found = rows(text)
    heads = [row[:3] for row in found if row[0] in ("Standing", "Window", "State")]
    assert heads == [
        ["Standing", "Endpoint", "Objective"],
        ["State", "What", "Objective"],
        ["Window", "Probe", "Sent"],
        ["Standing", "Endpoint", "Probe"],
    ]
    assert {row[1] for row in found if row[0].endswith((" met", " breached", " good", " bad"))} == {"site-00010"}
    windows = {row[0]: row for row in found if row[1] == "ping"}
    assert windows["5m"][2] == "300"
    assert windows["5m"][5].endswith(" %")
    assert windows["5m"][9].endswith(" ms")
    (breach,) = (row for row in found if row[0] == "over")
    assert breach[1:] == [
        "breach", "delivery-5m", "2026-05-28 20:25:40", "2026-05-28 20:26:00", "98.0000 %", ">= 99%", "P2", "-", "-",
        "1 hops192.0.2.1 0.500 msIt ends here: the endpoint did not answer.",
    ]  # fmt: skip
    assert '<svg class="chart"' in text
    assert "style=" not in text
    assert '<a href="?span=month">this month</a>' in text
    assert '<a href="?" aria-current="true">the last 24 hours</a>' in text


def test_what_people_configured_is_escaped() -> None:
    evil = "<script>alert('1')</script>"
    base = snapshot(1)
    named = replace(base.roll, agreement=(evil,), endpoint=(evil,), probe=(evil,))
    shown = changed(base, roll=replace(named, objective_agreement=(evil,) * 2, objective_endpoint=(evil,) * 2))
    text = endpoint.render(
        shown, evil, evil, Asked(span="month"), Portrait(problem=evil, breaches=[replace(BREACH, what=evil)])
    )
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
        assert "script-src" not in answer.headers["Content-Security-Policy"], "default-src 'none': no script at all"
        assert rows(await answer.text())[1][1] == odd
    for missing in ("/agreements/acme-dia-0/endpoints/nobody", "/agreements/nobody/endpoints/site-00001"):
        async with client.get(f"{base}{missing}") as answer:
            assert answer.status == 404
