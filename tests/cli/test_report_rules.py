"""The worked examples of docs/sla.md, section 6, through `netsla report --evidence` on packs written by hand.

Every figure is worked out in the test, from the text of the rule. What no pack can express (raw round-trip times, live
burn alerts) is tested where it lives: tests/sla/test_statistic.py and test_burn.py.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from netsla.errors import ConfigError
from tests.cli.rules import BAD, DELIVERY, GOOD, UPTIME, minutes, month, text, told, write

APRIL = ("2026-04-01", "2026-05-01")
TEN = "2026-04-01T00:00Z/2026-04-01T00:10Z"
LOOSE = "{min_coverage: 0%}"
SECONDS: Any = {"uptime": "{method: interval, interval: 1s}", "probes": "{ping: {type: icmp, interval: 1s}}"}


def objective(document: dict[str, Any], name: str = "up") -> dict[str, Any]:
    (found,) = (one for one in document["objectives"] if one["objective"] == name)
    return dict(found)


def exact(value: float, part: int, whole: int) -> bool:
    return value == float(Fraction(part, whole))


# --- delivery, latency, jitter ------------------------------------------------------------------------

Y1540 = [12, 12, 11, 9, 0, 0, 5, 10, 12, 12]


@pytest.mark.parametrize(
    ("over", "down", "available"),
    # bad: loss over 20 %: 9 (3 of 12 lost), 0, 0, 5. Over 50 %: 0, 0, 5 (7 of 12). Over 75 %: 0, 0
    [("20%", 240, (69, 72)), ("50%", 180, (78, 84)), ("75%", 120, (83, 96))],
)
def test_y1540(tmp_path: Path, over: str, down: int, available: tuple[int, int]) -> None:
    rule = f'{{method: interval, interval: 60s, loss_over: "{over}"}}'
    rows = minutes("2026-04-01", [(12, got) for got in Y1540])
    _, document = told(write(tmp_path, rows, uptime=rule, objectives=f"[{UPTIME}, {DELIVERY}]"), TEN)
    assert objective(document)["seconds"]["down"] == down
    assert exact(objective(document)["value"], 600 - down, 600)
    assert exact(objective(document, "pdr")["value"], *available)
    assert exact(objective(document, "pdr")["value_other_scope"], 83, 120)


@pytest.mark.parametrize(("received", "over", "down"), [(8, "20%", 0), (7, "30%", 0), (7, "29.9%", 60)])
def test_the_boundary_is_compared_in_integers(tmp_path: Path, received: int, over: str, down: int) -> None:
    rule = f'{{method: interval, interval: 60s, loss_over: "{over}"}}'
    folder = write(tmp_path, minutes("2026-04-01", [(10, received)]), uptime=rule)
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:01Z")
    assert objective(document)["seconds"]["down"] == down


def test_pooled_and_mean_of_intervals(tmp_path: Path) -> None:
    pooled = DELIVERY.replace("}", ", scope: all}")
    mean = pooled.replace("pdr", "mean").replace("}", ", aggregate: mean_of_intervals}")
    rows = minutes("2026-04-01", [(100, 100), (100, 99), (10, 5)])
    folder = write(tmp_path, rows, objectives=f"[{pooled}, {mean}]")
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:03Z")
    assert exact(objective(document, "pdr")["value"], 204, 210)  # 97.142857 %
    assert objective(document, "mean")["value"] == pytest.approx((1 + 0.99 + 0.5) / 3, abs=1e-15)  # 83 %
    assert "83.0000 %" in text(folder, "2026-04-01T00:00Z/2026-04-01T00:03Z")


@pytest.mark.parametrize(("within", "code", "standing"), [(949, 1, "breached"), (950, 0, "met")])
def test_a_percentile_by_its_counter(tmp_path: Path, within: int, code: int, standing: str) -> None:
    p95 = '[{id: p95, metric: latency, statistic: p95, target: "<= 30ms", window: month}]'
    folder = write(
        tmp_path, minutes("2026-04-01", [(1000, 1000)]), objectives=p95, columns={"le_30000": str(within)},
        probes="{ping: {type: icmp, interval: 60ms}}",
    )  # fmt: skip
    got, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:01Z")
    assert (got, objective(document, "p95")["standing"]) == (code, standing)


@pytest.mark.parametrize(
    ("lost", "limit", "standing"),
    # 90, 100, 110, 500 and one lost. Excluded: the 2nd of 4 is 100. As infinite: the 3rd of 5 is 110
    [("exclude", 100, "met"), ("exclude", 90, "breached"), ("infinite", 100, "breached"), ("infinite", 110, "met")],
)
def test_lost_probes_and_percentiles(tmp_path: Path, lost: str, limit: int, standing: str) -> None:
    p50 = f'[{{id: p50, metric: latency, statistic: p50, target: "<= {limit}ms", window: month}}]'
    within = {90: 1, 100: 2, 110: 3}[limit]
    folder = write(
        tmp_path, minutes("2026-04-01", [(5, 4)]), objectives=p50, columns={f"le_{limit}000": str(within)},
        measurement=f"{{percentile_lost: {lost}}}", probes="{ping: {type: icmp, interval: 12s}}",
    )  # fmt: skip
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:01Z")
    assert objective(document, "p50")["standing"] == standing


@pytest.mark.parametrize(
    ("received", "total", "pairs"),
    # 20, 10, 20, 25, 20: |steps| 10, 10, 5, 5. With the third lost only 20-10 and 25-20 are neighbours: 10, 5
    [(5, 30_000, 4), (4, 15_000, 2)],
)
def test_jitter(tmp_path: Path, received: int, total: int, pairs: int) -> None:
    folder = write(
        tmp_path, minutes("2026-04-01", [(5, received)]), probes="{ping: {type: icmp, interval: 12s}}",
        objectives='[{id: jitter, metric: jitter, target: "<= 7500us", window: month}]',
        columns={"jitter_sum_us": str(total), "jitter_pairs": str(pairs)},
    )  # fmt: skip
    code, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:01Z")
    assert (code, objective(document, "jitter")["value"]) == (0, 0.0075)


@pytest.mark.parametrize(
    ("sent", "lost", "low", "high"), [(10, 0, 0.0, 0.2775), (100, 1, 0.00177, 0.05449), (3000, 3, 0.000340, 0.002936)]
)
def test_wilson_bounds_of_delivery(tmp_path: Path, sent: int, lost: int, low: float, high: float) -> None:
    folder = write(tmp_path, minutes("2026-04-01", [(sent, sent - lost)]), objectives=f"[{DELIVERY}]")
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:01Z")
    found = objective(document, "pdr")
    assert (1 - found["high"], 1 - found["low"]) == pytest.approx((low, high), abs=5e-5)


# --- uptime methods -----------------------------------------------------------------------------------


def test_sliding(tmp_path: Path) -> None:
    rows = minutes("2026-04-01", [GOOD if sign == "G" else BAD for sign in "GGBBGBBBGBGGGGBG"])
    folder = write(tmp_path, rows, uptime="{method: sliding, n: 3, interval: 60s}", measurement="{min_coverage: 80%}")
    code, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:16Z")
    found = objective(document)
    assert (code, document["period"]["final"]) == (1, False), "the last two are provisional"
    assert found["seconds"] == {"scheduled": 960, "excluded": 0, "unknown": 120, "down": 300, "up": 540}
    assert exact(found["value"], 9, 14)
    assert found["unknown_seconds"] == {"provisional": 120}


def test_outage(tmp_path: Path) -> None:
    runs = [GOOD, BAD, GOOD, BAD, BAD, GOOD, BAD, BAD, BAD, GOOD]
    _, document = told(write(tmp_path, minutes("2026-04-01", runs)), TEN)
    assert (objective(document)["seconds"]["down"], objective(document)["micro_outages"]) == (300, 1)
    assert [one["seconds"] for one in document["incidents"]] == [120, 180]


def test_google120_is_bad_only_if_nothing_came_back(tmp_path: Path) -> None:
    rows = minutes("2026-04-01", [GOOD, (12, 1), (12, 1), GOOD, BAD, BAD, GOOD, GOOD, GOOD, GOOD])
    _, document = told(write(tmp_path, rows, uptime="{profile: google120}"), TEN)
    assert objective(document)["seconds"]["down"] == 120


# --- time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("down", "standing"), [(259, "met"), (260, "breached")])
def test_the_error_budget_to_the_second(tmp_path: Path, down: int, standing: str) -> None:
    # 0.01 % of 2,592,000 s are 259.2 s. Only the seconds down are written; the contract takes the others for up
    folder = write(
        tmp_path, minutes("2026-04-10", [BAD] * down, 1), **SECONDS, measurement="{min_coverage: 0%, unknown: up}",
        objectives=f"[{UPTIME}]".replace("99.9", "99.99"),
    )  # fmt: skip
    _, document = told(folder, "2026-04")
    assert objective(document)["standing"] == standing
    assert exact(objective(document)["value"], 2_592_000 - down, 2_592_000)
    assert ("99.9899 %" in text(folder, "2026-04")) == (down == 260)


MAINTENANCE = {"id": "m1", "endpoint": None, "start": "2026-04-12T02:00Z", "end": "2026-04-12T04:00Z",
               "cause": "maintenance", "reason": "router", "reference": "CHG-7"}  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "announced", "down", "value"),
    [
        ("remove", "2026-04-01T00:00Z", 1800, (2_584_800 - 1800, 2_584_800)),  # 99.930362 %
        ("count_as_up", "2026-04-01T00:00Z", 1800, (2_592_000 - 1800, 2_592_000)),  # 99.930556 %
        ("remove", "2026-04-10T00:00Z", 7200, (2_592_000 - 7200, 2_592_000)),  # 99.722222 %: two days' notice
    ],
)
def test_maintenance(tmp_path: Path, mode: str, announced: str, down: int, value: tuple[int, int]) -> None:
    rows = month(*APRIL, ("2026-04-12T02:10", 90), ("2026-04-20T10:00", 30))
    folder = write(
        tmp_path, rows, exclusions=[MAINTENANCE | {"announced": announced}], maintenance="{notice: 5d}",
        measurement=f"{{exclusions: {mode}}}",
    )  # fmt: skip
    _, document = told(folder, "2026-04")
    found = objective(document)
    assert (found["seconds"]["down"], exact(found["value"], *value)) == (down, True)
    counted = down == 1800
    assert document["exclusions"][0]["flag"] == (None if counted else "invalid_notice")
    assert ("value_without_exclusions" in found) == counted
    if counted:
        assert exact(found["value_without_exclusions"], 2_592_000 - 7200, 2_592_000)
        assert [one["excluded_by"] for one in document["incidents"]] == ["m1", None]


def test_only_intervals_wholly_inside_are_excluded(tmp_path: Path) -> None:
    odd = MAINTENANCE | {"start": "2026-04-12T02:00:30Z", "end": "2026-04-12T02:09:30Z", "cause": "force_majeure"}
    folder = write(tmp_path, month(*APRIL, ("2026-04-12T02:00", 10)), exclusions=[odd])
    found = objective(told(folder, "2026-04")[1])
    assert (found["seconds"]["excluded"], found["seconds"]["down"]) == (480, 120)


@pytest.mark.parametrize(
    ("target", "standing", "evidence"),
    [("99.9", "met", "inconclusive"), ("99.99", "breached", "conclusive"), ("99", "met", "conclusive")],
)
def test_unknown_and_down(tmp_path: Path, target: str, standing: str, evidence: str) -> None:
    rows = month(*APRIL, ("2026-04-20T10:00", 20), absent=(("2026-04-05T00:00", 360),))
    folder = write(tmp_path, rows, objectives=f"[{UPTIME}]".replace("99.9", target))
    found = objective(told(folder, "2026-04")[1])
    assert (found["standing"], found["evidence"]) == (standing, evidence)
    up, down, unknown = 2_592_000 - 21_600 - 1200, 1200, 21_600
    assert found["seconds"] == {"scheduled": 2_592_000, "excluded": 0, "unknown": unknown, "down": down, "up": up}
    assert exact(found["value"], up, up + down)  # 99.953315 %
    assert exact(found["low"], up, 2_592_000)  # 99.120370 %
    assert exact(found["high"], up + unknown, 2_592_000)  # 99.953704 %
    assert exact(found["coverage_ratio"], up + down, 2_592_000)  # 99.1667 %


@pytest.mark.parametrize(
    ("zone", "name", "length"),
    [
        ("Europe/Berlin", "2026-10", 2_682_000),
        ("America/New_York", "2026-11", 2_595_600),
        ("Europe/Berlin", "2026-03", 2_674_800),
        ("UTC", "2028-02", 29 * 86_400),
        ("Europe/Berlin", "2026-Q4", 92 * 86_400 + 3600),
        ("Asia/Kathmandu", "2026", 365 * 86_400),
    ],
)
def test_periods_have_their_real_length(tmp_path: Path, zone: str, name: str, length: int) -> None:
    code, document = told(write(tmp_path, {}, timezone=zone), name)
    assert (code, document["period"]["seconds"]) == (4, length)
    assert objective(document)["seconds"]["unknown"] == length
    assert objective(document)["value"] is None, "nothing recorded is never 100 %"


def test_forty_five_minutes_in_march_in_berlin(tmp_path: Path) -> None:
    rows = month("2026-02-28T23:00", "2026-03-31T22:00", ("2026-03-29T00:30", 45))
    found = objective(told(write(tmp_path, rows, timezone="Europe/Berlin"), "2026-03")[1])
    assert exact(found["value"], 2_674_800 - 2700, 2_674_800)  # 99.899058 %


def test_from_the_middle_of_the_month(tmp_path: Path) -> None:
    rows = month("2026-04-16", "2026-05-01", ("2026-04-20T10:00", 21))
    active = "[{id: hq, address: 192.0.2.1, active: {from: 2026-04-16}}]"
    found = objective(told(write(tmp_path, rows, endpoints=active), "2026-04")[1])
    assert found["seconds"]["scheduled"] == 1_296_000
    assert exact(found["value"], 1_296_000 - 1260, 1_296_000)  # 99.902778 %


def test_a_pack_is_of_the_month_that_fills_it(tmp_path: Path) -> None:
    folder = write(tmp_path, month("2026-03-28T22:00", "2026-05-02T12:00"), timezone="Europe/Berlin")
    assert told(folder, None)[1]["period"]["name"] == "2026-04"


def test_an_outage_over_the_edge_of_the_month(tmp_path: Path) -> None:
    rows = month("2026-03-31T20:00", "2026-05-01", ("2026-03-31T23:59", 2))
    folder = write(tmp_path, rows)
    april, march = told(folder, "2026-04")[1], told(folder, "2026-03-31")[1]
    assert (objective(april)["seconds"]["down"], objective(march)["seconds"]["down"]) == (60, 60)
    assert (april["incidents"][0]["repair_seconds"], march["incidents"][0]["repair_seconds"]) == (None, 120)


def test_a_restart_inside_an_outage(tmp_path: Path) -> None:
    # one unknown minute neither extends nor breaks the run of bad ones
    rows = minutes("2026-04-01", [GOOD, BAD, None, BAD, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD])
    found = objective(told(write(tmp_path, rows, measurement=LOOSE), TEN)[1])
    assert (found["seconds"]["down"], found["unknown_seconds"]) == (120, {"agent_down": 60})


def test_a_stepped_clock(tmp_path: Path) -> None:
    rows = minutes("2026-04-01", [GOOD] * 10)
    folder = write(tmp_path, rows, columns={"reason": ""}, measurement=LOOSE)
    lines = (folder / "intervals.csv").read_text().splitlines()
    lines[4:7] = [f"{line}suspect_clock" for line in lines[4:7]]
    (folder / "intervals.csv").write_text("\n".join(lines))
    found = objective(told(folder, TEN)[1])
    assert (found["seconds"]["unknown"], found["unknown_seconds"]) == (180, {"clock_step": 180})


# --- money --------------------------------------------------------------------------------------------


def credit(tmp_path: Path, down: int, rule: str, measurement: str, more: str = "") -> dict[str, Any]:
    """The credit of April with so many seconds down, written second by second."""
    folder = write(
        tmp_path, minutes("2026-04-10", [BAD] * down, 1), **SECONDS, measurement=measurement,
        credits=f"{{currency: EUR, rules: [{{objective: up, {rule}}}]{more}}}",
    )  # fmt: skip
    return dict(told(folder, "2026-04")[1]["credit"])


@pytest.mark.parametrize(("down", "percent"), [(600, 0.0), (601, 5.0), (2700, 5.0), (2701, 50.0), (86_401, 100.0)])
def test_tiers_of_downtime(tmp_path: Path, down: int, percent: float) -> None:
    tiers = "tiers: [{over: 10m, credit: 5%}, {over: 45m, credit: 50%}, {over: 24h, credit: 100%}]"
    found = credit(tmp_path, down, f"basis: cumulative_downtime, {tiers}", "{min_coverage: 0%, unknown: up}")
    assert (found["percent"], found["amount"]) == (percent, f"{percent * 9:.2f}")


MILLION = "{min_coverage: 0%, denominator: 'fixed:1000000s'}"


@pytest.mark.parametrize(("down", "percent"), [(100, 0.0), (101, 10.0), (10_001, 25.0), (50_001, 100.0)])
def test_tiers_of_availability(tmp_path: Path, down: int, percent: float) -> None:
    # of 1,000,000 s: 99.99 %, 99.9899 %, 98.9999 %, 94.9999 %
    tiers = "tiers: [{below: 99.99%, credit: 10%}, {below: 99%, credit: 25%}, {below: 95%, credit: 100%}]"
    assert credit(tmp_path, down, tiers, MILLION)["percent"] == percent


@pytest.mark.parametrize(("down", "percent"), [(3700, 3.0), (3000, 2.0), (1000, 0.0)])
def test_steps_that_were_begun(tmp_path: Path, down: int, percent: float) -> None:
    # target 99.9 %: 99.63 % misses it by 0.27 points, 99.70 % by exactly 0.20
    assert credit(tmp_path, down, "basis: per_step, step: 0.1%, credit: 1%", MILLION)["percent"] == percent


@pytest.mark.parametrize(("down", "amount"), [(3600, "30.00"), (3601, "60.00")])
def test_days_per_started_hour(tmp_path: Path, down: int, amount: str) -> None:
    assert credit(tmp_path, down, "basis: days_per_started_hour, days: 1", MILLION)["amount"] == amount


@pytest.mark.parametrize(
    ("rule", "cap", "percent", "amount"),
    [("sum", "", 15.0, "135.00"), ("max", "", 10.0, "90.00"), ("sum", "cap: 12%", 12.0, "108.00")],
)
def test_one_incident_is_paid_once(tmp_path: Path, rule: str, cap: str, percent: float, amount: str) -> None:
    # five hours down: uptime 10 %, repair 10 %, the same incident. Packets lost while up: 5 %
    rows = month(*APRIL, ("2026-04-10T00:00", 300)) | minutes("2026-04-20", [(12, 7)] * 2000)
    repair = '{id: repair, metric: time_to_repair, target: "<= 4h", window: month}'
    paid = (
        "{objective: up, tiers: [{below: 99.9%, credit: 10%}]}, "
        "{objective: repair, basis: per_outage, tiers: [{over: 4h, credit: 10%}]}, "
        "{objective: pdr, tiers: [{below: 99.9%, credit: 5%}]}"
    )
    folder = write(
        tmp_path, rows, objectives=f"[{UPTIME}, {repair}, {DELIVERY}]",
        credits=f"{{currency: EUR, rules: [{paid}], combine: {{rule: {rule}, per_incident: highest}}, {cap}}}",
    )  # fmt: skip
    _, document = told(folder, "2026-04")
    assert (document["credit"]["percent"], document["credit"]["amount"]) == (percent, amount)
    assert document["objectives"][1]["value"] == 5 * 3600


@pytest.mark.parametrize(("lengths", "often"), [((31, 45, 35), True), ((31, 45, 30), False)])
def test_chronic_outages(tmp_path: Path, lengths: tuple[int, ...], often: bool) -> None:
    starts = ("2026-03-25T10:00", "2026-04-10T10:00", "2026-04-20T10:00")  # thirty days reach into the month before
    rows = month("2026-03-20", "2026-05-01", *zip(starts, lengths, strict=True))
    terms = "{currency: EUR, chronic: [{outages: 3, each_over: 30m, within: 30d}]}"
    _, document = told(write(tmp_path, rows, credits=terms), "2026-04")
    assert [one["endpoint"] for one in document["credit"]["chronic"]] == ["hq"] * often
    assert document["credit"]["amount"] == "0.00"
    assert ("chronic: hq: 3 outages over 1800 s" in text(tmp_path, "2026-04")) == often


def test_a_table_with_holes_is_refused(tmp_path: Path) -> None:
    holes = "{currency: EUR, rules: [{objective: up, tiers: [{from: 99.01%, below: 99.89%, credit: 10%}]}]}"
    with pytest.raises(ConfigError, match="thresholds without holes"):
        told(write(tmp_path, {}, credits=holes), "2026-04")
