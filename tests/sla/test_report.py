"""Whole settlements: figures of SLA section 6 through the report, edges of months, restarts, credits, laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netsla.errors import NetslaError
from netsla.model import (
    SECOND,
    Chronic,
    CreditRule,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Measurement,
    ProbeSpec,
    ProbeType,
    Reason,
    Span,
    Standing,
    Tier,
    UptimeRule,
)
from netsla.sla.exclusion import Exclusion
from netsla.sla.histogram import BUCKETS, bucket_of
from netsla.sla.recorded import Recorded
from netsla.sla.report import Report, Result
from netsla.sla.report_json import to_json
from netsla.wire.figures import percent as percent_shown
from tests.sla.contracts import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    PER_MINUTE,
    at,
    contract,
    credits_of,
    delivery,
    latency,
    month_of,
    percent,
    period_of,
    records,
    repair,
    settled,
    tiers,
    uptime,
)

INTERVAL = UptimeRule(profile="custom", method="interval", minimum_ns=0)
SLIDING = UptimeRule(profile="custom", method="sliding", n=3, minimum_ns=0)
MAINTENANCE = Exclusion("m1", None, at("2026-04-12T02:00"), at("2026-04-12T04:00"), "maintenance", announced_ns=0)
DOWN_IN_APRIL = (("2026-04-12T02:15", 90), ("2026-04-20T10:00", 30))
LETTERS = {"G": PER_MINUTE, "B": 0, "U": -1}


def first(report: Report) -> Result:
    return report.results[0]


def value(report: Report) -> float:
    return round(float(first(report).figure.value or 0) * 100, 6)


def seconds(report: Report) -> tuple[int, ...]:
    time = first(report).account
    return tuple(
        ns // SECOND for ns in (time.scheduled_ns, time.excluded_ns, time.unknown_ns, time.down_ns, time.up_ns)
    )


def minutes(text: str, start: str = "2026-04-10T00:00") -> Recorded:
    """One record per letter: GOOD, BAD or none."""
    return records(at(start), [LETTERS[letter] for letter in text])


def span(count: int, start: str = "2026-04-10T00:00") -> str:
    end = datetime.fromtimestamp((at(start) // SECOND) + 60 * count, ZoneInfo("UTC"))
    return f"{start}Z/{end:%Y-%m-%dT%H:%M}Z"


# --- section 6 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "expected"), [("remove", 99.930362), ("count_as_up", 99.930556)])
def test_valid_maintenance(mode: str, expected: float) -> None:
    agreement = contract(measurement=Measurement(exclusions=mode))
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04", *DOWN_IN_APRIL), exclusions=[MAINTENANCE])
    assert value(report) == expected
    assert seconds(report) == (2_592_000, 7200, 0, 1800, 2_583_000)
    excused, counted = report.incidents
    assert (excused.excluded_by, excused.repair_ns, excused.down_ns) == ("m1", None, 90 * MINUTE)
    assert (counted.excluded_by, counted.down_ns) == (None, 30 * MINUTE)


def test_maintenance_announced_too_late() -> None:
    agreement = contract()
    late = replace(MAINTENANCE, announced_ns=MAINTENANCE.start_ns + 1)
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04", *DOWN_IN_APRIL), exclusions=[late])
    assert value(report) == 99.722222
    assert first(report).account.down_ns == 7200 * SECOND
    assert [(one.flag, one.counted_ns) for one in report.exclusions] == [("invalid_notice", 0)]


@pytest.mark.parametrize(
    ("target", "standing", "conclusive"),
    [("99.9", Standing.MET, False), ("99.99", Standing.BREACHED, True), ("99", Standing.MET, True)],
)
def test_unknown_and_down(target: str, standing: Standing, conclusive: bool) -> None:
    agreement = contract(uptime(target))
    month = month_of(agreement, "2026-04", ("2026-04-03T00:00", -360), ("2026-04-20T10:00", 20))
    report = settled(agreement, "2026-04", month)
    assert value(report) == 99.953315
    assert (first(report).figure.standing, first(report).figure.conclusive) == (standing, conclusive)
    assert first(report).unknown_ns == {"agent_down": 21_600 * SECOND}


def test_berlin_in_march() -> None:
    agreement = contract(zone="Europe/Berlin")
    report = settled(agreement, "2026-03", month_of(agreement, "2026-03", ("2026-03-29T00:30", 45)))
    assert value(report) == 99.899058
    assert seconds(report)[0] == 2_674_800


def test_from_the_middle_of_the_month() -> None:
    agreement = contract(active_from=datetime(2026, 4, 16, tzinfo=ZoneInfo("UTC")))
    report = settled(
        agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-01T00:00", 99), ("2026-04-20T10:00", 21))
    )
    assert value(report) == 99.902778
    assert seconds(report)[0] == 1_296_000
    assert len(report.incidents) == 1


@pytest.mark.parametrize(("down", "standing"), [(259, Standing.MET), (260, Standing.BREACHED)])
def test_error_budget_to_the_second(down: int, standing: Standing) -> None:
    rule = replace(INTERVAL, interval_ns=SECOND)
    agreement = contract(uptime("99.99"), rule=rule)
    got = np.full(2_592_000, 1)
    got[1000 : 1000 + down] = 0
    report = settled(agreement, "2026-04", records(at("2026-04-01"), got, seconds=1, sent=1))
    assert first(report).figure.standing is standing
    figure = first(report).figure.value
    assert isinstance(figure, Fraction)
    assert percent_shown(float(figure)) == {259: "99.9900 %", 260: "99.9899 %"}[down]


def test_sliding_tail_is_not_decided_yet() -> None:
    agreement = contract(rule=SLIDING)
    text = "GGBBGBBBGBGGGGBG"
    report = settled(agreement, span(16), minutes(text))
    assert first(report).figure.value == Fraction(9, 14)
    assert first(report).unknown_ns == {"provisional": 2 * MINUTE}
    assert not report.final
    later = settled(agreement, span(16), minutes(text + "GGG"))
    assert first(later).figure.value == Fraction(11, 16)
    assert later.final


def test_a_good_tail_of_sliding_is_up() -> None:
    agreement = contract(rule=replace(SLIDING, n=10))
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04"))
    assert seconds(report) == (2_592_000, 0, 0, 0, 2_592_000)
    assert report.final


def test_outage_runs() -> None:
    report = settled(contract(), span(10), minutes("GBGBBGBBBG"))
    assert (first(report).account.down_ns, first(report).micro_outages) == (300 * SECOND, 1)
    assert [i.down_ns // SECOND for i in report.incidents] == [120, 180]
    assert [(i.repair_ns or 0) // SECOND for i in report.incidents] == [120, 180]


def test_y1540() -> None:
    rule = UptimeRule("custom", "interval", minimum_ns=0, loss_over=Fraction(1, 5))
    agreement = contract(uptime(), delivery(scope="available"), rule=rule)
    report = settled(agreement, span(10), records(at("2026-04-10"), [12, 12, 11, 9, 0, 0, 5, 10, 12, 12]))
    time, packets = report.results
    assert time.figure.value == Fraction(6, 10)
    assert packets.figure.value == Fraction(69, 72)
    assert packets.other_scope == Fraction(83, 120)


def test_pooled_and_mean_of_intervals() -> None:
    parts = [records(at("2026-04-10"), [100, 99], sent=100), records(at("2026-04-10T00:02"), [5], sent=10)]
    part = Recorded.of(
        "hq", "ping", {n: np.concatenate([getattr(p, n) for p in parts]) for n in Recorded.__slots__[2:15]}, {}
    )
    for aggregate, expected in (("pooled", Fraction(204, 210)), ("mean_of_intervals", Fraction(83, 100))):
        agreement = contract(delivery(scope="all", aggregate=aggregate))
        assert first(settled(agreement, span(3), part)).figure.value == expected


@pytest.mark.parametrize(("within", "standing"), [(949, Standing.BREACHED), (950, Standing.MET)])
def test_percentile_by_counter(within: int, standing: Standing) -> None:
    part = records(at("2026-04-10"), [1000], sent=1000)
    part.within[30_000] = np.array([within])
    agreement = contract(
        latency(30, statistic="p95", percent=percent("95")),
        probes=(ProbeSpec("ping", ProbeType.ICMP, 60 * SECOND // 1000),),
    )
    report = settled(agreement, span(1), part)
    assert first(report).figure.standing is standing
    assert first(report).figure.value is None
    counts = np.bincount(bucket_of(np.full(1000, 30_000)), minlength=BUCKETS)
    shown = first(settled(agreement, span(1), part, histogram=lambda _e, _p: counts)).figure.value
    assert shown is not None
    assert (shown <= 0.030) is (standing is Standing.MET)


# --- other rules --------------------------------------------------------------------------------------


def test_lost_probes_as_infinite_latency() -> None:
    part = records(at("2026-04-10"), [96], sent=100)
    part.within[30_000] = np.array([94])
    for lost, standing in (("exclude", Standing.MET), ("infinite", Standing.BREACHED)):
        agreement = contract(
            latency(30, statistic="p95", percent=percent("95")), measurement=Measurement(percentile_lost=lost)
        )
        assert first(settled(agreement, span(1), part)).figure.standing is standing


def test_mean_latency_and_its_extremes() -> None:
    for statistic, expected in (("mean", "0.010"), ("min", "0.009"), ("max", "0.011")):
        report = settled(contract(latency(10, statistic=statistic)), span(2), minutes("GG"))
        assert first(report).figure.value == Fraction(expected)
        assert first(report).figure.standing is (Standing.BREACHED if statistic == "max" else Standing.MET)
    assert (
        first(settled(contract(latency(10, statistic="mean")), span(2), minutes("BB"))).figure.standing
        is Standing.NO_DATA
    )


def test_an_outage_over_the_month_edge() -> None:
    agreement = contract(uptime(), repair(), rule=UptimeRule())
    part = records(at("2026-04-30T23:00"), [PER_MINUTE] * 59 + [0] * 3 + [PER_MINUTE] * 58)
    april, may = (settled(agreement, name, part) for name in ("2026-04", "2026-05"))
    assert [first(one).account.down_ns // SECOND for one in (april, may)] == [60, 120]
    assert [[i.repair_ns for i in one.incidents] for one in (april, may)] == [[180 * SECOND], [None]]
    assert [one.incidents[0].whole_ns for one in (april, may)] == [180 * SECOND] * 2
    assert april.results[1].figure.value == 180
    assert may.results[1].figure.value is None


def test_a_minute_down_on_either_side_of_the_edge_is_one_outage() -> None:
    part = records(at("2026-04-30T23:00"), [PER_MINUTE] * 59 + [0, 0] + [PER_MINUTE] * 59)
    april, may = (settled(contract(), name, part) for name in ("2026-04", "2026-05"))
    assert [first(one).account.down_ns // SECOND for one in (april, may)] == [60, 60]
    assert [first(one).micro_outages for one in (april, may)] == [0, 0]


def test_a_restart_inside_an_outage() -> None:
    report = settled(contract(), span(6), minutes("GBUBGG"))
    assert seconds(report) == (360, 0, 60, 120, 180)
    (incident,) = report.incidents
    assert (incident.down_ns, incident.repair_ns) == (2 * MINUTE, 3 * MINUTE)
    longer = settled(contract(), span(7), minutes("GBUUBGG"))
    assert (first(longer).account.down_ns, first(longer).micro_outages) == (0, 2)


def test_reasons_of_unknown_time() -> None:
    part = minutes("GGGGU")
    part.reason[1] = Reason.CLOCK_STEP
    part.reason[2] = Reason.LOCAL_FAULT
    part.sent[3] = part.received[3] = 0
    assert first(settled(contract(), span(5), part)).unknown_ns == {
        "clock_step": MINUTE, "local_fault": MINUTE, "too_few_samples": MINUTE, "agent_down": MINUTE,
    }  # fmt: skip


def test_suspect_intervals_count_no_packets() -> None:
    part = minutes("GBG")
    part.reason[1] = Reason.LOCAL_FAULT
    report = settled(contract(delivery(scope="all")), span(3), part)
    assert first(report).figure.value == 1
    assert first(report).figure.coverage == Fraction(24, 24 + 12)


def test_service_hours_split_the_seconds_of_an_outage() -> None:
    hours = Hours(tuple((day, 480, 1080) for day in range(5)))
    agreement = contract(zone="Europe/Berlin", hours=hours)
    month = month_of(agreement, "2026-04", ("2026-04-10T15:59", 2), ("2026-04-11T12:00", 60))  # 17:59 local; Saturday
    report = settled(agreement, "2026-04", month)
    assert first(report).account.scheduled_ns == 22 * 10 * HOUR
    assert first(report).account.down_ns == MINUTE
    assert len(report.incidents) == 1


def test_only_intervals_wholly_inside_are_excluded() -> None:
    half = replace(MAINTENANCE, start_ns=at("2026-04-10T00:00:30"), end_ns=at("2026-04-10T00:03:30"))
    report = settled(contract(rule=INTERVAL), span(5), minutes("BBBBB"), exclusions=[half])
    assert seconds(report) == (300, 120, 0, 180, 0)


def test_windows_of_the_agreement_exclude() -> None:
    windows = (MaintenanceWindow(2 * HOUR, rrule="FREQ=MONTHLY;BYDAY=2SU", start_minute=120),)
    agreement = contract(zone="Europe/Berlin", maintenance=Maintenance(windows=windows))
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-12T00:00", 121)))
    assert first(report).account.excluded_ns == 2 * HOUR
    assert first(report).account.down_ns == 0  # the one minute of overrun alone is a micro-outage
    assert first(report).micro_outages == 1


def test_stopped_clocks_and_repair_times() -> None:
    agreement = contract(repair(hours=1))
    month = month_of(agreement, "2026-04", ("2026-04-10T00:00", 90))
    waiting = Exclusion("w", "hq", at("2026-04-10T00:10"), at("2026-04-10T01:00"), "waiting_for_customer")
    assert first(settled(agreement, "2026-04", month)).figure.standing is Standing.BREACHED
    report = settled(agreement, "2026-04", month, exclusions=[waiting])
    assert first(report).figure.standing is Standing.MET
    assert first(report).figure.value == 40 * 60
    assert first(report).account.down_ns == 90 * MINUTE


def test_rolling_windows_by_share() -> None:
    five = Span("5m", 300)
    agreement = contract(delivery("99", five, scope="all"), uptime("99", five), rule=INTERVAL)
    report = settled(agreement, span(60), minutes("G" * 20 + "B" + "G" * 39))
    packets, time = report.results
    for result in (packets, time):
        # nothing is known of the time before, so the first four windows have no 95 % coverage and are not judged
        assert result.figure.met_share == Fraction(51, 56)
        assert result.figure.value == Fraction(4, 5)
        assert result.figure.standing is Standing.BREACHED


def test_two_probes_and_who_decides() -> None:
    probes = (ProbeSpec("ping", ProbeType.ICMP), ProbeSpec("https", ProbeType.TCP, 10 * SECOND))
    ping = minutes("GBBGUB")
    https = records(at("2026-04-10"), [6, 6, 0, 0, 0, -1], probe="https", sent=6)
    down = {}
    for feed in ("any", "all", "ping", "https"):
        agreement = contract(rule=replace(INTERVAL, feed=feed), probes=probes)
        down[feed] = first(settled(agreement, span(6), ping, https)).account.down_ns // MINUTE
    assert down == {"any": 3, "all": 5, "ping": 3, "https": 3}


def test_longer_uptime_intervals_than_records() -> None:
    rule = replace(INTERVAL, interval_ns=300 * SECOND, loss_over=Fraction(3, 4))
    report = settled(contract(rule=rule), span(15), minutes("BBBBG" + "GBBBB"[::-1] + "UUUUG"))
    assert seconds(report) == (900, 0, 0, 600, 300)
    with pytest.raises(NetslaError, match=r"records of 300 s cannot feed uptime intervals of 60 s"):
        settled(contract(), span(15), records(at("2026-04-10"), [12, 12, 12], seconds=300))


def test_a_running_period_is_provisional_with_a_forecast() -> None:
    agreement = contract()
    part = records(at("2026-04-01"), [PER_MINUTE] * 1430 + [0] * 10)
    report = settled(agreement, "2026-04", part, until_ns=at("2026-04-02T00:00:59"))
    assert not report.final
    assert first(report).account.scheduled_ns == DAY
    assert report.incidents[0].end_ns is None
    assert report.incidents[0].provisional
    remaining = at("2026-05-01") - at("2026-04-02T00:00:59")
    assert first(report).forecast_ns == 600 * SECOND + Fraction(600 * remaining, 7 * 86_400)
    assert first(report).budget_spent == Fraction(600, 2592)


# --- credits ------------------------------------------------------------------------------------------


def test_credit_of_the_month() -> None:
    rule = CreditRule("uptime-month", tiers=tiers(("99.9", "5"), ("99", "25")))
    agreement = contract(credits=credits_of(rule, cap=percent("50")))
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-10T00:00", 60)))
    assert report.credit is not None
    assert (report.credit.amount, report.credit.share) == (Decimal("45.00"), Fraction(5, 100))
    assert first(report).credit == Decimal("45.00")
    assert report.standing is Standing.BREACHED


def test_one_outage_is_credited_once() -> None:
    rules = (
        CreditRule("uptime-month", tiers=tiers(("99.9", "10"))),
        CreditRule("repair", "per_outage", tiers=(replace(tiers(("0", "10"))[0], limit=Fraction(30 * MINUTE)),)),
    )
    agreement = contract(uptime(), repair(), credits=credits_of(*rules))
    one = settled(agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-10T00:00", 60)))
    two = settled(
        agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-10T00:00", 60), ("2026-04-11T00:00", 60))
    )
    assert [r.credit.share if r.credit else None for r in (one, two)] == [Fraction(10, 100), Fraction(20, 100)]


def test_the_worst_endpoint_decides_once() -> None:
    rule = CreditRule("uptime-month", tiers=tiers(("99.9", "5"), ("99", "25")))
    shares = {}
    for combine in ("all", "any", "average"):
        agreement = contract(
            endpoints=("a", "b", "c"), credits=credits_of(rule), measurement=Measurement(combine=combine)
        )
        parts = [
            month_of(agreement, "2026-04", ("2026-04-10T00:00", down), endpoint=name)
            for name, down in (("a", 44), ("b", 600), ("c", 60))
        ]
        report = settled(agreement, "2026-04", *parts)
        assert report.credit is not None
        shares[combine] = report.credit.share * 100
    assert shares == {"all": 25, "any": 5, "average": 5}


def test_nothing_is_credited_on_insufficient_data() -> None:
    rule = CreditRule("uptime-month", tiers=tiers(("99.9", "5")))
    agreement = contract(credits=credits_of(rule))
    month = month_of(agreement, "2026-04", ("2026-04-10T00:00", 5), ("2026-04-11T00:00", -9 * 1440))
    half = replace(first(settled(agreement, "2026-04", month)).figure)
    assert half.standing is Standing.INSUFFICIENT
    report = settled(agreement, "2026-04", month)
    assert report.credit is not None
    assert report.credit.amount == Decimal("0.00")


def test_chronic_outages_and_downtime() -> None:
    often = Chronic(Span("30d", 30 * 86_400), outages=3, each_over_ns=30 * MINUTE)
    long = Chronic(MONTH, downtime_over_ns=2 * HOUR)
    agreement = contract(credits=credits_of(chronic=(often, long)))
    for third, expected in ((35, 1), (30, 0)):
        downs = (("2026-04-02T00:00", 31), ("2026-04-12T00:00", 45), ("2026-04-22T00:00", third))
        report = settled(agreement, "2026-04", month_of(agreement, "2026-04", *downs))
        assert report.credit is not None
        assert [rule for _, rule in report.credit.chronic] == [often] * expected
    report = settled(agreement, "2026-04", month_of(agreement, "2026-04", ("2026-04-02T00:00", 121)))
    assert report.credit is not None
    assert [rule for _, rule in report.credit.chronic] == [long]


def test_a_quarter_is_charged_as_three_months() -> None:
    rule = CreditRule("uptime-month", "days_per_started_hour", days=Fraction(1))
    agreement = contract(credits=credits_of(rule))
    report = settled(agreement, "2026-Q2", month_of(agreement, "2026-Q2", ("2026-04-10T00:00", 61)))
    assert report.credit is not None
    assert report.credit.amount == Decimal("60.00")  # two started hours; a day is 900.00 / 30 in a quarter, too
    assert to_json(report, chained=False)["credit"]["charge"] == "2700.00"


def test_what_outages_earn_in_a_quarter_is_what_they_earn_in_its_months() -> None:
    rule = CreditRule("uptime-month", "per_outage", tiers=(Tier(Fraction(5 * MINUTE), Fraction(5, 100)),))
    agreement = contract(credits=credits_of(rule))
    downs = (("2026-04-10T00:00", 10), ("2026-06-10T00:00", 10))
    record = month_of(agreement, "2026-Q2", *downs)
    paid = [settled(agreement, name, record).credit for name in ("2026-04", "2026-05", "2026-06", "2026-Q2")]
    assert [one and one.amount for one in paid] == [Decimal(text) for text in ("45.00", "0.00", "45.00", "90.00")]


# --- JSON ---------------------------------------------------------------------------------------------


def test_json_has_the_promised_keys() -> None:
    agreement = contract(credits=credits_of(CreditRule("uptime-month", tiers=tiers(("99.9", "5")))))
    month = month_of(agreement, "2026-04", ("2026-04-03T00:00", -360), ("2026-04-20T10:00", 20))
    told = to_json(settled(agreement, "2026-04", month), chained=False)
    assert told["schema"] == "netsla.report/1"
    assert {"id", "version", "customer"} <= told["agreement"].keys()
    assert told["period"]["seconds"] == 2_592_000
    assert told["period"]["start"] == "2026-04-01T00:00:00Z"
    (row,) = told["objectives"]
    shown = {key: round(row[key], 8) for key in ("value", "low", "high")}
    assert shown == {"value": 0.99953315, "low": 0.9912037, "high": 0.99953704}
    assert row["seconds"] == {"scheduled": 2_592_000, "excluded": 0, "unknown": 21_600, "down": 1200, "up": 2_569_200}
    assert (row["evidence"], row["micro_outages"], row["credit"]) == ("inconclusive", 0, "0.00")
    assert told["incidents"] == [{
        "endpoint": "hq", "start": "2026-04-20T10:00:00Z", "end": "2026-04-20T10:20:00Z", "seconds": 1200,
        "whole_seconds": 1200, "repair_seconds": 1200, "excluded_by": None, "provisional": False,
    }]  # fmt: skip
    assert told["credit"]["amount"] == "0.00"


def test_json_of_nothing_is_null() -> None:
    (row,) = to_json(settled(contract(), "2026-04"), chained=False)["objectives"]
    assert (row["value"], row["standing"]) == (None, "no_data")
    assert row["seconds"]["unknown"] == 2_592_000


# --- laws ---------------------------------------------------------------------------------------------

MINUTES = st.text("GGGBBU", min_size=1, max_size=90)
RULES = st.sampled_from([UptimeRule(), INTERVAL, SLIDING, replace(SLIDING, n=2)])


@settings(max_examples=300, deadline=None)
@given(MINUTES, RULES, st.integers(0, 90), st.none() | st.integers(0, 20))
def test_a_period_is_the_sum_of_its_parts(text: str, rule: UptimeRule, cut: int, later: int | None) -> None:
    """`later`: so many minutes after the period its figures are asked for; None: the records are all there will be.

    Then missing intervals are known to be missing as far as the period goes, and no further: a part that ends with the
    records knows less of what follows them than the whole does.
    """
    assume(later is not None or not text.endswith("U"))
    until_ns = None if later is None else at("2026-04-10") + (len(text) + later) * MINUTE
    cut = min(cut, len(text))
    part, agreement = minutes(text), contract(rule=rule)
    edge = span(cut).split("/")[1]
    whole = settled(agreement, span(len(text)), part, until_ns=until_ns)
    halves = [f"2026-04-10T00:00Z/{edge}", f"{edge}/{span(len(text)).split('/')[1]}"]
    reports = [
        settled(agreement, name, part, until_ns=until_ns)
        for name in halves
        if name.split("/")[0].rstrip("Z") != name.split("/")[1].rstrip("Z")
    ]
    total = sum((first(one).account for one in reports[1:]), first(reports[0]).account)
    assert total == first(whole).account
    assert sum(first(one).micro_outages for one in reports) == first(whole).micro_outages


@settings(max_examples=120, deadline=None)
@given(MINUTES, RULES, st.data())
def test_excluded_contents_never_change_a_verdict(text: str, rule: UptimeRule, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    other = data.draw(st.text("GBU", min_size=end - begin, max_size=end - begin))
    inside = Exclusion("x", None, at("2026-04-10") + begin * MINUTE, at("2026-04-10") + end * MINUTE, "force_majeure")
    agreement = contract(uptime(), repair(), delivery(scope="all"), rule=rule)
    reports = [
        settled(agreement, span(len(text)), minutes(one), exclusions=[inside] if end > begin else [])
        for one in (text, text[:begin] + other + text[end:])
    ]
    figures = [[r.figure for r in one.results] for one in reports]
    assert figures[0] == figures[1]
    assert first(reports[0]).account == first(reports[1]).account
    counted = [[i for i in one.incidents if i.excluded_by is None] for one in reports]
    assert counted[0] == counted[1]


@settings(max_examples=120, deadline=None)
@given(MINUTES, RULES, st.data())
def test_more_downtime_never_raises_uptime(text: str, rule: UptimeRule, data: st.DataObject) -> None:
    good = [i for i, letter in enumerate(text) if letter == "G"]
    if not good or rule.method == "sliding":  # its undecided tail is not yet down
        return
    worse = list(text)
    worse[data.draw(st.sampled_from(good))] = "B"
    before, after = (settled(contract(rule=rule), span(len(text)), minutes("".join(one))) for one in (text, worse))
    assert (first(after).figure.value or 0) <= (first(before).figure.value or 0)


def test_a_report_is_a_pure_function() -> None:
    agreement = contract(uptime(), repair(), delivery())
    month = month_of(agreement, "2026-04", *DOWN_IN_APRIL)
    one, two = (settled(agreement, "2026-04", month, exclusions=[MAINTENANCE]) for _ in range(2))
    assert to_json(one, chained=True) == to_json(two, chained=True)
    assert period_of(agreement, "2026-04") == one.period
