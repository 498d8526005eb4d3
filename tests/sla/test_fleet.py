from dataclasses import replace

import numpy as np

from netsla.model import SECOND, Metric, ProbeSpec, ProbeType, UptimeRule
from netsla.sla.fleet import Roster, feeds, thresholds_of
from tests.sla.builders import HOUR, MONTH, PING, latency_objective, plan, ratio_objective

TCP = ProbeSpec("https", ProbeType.TCP, interval_ns=10 * SECOND, port=443)


def test_every_endpoint_has_5m_and_1h_and_what_its_objectives_name_calendars_last() -> None:
    fleet = Roster().lay_out(plan(2, objectives=(ratio_objective(window=MONTH),)), 0)
    assert list(fleet.windows) == ["5m", "1h", "month"]
    assert all(rows.tolist() == [0, 1] for rows in fleet.window_rows.values())


def test_tcp_feeds_latency_and_uptime_but_not_what_counts_packets() -> None:
    """The kernel retransmits a SYN and hides the loss (docs/sla.md)."""
    assert feeds(latency_objective(), TCP)
    assert feeds(ratio_objective(Metric.UPTIME), TCP)
    assert not feeds(ratio_objective(), TCP)
    assert feeds(ratio_objective(), PING)
    assert not feeds(replace(ratio_objective(), probe="https"), PING)


def test_each_row_has_the_thresholds_that_its_verdicts_need() -> None:
    objectives = (latency_objective("p95", 50), latency_objective("p99", 20), latency_objective("mean", 5))
    fleet = Roster().lay_out(plan(objectives=(*objectives, replace(objectives[0], id="x", window=HOUR))), 0)
    assert thresholds_of(fleet.endpoints[0].endpoint, PING) == (20_000, 50_000)
    assert fleet.thresholds_us.tolist() == [[20_000], [50_000]]


def test_references_are_rows_of_their_own_without_an_endpoint() -> None:
    fleet = Roster().lay_out(plan(2, references=1), 0)
    assert [probe.endpoint for probe in fleet.references] == [-1]
    assert sorted(probe.row for probe in fleet.watched) == [0, 1, 2]


def test_an_unchanged_probe_keeps_its_row_and_a_changed_one_gets_a_fresh_one() -> None:
    roster, first = Roster(), plan(3)
    roster.lay_out(first, 0)
    agreement = first.agreements[0]
    slower = replace(agreement.endpoints[0], probes=(replace(PING, interval_ns=2 * SECOND),))
    second = replace(first, agreements=(replace(agreement, endpoints=(slower, agreement.endpoints[2])),))
    fleet = roster.lay_out(second, SECOND)
    assert [probe.row for probe in fleet.probes] == [3, 2]
    assert fleet.fresh_rows.tolist() == [3]
    assert sorted(fleet.gone_rows.tolist()) == [0, 1]
    assert fleet.gone_places.tolist() == [1]


def test_a_moved_address_keeps_the_row_because_names_move() -> None:
    roster, first = Roster(), plan(1)
    roster.lay_out(first, 0)
    agreement = first.agreements[0]
    moved = replace(agreement, endpoints=(replace(agreement.endpoints[0], address="127.9.9.9"),))
    fleet = roster.lay_out(replace(first, agreements=(moved,)), SECOND)
    assert (fleet.probes[0].row, fleet.probes[0].address) == (0, "127.9.9.9")
    assert len(fleet.fresh_rows) == 0


def test_the_cell_is_the_greatest_common_part_of_all_intervals_up_to_a_minute() -> None:
    for seconds, cell in ((60, 60), (300, 60), (90, 30), (15, 15)):
        rule = UptimeRule("", "interval", interval_ns=seconds * SECOND)
        assert Roster().lay_out(plan(rule=rule), 0).seconds == cell


def test_uptime_is_decided_by_the_probe_that_the_rule_names() -> None:
    rule = UptimeRule(feed="https")
    fleet = Roster().lay_out(plan(rule=rule, probes=(PING, TCP)), 0)
    assert fleet.endpoints[0].deciding == (fleet.probes[1].row,)
    assert isinstance(fleet.window_rows["5m"], np.ndarray)
