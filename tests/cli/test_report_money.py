"""Repairs and credits beyond the worked examples, through packs written by hand (R16, R17).

April 2026, UTC, 900.00 a month unless said otherwise; the arithmetic is beside each vector.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.rules import BAD, DELIVERY, UPTIME, minutes, month, shown, told, write

APRIL = ("2026-04-01", "2026-05-01")
REPAIR = '{id: repair, metric: time_to_repair, target: "<= 1h", window: month}'
MEAN = '{id: mttr, metric: time_to_repair, statistic: mean, target: "<= 1h", window: month}'
TIERS = "tiers: [{below: 99.9%, credit: 5%}, {below: 99%, credit: 25%}]"


def settled(folder: Path, *down: tuple[str, int], rules: str = "", more: str = "", **keys: Any) -> dict[str, Any]:
    """April with these outages (start, minutes)."""
    if rules:
        keys["credits"] = f"{{currency: EUR, rules: [{rules}]{more}}}"
    return told(write(folder, month(*APRIL, *down), **keys), "2026-04")[1]


def objective(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The one entry of an objective."""
    (found,) = (one for one in document["objectives"] if one["objective"] == name)
    return dict(found)


# --- R16 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "worst", "mean", "standings"),
    [
        ((), None, None, ("met", "met")),  # no incident: met, n/a
        ((60,), 3600, 3600, ("met", "met")),
        ((90, 20), 5400, 3300, ("breached", "met")),
        ((90, 31), 5400, 3630, ("breached", "breached")),
        ((1, 1, 1), None, None, ("met", "met")),  # micro-outages are no incidents
    ],
)
def test_time_to_repair(
    tmp_path: Path, lengths: tuple[int, ...], worst: int | None, mean: int | None, standings: tuple[str, str]
) -> None:
    down = [(f"2026-04-{10 + n}T10:00", length) for n, length in enumerate(lengths)]
    document = settled(tmp_path, *down, objectives=f"[{UPTIME}, {REPAIR}, {MEAN}]")
    both = objective(document, "repair"), objective(document, "mttr")
    assert [one["value"] for one in both] == [worst, mean]
    assert tuple(one["standing"] for one in both) == standings


@pytest.mark.parametrize(
    ("cause", "seconds", "repair"),
    [
        ("waiting_for_customer", 5400, 5400 - 1800),  # stops the clock, excuses no downtime
        ("waiting for the customer", 5400, 5400 - 1800),
        ("no_access", 3600, 5400 - 1800),  # stops the clock, and is excluded
    ],
)
def test_the_clock_of_a_repair_stops(tmp_path: Path, cause: str, seconds: int, repair: int) -> None:
    # down 10:00 to 11:30, stopped 10:30 to 11:00
    stop = {"id": "w", "endpoint": None, "start": "2026-04-10T10:30Z", "end": "2026-04-10T11:00Z", "cause": cause}
    document = settled(
        tmp_path, ("2026-04-10T10:00", 90), exclusions=[stop], objectives=f"[{UPTIME}, {REPAIR}]"
    )  # fmt: skip
    (incident,) = (one for one in document["incidents"] if one["excluded_by"] is None)
    assert (incident["seconds"], incident["repair_seconds"]) == (seconds, repair)
    assert objective(document, "repair")["standing"] == "met"


