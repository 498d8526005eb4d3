"""The document of an agreement: twelve sections, every figure that settles something in words and numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from netsla import config
from netsla.model import Agreement, Kind
from netsla.wire.document import sections
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
        "announced at least 5d before it begins and lies between 00:00 and 06:00 (Europe/Berlin) and fits into 4h",
        "2026-03-08 02:00 CET",
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


def test_several_methods_say_whose_they_are(acme: Agreement) -> None:
    text = markdown(acme, NOW)
    assert "For hamburg: profile commercial: time is cut" in text
    assert "For berlin-hq, berlin-dr, bremen, kiel, rostock: profile commercial: time is cut" in text


def test_an_endpoint_with_an_accounting_of_its_own_is_named(acme: Agreement) -> None:
    first, *others = acme.endpoints
    own = replace(acme.measurement, unknown="down", min_coverage=Fraction(1, 2))
    text = markdown(replace(acme, endpoints=(replace(first, measurement=own), *others)), NOW)
    assert f"For {first.id}: unknown time counts as down" in text
    assert "a verdict needs 50% of the time to be known" in text


def test_the_causes_of_exclusions_are_named(acme: Agreement) -> None:
    assert "force majeure, customer equipment, no access, measurement failure." in markdown(acme, NOW)


def test_now_is_only_used_for_what_is_planned(acme: Agreement) -> None:
    later = at("2031-01-01")
    assert sections(acme, NOW)[:6] == sections(acme, later)[:6]
