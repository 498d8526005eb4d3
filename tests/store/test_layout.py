"""Rows by identity: cells of different layouts put together."""

from __future__ import annotations

import numpy as np

from netsla.sla.fleet import Roster
from netsla.sla.tally import Column
from netsla.store.layout import Lane, Layout, blank, relocate, union
from tests.sla import builders
from tests.store.cells import HOUR_K, cells, layout, same


def test_identities_and_references() -> None:
    assert Lane.of("acme/hq/ping", (5,)) == Lane("acme", "hq", "ping", (5,))
    assert Lane.of("reference/gateway") == Lane("", "reference", "gateway")
    assert Lane.of("reference/gateway").key == "reference/gateway"
    assert Lane.of("acme/hq/ping").key == "acme/hq/ping"


def test_a_layout_reads_back() -> None:
    given = Layout.of_keys(("a/b/c", "", "reference/x"), ((1, 2), (), ()))
    again = Layout.read(given.text)
    assert again.lanes == given.lanes
    assert again.depth == 2
    assert given.onto(again).tolist() == [0, -1, 2]


def test_a_union_is_every_lane_once_in_order() -> None:
    both = union([layout(4), layout(4, first=2)])
    assert [lane.key for lane in both.lanes if lane] == [f"acme-{n // 2:04d}/site-{n % 2}/ping" for n in range(6)]


def test_other_thresholds_are_another_lane() -> None:
    one = Layout.of_keys(("a/b/c",), ((10,),))
    other = Layout.of_keys(("a/b/c",), ((20,),))
    assert one.onto(other).tolist() == [-1]


def test_parts_make_the_whole_again_on_any_rows() -> None:
    (whole,) = cells(6, 1)
    fleet, mixed = layout(6), Layout(tuple(layout(6).lanes[n] for n in (5, 0, 3, 1, 4, 2)))
    moved = relocate(HOUR_K, 60, [(whole, fleet)], mixed)
    assert moved.matrix[Column.RTT_SUM].tolist() == whole.matrix[Column.RTT_SUM][[5, 0, 3, 1, 4, 2]].tolist()
    left, right = layout(3), layout(3, first=3)
    parts = [(relocate(HOUR_K, 60, [(whole, fleet)], part), part) for part in (left, right)]
    assert same(relocate(HOUR_K, 60, parts, fleet), whole)
    assert same(relocate(HOUR_K, 60, [(moved, mixed)], fleet), whole)


def test_nothing_is_blank() -> None:
    empty = relocate(HOUR_K, 60, [], layout(2))
    assert same(empty, blank(HOUR_K, 60, layout(2)))
    assert np.array_equal(empty.standing, [-1, -1])


def test_a_fleet_is_laid_out_by_its_rows() -> None:
    objective = builders.latency_objective(limit_ms=30)
    fleet = Roster().lay_out(builders.plan(endpoints=2, objectives=(objective,), references=1), now_ns=0)
    made = Layout.of_fleet(fleet)
    assert len(made.lanes) == fleet.rows
    assert {lane.key: row for lane, row in made.rows.items()} == {probe.key: probe.row for probe in fleet.watched}
    assert {lane.agreement: lane.thresholds_us for lane in made.rows} == {"a": (30_000,), "": ()}
