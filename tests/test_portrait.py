"""An endpoint's recent past as charts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from netsla.model import SECOND, Plan
from netsla.portrait import Portraits
from netsla.store.layout import Layout
from netsla.store.ledger import Ledger
from netsla.web.asked import SPANS
from tests.sla.builders import HOUR, plan, ratio_objective
from tests.store.cells import LIMIT_US, START_S, cells

NOW_NS = (START_S + 3 * 3600) * SECOND
NO_EVENTS = b'{"events":[],"paths":{}}'


@pytest.fixture
def recorded(tmp_path: Path) -> Plan:
    """Two endpoints with three hours of record."""
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    layout = Layout.of_keys(("a/e0/ping", "a/e1/ping"), ((LIMIT_US,),) * 2)
    for cell in cells(2, 180):
        ledger.append(cell, layout)
    ledger.close()
    made = plan(2, objectives=(ratio_objective(window=HOUR),))
    return replace(made, agent=replace(made.agent, state_dir=str(tmp_path)))


async def test_three_charts_of_every_span(recorded: Plan) -> None:
    portraits = Portraits(lambda: recorded, lambda _since: NO_EVENTS, lambda: NOW_NS)
    steps = {"hour": "minute", "day": "hour", "week": "day", "month": "day"}
    assert steps.keys() == SPANS.keys()
    for span, step in steps.items():
        found = await portraits.portrait("a", "e0", span)
        assert found.problem == ""
        titles = [title for title, _ in found.charts]
        assert titles == [
            f"Availability by the {step}, e0",
            f"Packet delivery by the {step}, e0",
            f"Mean round-trip time by the {step}, e0",
        ]
        assert all(svg.startswith("<svg") for _, svg in found.charts)
        assert ("not known for" in found.charts[0][1]) is (span != "hour"), "what was not measured is marked"
    portraits.close()


async def test_breaches_of_this_endpoint_are_listed_and_marked(recorded: Plan) -> None:
    asked: list[int] = []

    def events(since_ns: int) -> bytes:
        asked.append(since_ns)
        told = [event(name) for name in ("e0", "e1")]
        return orjson.dumps({"events": told, "paths": {}})

    portraits = Portraits(lambda: recorded, events, lambda: NOW_NS)
    found = await portraits.portrait("a", "e0", "day")
    assert [(one.endpoint, one.open) for one in found.breaches] == [("e0", True)]
    assert "breach: o1" in found.charts[0][1]
    assert "1 breach." in found.charts[0][1], "told apart from outages, also to those who listen"
    assert "outage" not in found.charts[0][1]
    assert asked == [NOW_NS - 86_400 * SECOND]
    assert await portraits.portrait("a", "e0", "day") is found, "remembered for a minute"
    assert len(asked) == 1
    portraits.close()


async def test_what_cannot_be_drawn_is_said(recorded: Plan, tmp_path: Path) -> None:
    gone = replace(recorded, agent=replace(recorded.agent, state_dir=str(tmp_path / "nowhere")))
    portraits = Portraits(lambda: gone, lambda _since: NO_EVENTS, lambda: NOW_NS)
    found = await portraits.portrait("a", "e0", "day")
    assert "cannot be read" in found.problem
    assert found.charts == ()
    portraits.close()
    portraits = Portraits(lambda: recorded, lambda _since: NO_EVENTS, lambda: NOW_NS)
    assert (await portraits.portrait("a", "nobody", "day")).problem == ""
    portraits.close()


def event(endpoint: str) -> dict[str, object]:
    """An `opened` as the outbox keeps it."""
    return {
        "id": endpoint,
        "kind": "opened",
        "agreement": {"id": "a", "version": 1, "customer": ""},
        "endpoint": {"id": endpoint, "address": "192.0.2.1"},
        "probe": "ping",
        "objective": {"id": "o1", "metric": "packet_delivery", "statistic": None, "target": ">= 99%", "window": "1h"},
        "severity": "P2",
        "value": 0.9,
        "evidence": "conclusive",
        "onset": "2026-05-29T03:00:00Z",
        "decided_at": "2026-05-29T03:01:00Z",
        "ended_at": None,
    }
