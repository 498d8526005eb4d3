from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import aiohttp
import pytest
from yarl import URL

from netsla.web import page
from netsla.web.asked import Asked
from netsla.web.overview import MAPPED, agreement, overview
from tests.synthetic import changed, roll, snapshot
from tests.web.conftest import Serve, Source
from tests.wire.test_exposition import roll_of_nobody


class Cells(HTMLParser):
    """The text of every table row; fails on scripts, inline styles and handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "style", "iframe"}
        assert not any(name == "style" or name.startswith("on") for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def rows(text: str | None) -> list[list[str]]:
    assert text is not None
    cells = Cells()
    cells.feed(text)
    cells.close()
    return cells.rows


def test_the_overview_shows_the_worst_first() -> None:
    found = rows(overview(snapshot(100)))
    table, endpoints = found[:11], found[11:]
    assert endpoints[0][:3] == ["Standing", "Endpoint", "Agreement"]
    assert endpoints[1][:3] == ["✗ breached", "site-00000", "acme-dia-0"]
    assert [len(endpoints), endpoints[-1][0]] == [101, "✓ met"]
    assert table[0][:4] == ["Standing", "Agreement", "Customer", "Endpoints"]
    assert len(table) == 11
    assert table[1] == ["✗ breached", "acme-dia-0", 'ACME "Nord" GmbH', "10", "", "1", "1", "0", "18", "-150.0000 %"]
    standings = [row[0] for row in table[1:]]
    assert standings == sorted(standings, key=lambda text: "✗-?✓".index(text[0]))


def test_an_agreement_shows_objectives_and_probes() -> None:
    table = rows(agreement(snapshot(100), "acme-dia-0"))
    objectives, probes = table[:21], table[21:]
    assert objectives[1][:5] == ["✗ breached", "site-00000", "delivery-5m", "98.0000 %", ">= 99%"]
    assert probes[1][:5] == ["✓ good", "site-00000", "ping", "203.0.0.0", "answered"]
    assert len(probes) == 11


def test_a_map_leads_to_every_endpoint_while_it_can_be_taken_in() -> None:
    text = agreement(snapshot(30), "acme-dia-0") or ""
    assert text.count("<li><a class=") == 4 + 3, "tiles and squares"
    assert 'title="site-00000: breached" aria-label="site-00000: breached">✗</a>' in text
    many = snapshot(MAPPED + 1, of=roll(MAPPED + 1, agreements=1))
    assert "too many for a map" in (agreement(many, "acme-dia-0") or "")
    few = agreement(many, "acme-dia-0", Asked(standing="breached")) or ""
    assert few.count('aria-label="site-') == (many.objectives.standing.reshape(-1, 2) == 1).any(axis=1).sum()


def test_without_agreements_it_says_how_to_get_one() -> None:
    assert "netsla agreement new" in overview(snapshot(0, of=roll_of_nobody()))


def test_what_is_searched_and_chosen_is_shown() -> None:
    shown = snapshot(100)
    found = rows(overview(shown, Asked(search="SITE-0001")))
    assert [row[1] for row in found if row[-1] != "none" and row[1].startswith("site-")] == [
        f"site-0001{n}" for n in range(10)
    ]
    breached = rows(agreement(shown, "acme-dia-0", Asked(standing="breached")))
    assert {row[1] for row in breached if row[1].startswith("site-")} == {"site-00000"}


def test_pages() -> None:
    shown = snapshot(500, of=roll(500, agreements=500))
    assert len(rows(overview(shown))) == 2 * (page.ROWS + 1)
    assert len(rows(overview(shown, Asked(page=3)))) == 2 * 101
    assert 'rel="next" href="?page=2"' in overview(shown)
    assert 'rel="next"' not in overview(shown, Asked(page=3))
    assert rows(overview(shown, Asked(page=99)))[1] == ["none"]


def test_what_people_configured_is_escaped() -> None:
    evil = "<script>alert('1')</script>"
    base = snapshot(2)
    named = replace(
        base.roll, agreement=(evil, evil), endpoint=(evil, evil), customer=(evil, evil), address=(evil, evil)
    )
    named = replace(named, objective_agreement=(evil,) * 4, objective_endpoint=(evil,) * 4)
    shown = changed(base, roll=named, agent=replace(base.agent, name=evil, problems=(evil,)))
    for text in (overview(shown), agreement(shown, evil)):
        assert rows(text)[1][1] == evil


async def test_the_page_over_http(serve: Serve, source: Source, client: aiohttp.ClientSession) -> None:
    odd = "ACME & Söhne/1?"
    source.shown = changed(
        source.shown,
        roll=replace(
            source.shown.roll,
            agreement=(odd, *source.shown.roll.agreement[1:]),
            objective_agreement=(odd, odd, *source.shown.roll.objective_agreement[2:]),
        ),
    )
    _, base = await serve()
    async with client.get(f"{base}/") as answer:
        text = await answer.text()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'href="/agreements/ACME%20%26%20S%C3%B6hne%2F1%3F"' in text
    async with client.get(URL(f"{base}/agreements/ACME%20%26%20S%C3%B6hne%2F1%3F", encoded=True)) as answer:
        assert answer.status == 200
        assert rows(await answer.text())[1][1] == "site-00000"
    async with client.get(f"{base}/agreements/nobody") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("query", ["0", "-1", "x", "", "9" * 30, "²"])
async def test_odd_page_numbers(serve: Serve, client: aiohttp.ClientSession, query: str) -> None:
    _, base = await serve()
    async with client.get(f"{base}/", params={"page": query}) as answer:
        assert answer.status == 200