# --- R17: bases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("down", "rules", "percent", "amount"),
    [
        # 0.1 % of 43,200 minutes are 43.2: 43 minutes are 99.9005 %, 44 are 99.8981 %; 432 are 99 % to the second
        ((43,), TIERS, 0.0, "0.00"),
        ((44,), TIERS, 5.0, "45.00"),
        ((432,), TIERS, 5.0, "45.00"),
        ((433,), TIERS, 25.0, "225.00"),
        ((20, 24), TIERS, 5.0, "45.00"),
        ((30, 30), "basis: cumulative_downtime, tiers: [{over: 60m, credit: 10%}]", 0.0, "0.00"),
        ((30, 31), "basis: cumulative_downtime, tiers: [{over: 60m, credit: 10%}]", 10.0, "90.00"),
        # outage by outage: 4, 5, 6 and 300 minutes: nothing, nothing, 5 %, 10 %
        ((4, 5, 6, 300), "basis: per_outage, tiers: [{over: 5m, credit: 5%}, {over: 4h, credit: 10%}]", 15.0, "135.00"),
        ((240,), "basis: per_outage, tiers: [{over: 5m, credit: 5%}, {over: 4h, credit: 10%}]", 5.0, "45.00"),
        # a day is 30.00; 59 + 2 minutes are two started hours of the month
        ((60,), "basis: days_per_started_hour, days: 1", 100 / 30, "30.00"),
        ((59, 2), "basis: days_per_started_hour, days: 1", 200 / 30, "60.00"),
        ((61,), "basis: days_per_started_hour, days: 2", 400 / 30, "120.00"),
        # 43 minutes keep 99.9 %; 86 miss it by 0.0991 points, 87 by 0.1014
        ((43,), "basis: per_step, step: 0.1%, credit: 1%", 0.0, "0.00"),
        ((86,), "basis: per_step, step: 0.1%, credit: 1%", 1.0, "9.00"),
        ((87,), "basis: per_step, step: 0.1%, credit: 1%", 2.0, "18.00"),
        ((216,), "basis: per_step, step: 0.1%, credit: 1%", 4.0, "36.00"),  # 99.5 %: exactly four steps
    ],
)
def test_bases(tmp_path: Path, down: tuple[int, ...], rules: str, percent: float, amount: str) -> None:
    outages = [(f"2026-04-{10 + n}T10:00", length) for n, length in enumerate(down)]
    credit = settled(tmp_path, *outages, rules=f"{{objective: up, {rules}}}")["credit"]
    assert credit["percent"] == pytest.approx(percent, abs=1e-12)
    assert credit["amount"] == amount


OUTAGES = "{objective: up, basis: per_outage, tiers: [{over: 5m, credit: 5%}]}"


@pytest.mark.parametrize(
    ("combine", "percent"),
    [
        # two outages of 30 minutes: 99.861 % earns 5 % for the month; 5 % each; both from the same two incidents
        ("{rule: sum, per_incident: highest}", 10.0),
        ("{rule: sum, per_incident: sum}", 15.0),
        ("{rule: max, per_incident: highest}", 5.0),
    ],
)
def test_what_one_incident_earns_by_several_rules(tmp_path: Path, combine: str, percent: float) -> None:
    rules = f"{{objective: up, {TIERS}}}, {OUTAGES}"
    down = (("2026-04-10T10:00", 30), ("2026-04-20T10:00", 30))
    document = settled(tmp_path, *down, rules=rules, more=f", combine: {combine}")
    assert document["credit"]["percent"] == percent


@pytest.mark.parametrize(
    ("currency", "charge", "cap", "amount"),
    [
        ("EUR", "333.30", "50%", "16.67"),  # 5 % are 16.665: half up, once
        ("EUR", "333.29", "50%", "16.66"),  # 16.6645
        ("JPY", "33350", "50%", "1668"),  # 1667.5
        ("KWD", "333.310", "50%", "16.666"),  # 16.6655
        ("EUR", "900.00", "2.5%", "22.50"),
    ],
)
def test_amounts_are_rounded_once(tmp_path: Path, currency: str, charge: str, cap: str, amount: str) -> None:
    terms = f"{{currency: {currency}, rules: [{{objective: up, {TIERS}}}], cap: {cap}}}"
    document = settled(
        tmp_path, ("2026-04-10T10:00", 60), credits=terms, service=f"{{monthly_charge: {charge}}}"
    )  # fmt: skip
    assert document["credit"]["amount"] == amount


def test_insufficient_data_pays_nothing(tmp_path: Path) -> None:
    # ten days known, an hour of them down: 99.58 %, but high is 99.86 % and the target 99.8 %
    rows = month("2026-04-01", "2026-04-11", ("2026-04-05T10:00", 60))
    terms = f"{{currency: EUR, rules: [{{objective: up, {TIERS}}}]}}"
    code, document = told(
        write(tmp_path, rows, credits=terms, objectives=f"[{UPTIME}]".replace("99.9", "99.8")), "2026-04"
    )
    assert (code, document["credit"]["amount"]) == (4, "0.00")


