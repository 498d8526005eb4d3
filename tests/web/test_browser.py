"""The pages in a real Chromium: under their own policy, on a phone, in the dark, by keyboard, without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from netsla.web.page import address
from netsla.web.source import Portrait
from netsla.wire.chart import BREACH, EXCLUSION, OUTAGE, UNKNOWN, Band, Chart, draw
from tests.synthetic import changed, roll, snapshot
from tests.web.chromium import Tab, chromium
from tests.web.conftest import Serve, Source

ENDPOINT = address("acme-dia-0", "site-00000")
PLACES = ("/", "/agreements/acme-dia-0", ENDPOINT, "/?standing=breached&search=site&refresh=30")
BANDS = [
    Band(600.0 * n, 600.0 * n + 300, kind, kind) for n, kind in enumerate((OUTAGE, EXCLUSION, UNKNOWN, BREACH), start=1)
]
CHART = Chart(
    "uptime", "Availability", [60.0 * n for n in range(61)], [99.0 + n % 2 for n in range(60)], " %",
    [(0.0, "00:00")], percent=True, limit=99.5, limit_text="target >= 99.5%", bands=BANDS,
)  # fmt: skip

# The least contrast (WCAG 2.2) of any text on the page with what lies behind it, and whose it is.
CONTRAST = """(() => {
  const light = part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const lum = c => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => sum + w * light(c[i] / 255), 0);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = one => { for (; one; one = one.parentElement) {
    const c = rgb(getComputedStyle(one).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return rgb(getComputedStyle(document.body).backgroundColor); };
  let worst = [99, ''];
  for (const one of document.querySelectorAll('body *')) {
    if (['title', 'desc'].includes(one.tagName)) continue;
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const style = getComputedStyle(one);
    const ink = one.namespaceURI.endsWith('svg') ? style.fill : style.color;
    const [a, b] = [lum(rgb(ink)), lum(behind(one))];
    const found = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (found < worst[0]) worst = [found, one.outerHTML.slice(0, 120)];
  }
  return worst;
})()"""


class Yesterday:
    """A Past with a chart that has everything."""

    async def portrait(self, agreement: str, endpoint: str, span: str) -> Portrait:
        return Portrait([(f"Availability, {span}", draw(CHART))])


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path) as tab:
        yield tab


@pytest.fixture
async def base(serve: Serve, source: Source) -> str:
    """A server whose agent has a problem, and agreements of every standing."""
    standing = source.shown.objectives.standing
    standing[6:12], standing[12:18] = 2, 3
    agent = replace(source.shown.agent, problems=("isolated: our own references do not answer",))
    source.shown = changed(source.shown, agent=agent)
    server, base = await serve()
    server._past = Yesterday()
    return base


async def test_every_page_on_every_screen(tab: Tab, base: str) -> None:
    for scheme in ("light", "dark"):
        for width in (1400, 390):
            await tab.screen(width, scheme=scheme)
            for place in PLACES:
                await tab.open(base + place)
                here = f"{place}, {width} px, {scheme}"
                assert await tab.look("document.documentElement.scrollWidth") <= width, f"{here}: it scrolls sideways"
                contrast, whose = await tab.look(CONTRAST)
                assert contrast >= 4.5, f"{here}: {whose}"
    assert tab.complaints == [], "its own policy forbids something, or something did not load"


async def test_it_needs_no_script_and_loads_nothing_from_elsewhere(tab: Tab, base: str) -> None:
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    for place in PLACES:
        await tab.open(base + place)
        assert await tab.look("document.scripts.length") == 0
        names = await tab.look("performance.getEntriesByType('resource').map(one => one.name)")
        assert {name.removeprefix(base) for name in names} <= {"/static/netsla.css", "/static/netsla.svg"}


async def test_one_click_from_the_overview_to_an_endpoint_and_its_spans(tab: Tab, base: str) -> None:
    await tab.open(f"{base}/")
    assert await tab.look("document.title") == "✗ Agreements · netsla"
    await tab.click("table.endpoints tbody a")
    assert await tab.look("location.pathname") == ENDPOINT
    assert await tab.look("document.querySelectorAll('svg.chart').length") == 1
    marks = await tab.look("[...document.querySelectorAll('svg g')].map(g => g.querySelector('.mark').textContent)")
    assert sorted(marks) == ["", "?", "B", "E"], "of an outage the mark is a triangle"
    await tab.click(".choices li:first-child a")
    assert await tab.look("document.querySelector('figcaption').textContent") == "Availability, hour"
    await tab.click("main nav a:last-child")
    assert await tab.look("location.pathname") == "/agreements/acme-dia-0"
    assert await tab.look("document.querySelectorAll('.map a').length") == 3


async def test_standings_are_words_and_shapes_and_the_search_works(tab: Tab, base: str) -> None:
    await tab.open(f"{base}/")
    shapes = "[...document.querySelectorAll('.badge')].map(one => [one.className.split(' ')[1], one.textContent])"
    assert {(kind, text) for kind, text in await tab.look(shapes)} >= {
        ("breached", "✗ breached"), ("insufficient_data", "? insufficient data"), ("no_data", "- no data"),
        ("met", "✓ met"),
    }  # fmt: skip
    styles = "[...new Set([...document.querySelectorAll('.tile')].map(one => getComputedStyle(one).borderLeftStyle))]"
    assert sorted(await tab.look(styles)) == ["dashed", "dotted", "double", "solid"]
    await tab.look("document.querySelector('input[name=search]').value = 'SITE-00007'")
    await tab.click("form button")
    assert await tab.look("document.querySelectorAll('table.endpoints tbody tr').length") == 1
    await tab.click(".tiles li:first-child a")
    assert await tab.look("location.search") == "?standing=breached&search=SITE-00007"
    assert await tab.look("document.querySelector('table.endpoints tbody').textContent") == "none"


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(tab: Tab, base: str) -> None:
    await tab.open(f"{base}/agreements/acme-dia-0")
    await tab.press("Tab")
    assert await tab.look("document.activeElement.textContent") == "To the content"
    reached = set()
    for _ in range(20):
        assert await tab.look("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        reached.add(await tab.look("document.activeElement.className || document.activeElement.tagName"))
        await tab.press("Tab")
    assert {"skip", "A", "tile breached", "INPUT", "BUTTON"} <= reached


async def test_three_thousand_endpoints_fit_on_a_map(tab: Tab, base: str, source: Source) -> None:
    source.shown = snapshot(3000, of=roll(3000, agreements=1))
    await tab.screen(1400)
    await tab.open(f"{base}/agreements/acme-dia-0")
    assert await tab.look("document.querySelectorAll('.map a').length") == 3000
    assert await tab.look("document.querySelector('.map a.breached').textContent") == "✗"
    assert await tab.look("document.querySelector('.map a.breached').title") == "site-00000: breached"
    assert await tab.look("document.querySelectorAll('table.objectives tbody tr').length") == 200
