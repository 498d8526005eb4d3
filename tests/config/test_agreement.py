from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from netsla.model import Kind, Measurement, Party
from tests.config.writing import agreement, mistakes


def test_only_id_and_endpoints_are_needed(tmp_path: Path) -> None:
    found = agreement(tmp_path, "")
    assert (found.id, found.version, found.kind, found.timezone, found.plan) == ("a", 1, Kind.CUSTOMER, "UTC", "")
    assert found.credits is None
    assert found.measurement == Measurement()
    assert found.document == {}
    assert found.endpoints[0].objectives == ()


def test_everything(tmp_path: Path) -> None:
    keys = """\
        title: Access
        version: 4
        kind: vendor
        parties: {vendor: {name: N, noc: n@n.example, phone: "+49 30 1"}, customer: {name: C}}
        launch: 2026-01-15
        term: {from: 2026-02-01, to: 2026-12-31, review: 2026-08-01}
        service: {description: D, demarcation: M, technologies: [x, y], monthly_charge: 900.00}
        severities: {P1: {description: All is dead, respond: 15m, restore: 4h}}
        exclusions: [War]
        reports: Monthly
        changes: In writing
        """
    found = agreement(tmp_path, keys)
    assert found.kind is Kind.VENDOR
    assert found.parties == (
        Party("vendor", "N", (("noc", "n@n.example"), ("phone", "+49 30 1"))),
        Party("customer", "C"),
    )
    assert (found.term_from, found.term_to) == (date(2026, 2, 1), date(2027, 1, 1))
    assert found.monthly_charge == Decimal("900.00")
    assert str(found.monthly_charge) == "900.00"
    assert found.document == {
        "title": "Access",
        "description": "D",
        "demarcation": "M",
        "technologies": ["x", "y"],
        "exclusions": ["War"],
        "reports": "Monthly",
        "changes": "In writing",
        "severities": {"P1": {"description": "All is dead", "respond": "15m", "restore": "4h"}},
        "launch": "2026-01-15",
        "review": "2026-08-01",
    }


def test_a_plan_that_is_wrong_does_not_make_its_users_wrong(tmp_path: Path) -> None:
    text = """\
        plans: {gold: 5}
        agreements:
          - id: a
            plan: gold
            objectives: [{id: up, severity: P1}]
            endpoints: [{id: e, address: 192.0.2.1}]
        """
    assert [line.split(" (")[0] for line in mistakes(tmp_path, text)] == [
        "netsla.yaml:1:15: gold: keys with values are expected"
    ]


def test_contacts_are_text(tmp_path: Path) -> None:
    text = "agreements: [{id: a, parties: {customer: {name: N, vip: no}}, endpoints: [{id: e, address: 192.0.2.1}]}]"
    (line,) = mistakes(tmp_path, text)
    assert line.startswith("netsla.yaml:1:57: vip: YAML reads no as true or false")


def test_dependencies(tmp_path: Path) -> None:
    def text(*needs: str) -> str:
        entry = "  - {{id: a{0}, depends_on: [{1}], endpoints: [{{id: e, address: 192.0.2.1}}]}}\n"
        return "agreements:\n" + "".join(entry.format(i, need) for i, need in enumerate(needs))

    assert mistakes(tmp_path, text("a1", "a2", "")) == []
    assert len(mistakes(tmp_path, text("a1", "a2", "a0"))) == 3
    (line,) = mistakes(tmp_path, text("a11", ""))
    assert "did you mean 'a1'?" in line