def test_packets_lost_in_an_outage_are_not_paid_twice(tmp_path: Path) -> None:
    # R7: while up everything was delivered, so only the outage pays; over all probes 1 % and more was lost
    pdr = "{objective: pdr, tiers: [{below: 99.9%, credit: 50%}]}"
    document = settled(
        tmp_path, ("2026-04-10T10:00", 450), rules=f"{{objective: up, {TIERS}}}, {pdr}",
        objectives=f"[{UPTIME}, {DELIVERY}]",
    )  # fmt: skip
    assert document["credit"]["percent"] == 25.0
    found = objective(document, "pdr")
    assert (found["standing"], found["value"]) == ("met", 1.0)
    assert found["value_other_scope"] == float(42_750 / 43_200)


@pytest.mark.parametrize(
    ("rule", "outages", "often"),
    [
        ("{outages: 2, each_over: 10m, within: 7d}", (("03-28", 11), ("04-03", 11)), True),  # six days apart
        ("{outages: 2, each_over: 10m, within: 7d}", (("03-26", 11), ("04-03", 11)), False),
        ("{outages: 2, each_over: 10m, within: 7d}", (("04-02", 10), ("04-03", 11)), False),  # not over
        ("{outages: 2, each_over: 10m, within: 7d}", (("03-20", 11), ("03-21", 11)), False),  # not of this month
        # complete in March, and what follows in April is too short, or too late
        ("{outages: 2, each_over: 10m, within: 7d}", (("03-30", 11), ("03-31", 11), ("04-02", 5)), False),
        ("{outages: 2, each_over: 10m, within: 7d}", (("03-30", 11), ("03-31", 11), ("04-20", 11)), False),
        ("{outages: 2, each_over: 10m, within: quarter}", (("04-02", 11), ("04-29", 11)), True),
        ("{outages: 2, each_over: 10m, within: quarter}", (("03-30", 11), ("04-29", 11)), False),
        ("{downtime_over: 1h, within: month}", (("04-02", 30), ("04-20", 31)), True),
        ("{downtime_over: 1h, within: month}", (("03-30", 60), ("04-20", 60)), False),
        ("{downtime_over: 1h, within: 7d}", (("03-30", 40), ("04-03", 40)), True),  # reaches into the month before
        ("{downtime_over: 1h, within: 7d}", (("03-22", 40), ("03-25", 40)), False),  # over before the month began
        ("{downtime_over: 1h, within: 7d}", (("03-30", 70), ("04-20", 10)), False),  # all of it was March's
        ("{downtime_over: 1h, within: quarter}", (("04-02", 40), ("04-29", 40)), True),
    ],
)
def test_chronic_outages(tmp_path: Path, rule: str, outages: tuple[tuple[str, int], ...], often: bool) -> None:
    rows = month("2026-03-20", "2026-05-01")
    for day, length in outages:
        rows |= minutes(f"2026-{day}T10:00", [BAD] * length)
    folder = write(tmp_path, rows, credits=f"{{currency: EUR, chronic: [{rule}]}}")
    assert bool(told(folder, "2026-04")[1]["credit"]["chronic"]) is often


def test_chronic_months_of_a_quarter_are_each_their_own(tmp_path: Path) -> None:
    rows = month("2026-04-01", "2026-07-01", ("2026-04-30T10:00", 40), ("2026-05-02T10:00", 40))
    folder = write(tmp_path, rows, credits="{currency: EUR, chronic: [{downtime_over: 1h, within: month}]}")
    assert told(folder, "2026-Q2")[1]["credit"]["chronic"] == []
    rows |= minutes("2026-05-20T10:00", [BAD] * 40)
    write(folder, rows, credits="{currency: EUR, chronic: [{downtime_over: 1h, within: month}]}")
    assert len(told(folder, "2026-Q2")[1]["credit"]["chronic"]) == 1


