from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from netsla.config.profile import PROFILES
from netsla.model import SECOND, UptimeRule
from tests.config.writing import agreement, mistakes


def rule(folder: Path, keys: str, plan: str = "") -> UptimeRule:
    top = f"plans: {{p: {{uptime: {plan}}}}}" if plan else ""
    text = f"uptime: {keys}\n" + ("plan: p\n" if plan else "")
    return agreement(folder, text, top).endpoints[0].uptime


def test_default(tmp_path: Path) -> None:
    assert rule(tmp_path, "{}") == PROFILES["commercial"] == UptimeRule()


@pytest.mark.parametrize("name", PROFILES)
def test_named(tmp_path: Path, name: str) -> None:
    assert rule(tmp_path, f"{{profile: {name}}}") == PROFILES[name]


def test_parts_without_a_profile_are_custom(tmp_path: Path) -> None:
    found = rule(tmp_path, "{method: sliding, interval: 10s, loss_over: 20%, min_samples: 5, feed: ping}")
    assert found == UptimeRule("custom", "sliding", 10, 0, 10 * SECOND, Fraction(1, 5), min_samples=5, feed="ping")


def test_parts_over_a_profile_keep_its_name(tmp_path: Path) -> None:
    found = rule(tmp_path, "{profile: mef, n: 3}")
    assert (found.profile, found.method, found.n) == ("mef", "sliding", 3)


def test_another_method_takes_its_own_default(tmp_path: Path) -> None:
    assert rule(tmp_path, "{profile: mef, method: outage}").minimum_ns == 120 * SECOND
    assert rule(tmp_path, "{profile: commercial, method: sliding}").n == 10
    assert rule(tmp_path, "{method: interval}").minimum_ns == 0


def test_levels_merge_key_by_key(tmp_path: Path) -> None:
    found = rule(tmp_path, "{n: 3}", plan="{method: sliding, n: 10, loss_over: 20%, feed: all}")
    assert (found.method, found.n, found.loss_over, found.feed) == ("sliding", 3, Fraction(1, 5), "all")


def test_naming_a_profile_sets_aside_the_plan_but_not_who_feeds(tmp_path: Path) -> None:
    found = rule(tmp_path, "{profile: commercial}", plan="{method: sliding, n: 10, loss_over: 20%, feed: all}")
    assert (found.method, found.loss_over, found.feed) == ("outage", Fraction(1, 2), "all")


def test_all_lost_gives_way_to_a_threshold(tmp_path: Path) -> None:
    assert rule(tmp_path, "{profile: google120}").all_lost
    assert not rule(tmp_path, "{profile: google120, loss_over: 90%}").all_lost


def test_the_plans_n_is_no_mistake_under_another_method(tmp_path: Path) -> None:
    assert rule(tmp_path, "{method: outage}", plan="{method: sliding, n: 10}").method == "outage"


def test_endpoint_overrides_agreement(tmp_path: Path) -> None:
    found = agreement(
        tmp_path,
        "uptime: {interval: 30s}\n"
        "endpoints: [{id: a, address: 192.0.2.1}, {id: b, address: 192.0.2.2, uptime: {interval: 10s}}]",
    )
    assert [endpoint.uptime.interval_ns // SECOND for endpoint in found.endpoints] == [30, 10]


@pytest.mark.parametrize("interval", ["1s", "7s500ms", "16m", "450s", "900s", "500ms", "11s"])
def test_interval_divides_the_quarter_of_an_hour(tmp_path: Path, interval: str) -> None:
    text = f"agreements: [{{id: a, uptime: {{interval: {interval}}}, endpoints: [{{id: e, address: 192.0.2.1}}]}}]"
    assert bool(mistakes(tmp_path, text)) == (interval not in {"1s", "450s", "900s"})
