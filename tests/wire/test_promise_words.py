from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from netsla.model import (
    SECOND,
    Agreement,
    Hours,
    Measurement,
    Metric,
    Objective,
    ProbeSpec,
    ProbeType,
    Span,
    UptimeRule,
)
from netsla.wire.promise_words import accounting_words, allowance, definitions, metric_words, uptime_words, window_words
from tests.sla.contracts import contract, delivery, latency, repair, uptime

HOURS_MEAN = delivery(aggregate="mean_of_intervals", probe="ping", scope="available")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (UptimeRule("", "interval"), "Each bad interval is down time."),
        (
            UptimeRule("mef", "sliding", 10),
            "first of 10 bad intervals in a row, and up again from the first of 10 good",
        ),
        (UptimeRule("mef", "sliding", 10), "Up to 9 unknown intervals in a row neither extend nor break a run"),
        (UptimeRule(), "if it lasts at least 2m"),
        (UptimeRule(), "One unknown interval neither extends nor breaks a run; a longer gap ends it."),
        (UptimeRule(all_lost=True), "bad if nothing came back"),
        (UptimeRule(feed="ping", min_samples=3), "unknown with fewer than 3 probes. Probe ping alone decides."),
        (UptimeRule(), "one of them that is good is enough"),
        (UptimeRule(feed="all"), "all of them have to be good"),
    ],
)
def test_uptime_rules(rule: UptimeRule, said: str) -> None:
    assert said in uptime_words(rule)


def test_a_profile_is_named_where_the_contract_names_one() -> None:
    assert uptime_words(UptimeRule("custom")).startswith("Time is cut")
    assert uptime_words(UptimeRule("mef")).startswith("Profile mef: time is cut")


def test_an_interval_that_is_down_by_itself_has_no_runs() -> None:
    assert "run" not in uptime_words(UptimeRule("y1540-2019", "interval"))


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (uptime(), "uptime"),
        (HOURS_MEAN, "packet delivery (received / sent) of ping, only while up, mean of the intervals' ratios"),
        (latency(50, statistic="p95"), "round-trip time, p95"),
        (repair(), "time to repair, each"),
        (repair(statistic="mean"), "time to repair, mean"),
    ],
)
def test_metrics(objective: Objective, said: str) -> None:
    assert metric_words(objective) == said


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (Span("month", calendar="month"), "each calendar month"),
        (Span("30d", seconds=30 * 86_400), "the last 30d, at any time"),
        (Span("90m", seconds=5400), "the last 1h30m, at any time"),
    ],
)
def test_windows(window: Span, said: str) -> None:
    assert window_words(uptime(window=window)) == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (Hours(), "43m12s down"),
        (Hours(tuple((weekday, 480, 1080) for weekday in range(5))), "12m51s down"),  # 50 h of 168
    ],
)
def test_what_is_allowed_is_of_the_service_hours(hours: Hours, said: str) -> None:
    assert allowance(uptime("99.9"), hours) == said


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Measurement(), "Uptime is Up / (Up + Down)."),
        (Measurement(fixed_denominator_ns=43_200 * 60 * SECOND), "Uptime is 1 - Down / 30d, however long"),
        (Measurement(unknown="down"), "unknown, and counts as down"),
        (Measurement(exclusions="count_as_up"), "excluded time counts as up"),
        (Measurement(min_coverage=Fraction(9, 10)), "A verdict needs 90% of the time"),
        (Measurement(combine="any"), "one that keeps the promise is enough"),
        (Measurement(combine="average"), "the mean of the endpoints' figures"),
    ],
)
def test_accounts(how: Measurement, said: str) -> None:
    assert said in "\n".join(accounting_words(how))


def words(agreement: Agreement) -> str:
    return "\n".join(definitions(agreement))


def test_only_the_words_that_are_used_are_defined() -> None:
    assert words(contract(uptime())).count("\n") == 0
    assert "Time to repair runs" in words(contract(repair()))
    assert "lost" not in words(contract(repair()))
    p95 = latency(50, statistic="p95", percent=Fraction(95, 100))
    assert "without interpolation" in words(contract(p95))
    infinite = replace(contract(p95), measurement=Measurement(percentile_lost="infinite"))
    assert "slower than any limit" in words(infinite)
    assert "Jitter is the mean difference" in words(contract(replace(latency(5), metric=Metric.JITTER)))
    assert "never packet delivery" in words(contract(uptime(), probes=(ProbeSpec("web", ProbeType.TCP, port=443),)))