def test_until_when_credits_are_to_be_claimed(tmp_path: Path) -> None:
    claim = ", claim: {ticket_within: 72h, by: 30d}"
    paid = settled(tmp_path, ("2026-04-10T10:00", 450), rules=f"{{objective: up, {TIERS}}}", more=claim)["credit"]
    assert paid["claim"] == {"until": "2026-05-31T00:00:00Z", "ticket_within_seconds": 259_200}
    words = "o be claimed until 2026-05-31 00:00 UTC; a ticket within 3d 0:00:00 of each outage"
    assert all(words in shown(tmp_path, "2026-04", form) for form in ("text", "html"))
    settled(tmp_path, rules=f"{{objective: up, {TIERS}}}", more=claim)
    assert "claimed" not in shown(tmp_path, "2026-04", "text")  # there is nothing to claim


# --- endpoints as one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("combine", "code", "percent"),
    # hq: 60 minutes down, 99.861 %, 5 %; dr: none. Their mean is 99.9306 %, which keeps 99.9 %
    [("all", 1, 5.0), ("any", 0, 0.0), ("average", 0, 0.0)],
)
def test_endpoints_as_one(tmp_path: Path, combine: str, code: int, percent: float) -> None:
    rows = month(*APRIL, ("2026-04-10T10:00", 60))
    terms = f"{{currency: EUR, rules: [{{objective: up, {TIERS}}}]}}"
    folder = write(
        tmp_path, rows, credits=terms, measurement=f"{{combine: {combine}}}",
        endpoints="[{id: hq, address: 192.0.2.1}, {id: dr, address: 192.0.2.2}]",
    )  # fmt: skip
    file = folder / "intervals.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, *(line.replace("hq,", "dr,").replace(",12,0", ",12,12") for line in lines[1:])]))
    got, document = told(folder, "2026-04")
    assert (got, document["credit"]["percent"]) == (code, percent)


@pytest.mark.parametrize(("unknown", "share"), [("exclude", 0.0), ("up", 0.0), ("down", 10.0)])
def test_unknown_time_that_counts_as_down_is_paid_for(tmp_path: Path, unknown: str, share: float) -> None:
    # 60 minutes without a record: by `unknown: down` over 45 minutes down, two started hours are none
    rules = (
        "{objective: up, basis: cumulative_downtime, tiers: [{over: 10m, credit: 5%}, {over: 45m, credit: 10%}]}",
        "{objective: up, basis: days_per_started_hour, days: 3}",
        "{objective: up, basis: per_outage, tiers: [{over: 5m, credit: 7%}]}",
    )
    rows = month(*APRIL, absent=(("2026-04-10T00:00", 60),))
    for number, (rule, percent) in enumerate(zip(rules, (share, share, 0.0), strict=True)):
        folder = write(
            tmp_path / str(number),
            rows,
            credits=f"{{currency: EUR, rules: [{rule}]}}",
            measurement=f"{{unknown: {unknown}}}",
        )
        assert told(folder, "2026-04")[1]["credit"]["percent"] == percent


@pytest.mark.parametrize(
    ("options", "excluded", "absent", "budget"),
    [
        ("{}", False, 0, 2592.0),
        ("{}", True, 0, 2592.0 - 3.6),  # an hour that is taken out
        ("{exclusions: count_as_up}", True, 0, 2592.0),
        ("{}", False, 60, 2592.0 - 3.6),
        ("{unknown: up}", False, 60, 2592.0),
        ("{unknown: down}", False, 60, 2592.0),
        ('{denominator: "fixed:40000m"}', True, 60, 2400.0),
    ],
)
def test_the_error_budget_is_spent_when_the_promise_is_broken(
    tmp_path: Path, options: str, *, excluded: bool, absent: int, budget: float
) -> None:
    away = {
        "id": "f",
        "endpoint": None,
        "start": "2026-04-20T00:00Z",
        "end": "2026-04-20T01:00Z",
        "cause": "force majeure",
    }
    gaps = (("2026-04-10T00:00", absent),) if absent else ()
    for down in (39, 41, 43, 44):
        rows = month(*APRIL, ("2026-04-03T00:00", down), absent=gaps)
        folder = write(tmp_path / str(down), rows, exclusions=[away] if excluded else [], measurement=options)
        found = objective(told(folder, "2026-04")[1], "up")
        lost = down * 60 + (absent * 60 if "down" in options else 0)
        assert found["budget_seconds"] == pytest.approx(budget)
        assert found["budget_spent_ratio"] == pytest.approx(lost / budget)
        assert (found["budget_spent_ratio"] > 1) == (found["standing"] == "breached")
