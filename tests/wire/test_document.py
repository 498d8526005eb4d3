"""The document of an agreement: twelve sections, every figure that settles something in words and numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsla import config
from netsla.model import Agreement, Kind, UptimeRule
from netsla.wire.document import sections, uptime_words
from netsla.wire.document_page import markdown
from tests.sla.contracts import at

NOW = at("2026-03-01")
TITLES = [
    "Parties and term", "Service and demarcation", "Operating hours", "Metrics and targets", "Measurement method",
    "Severity levels", "Maintenance and notice", "Dependencies", "Exclusions", "Reports and evidence",
    "Credits and claims", "Review and changes",
]  # fmt: skip


@pytest.fixture(scope="module")
def agreements() -> dict[str, Agreement]:
    plan, _ = config.load(Path("config/netsla.yaml"))
    return {one.id: one for one in plan.agreements}


@pytest.fixture
def acme(agreements: dict[str, Agreement]) -> Agreement:
    return agreements["acme-dia-42"]


def test_twelve_sections_in_their_order(agreements: dict[str, Agreement]) -> None:
    for one in agreements.values():
        assert [section.title for section in sections(one, NOW)] == TITLES
        assert all(section.blocks for section in sections(one, NOW)), "what is not agreed is said"


@pytest.mark.parametrize(
    "said",
    [
        "until the end of 2029-01-31", "Europe/Berlin", "43m12s down", "more than 50% of its probes are lost",
        "at least 2m",
        "announced at least 5d before, between 00:00 and 06:00, at most 4h a month", "2026-03-08 02:00 CET",
        "transit-north",
        "Example: a month with 99.89% uptime earns 5%: 45.00 EUR.", "at most 50% in all",
        "| P1 | Service unusable | 15m | 4h |",
        "NTU port 1", "To be reviewed by 2026-08-01.", "netsla verify",
    ],
)  # fmt: skip
def test_every_figure_of_the_example_is_there(acme: Agreement, said: str) -> None:
    assert said in markdown(acme, NOW)


def test_kinds_are_told_apart(acme: Agreement) -> None:
    internal = markdown(replace(acme, kind=Kind.INTERNAL), NOW)
    assert "No money is involved." in internal
    assert "45.00" not in internal
    assert "what we are owed" in markdown(replace(acme, kind=Kind.VENDOR), NOW)
    assert "one-sided" in markdown(replace(acme, kind=Kind.COMMITMENT), NOW)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (UptimeRule("", "interval"), "Each bad interval is down time."),
        (
            UptimeRule("mef", "sliding", 10),
            "first of 10 bad intervals in a row, and up again from the first of 10 good",
        ),
        (UptimeRule(), "if it lasts at least 2m"),
        (UptimeRule(all_lost=True), "bad if nothing came back"),
        (UptimeRule(feed="ping", min_samples=3), "(probe ping decides). One with fewer than 3 probes is unknown."),
    ],
)
def test_uptime_rules_in_words(rule: UptimeRule, said: str) -> None:
    assert said in uptime_words(rule)


def test_now_is_only_used_for_what_is_planned(acme: Agreement) -> None:
    later = at("2031-01-01")
    assert sections(acme, NOW)[:6] == sections(acme, later)[:6]
