"""Links held against rows that pass by."""

from dataclasses import replace

import numpy as np
import pytest

from netsla.sla.recorded import Recorded
from netsla.store import chain
from netsla.store.pack_chain import PackChain, PackLink, make_links
from netsla.store.pack_check import LinkCheck, broken_links, check_links
from tests.sla.contracts import records

START_NS = 1_775_001_600 * 10**9  # 2026-04-01T00:00:00Z
NAMES = [f"site-{n}" for n in range(6)]
FIRST = "hour 2026-04-01T00:00Z"


def parts_of(minutes: int = 120) -> list[Recorded]:
    return [records(START_NS, np.full(minutes, 12 - n % 3), endpoint=name) for n, name in enumerate(NAMES)]


def chained(*groups: list[Recorded]) -> PackChain:
    """Each hour sealed in one link per group, as the ledger does with large agreements."""
    links: list[PackLink] = []
    previous = chain.GENESIS
    for hour in range(2):
        for group in groups:
            made = make_links("acme", group)[hour]
            links.append(replace(made, previous=previous, hash=chain.link(previous, made.figures, made.stored)))
            previous = links[-1].hash
    return PackChain("acme", "2026-04", None, {}, tuple(links))


def test_an_hour_in_several_links_is_held_against_each_of_them() -> None:
    """A ledger seals 24 probes in a link."""
    parts = parts_of()
    made = chained(parts[:4], parts[4:])
    checked = check_links(made, parts)
    assert (checked.links, checked.hours, checked.loose, checked.breaks) == (4, 2, 0, ())


@pytest.mark.parametrize("which", [0, 3, 4, 5])
def test_a_changed_figure_is_found_in_whichever_link_of_the_hour(which: int) -> None:
    parts = parts_of()
    made = chained(parts[:4], parts[4:])
    parts[which].rtt_sum_us[7] += 1
    assert check_links(made, parts).breaks == (f"intervals.csv: {FIRST}: the figures are not those that were sealed",)


def test_a_probe_that_is_missing_and_one_that_was_never_sealed() -> None:
    parts = parts_of()
    made = chained(parts[:4], parts[4:])
    for gone in (0, 3, 5):
        (told,) = check_links(made, [part for n, part in enumerate(parts) if n != gone]).breaks
        assert told.startswith(f"intervals.csv: {FIRST}: the figures are not those")
        assert "(and 1 more places)" in told
    strange = records(START_NS + 3600 * 10**9, [1], endpoint="zz")
    assert check_links(made, [*parts, strange]).breaks == (
        "intervals.csv: hour 2026-04-01T01:00Z: zz/ping was not sealed",
    )


def test_a_corrected_hour_is_not_held_against_rows_but_the_next_is() -> None:
    parts = parts_of()
    made = chained(parts)
    again = make_links("acme", [records(START_NS, np.full(60, 3), endpoint="site-2")])[0]
    tail = made.links[-1].hash
    corrected = replace(again, previous=tail, hash=chain.link(tail, again.figures, again.stored))
    made = replace(made, links=(*made.links, corrected))
    parts[2] = records(START_NS, np.append(np.full(60, 3), np.full(60, 10)), endpoint="site-2")
    assert check_links(made, parts).intact
    parts[2].sent[70] += 1
    assert "hour 2026-04-01T01:00Z" in check_links(made, parts).breaks[0]


def test_records_of_hours_without_a_link_are_counted() -> None:
    parts = parts_of(150)
    made = replace(chained(parts), links=chained(parts).links[:1])
    assert check_links(made, parts).loose == 6 * 90


def test_lanes_that_stand_in_another_order_are_broken_not_a_crash() -> None:
    parts = parts_of()
    made = chained(parts)
    turned = replace(made.links[0], lanes=made.links[0].lanes[::-1])
    checked = check_links(replace(made, links=(turned, made.links[1])), parts)
    assert checked.breaks == (f"intervals.csv: {FIRST}: the figures are not those that were sealed",)


def test_no_rows_are_kept() -> None:
    parts = parts_of()
    checking = LinkCheck(chained(parts))
    for part in parts:
        checking.add(part)
        part.sent[:] = 0  # it was told before
    assert checking.checked().intact


def test_links_are_held_against_each_other_without_rows() -> None:
    made = chained(parts_of())
    assert list(broken_links(made.links)) == []
    assert list(broken_links(made.links[1:])) == []
    forged = replace(made.links[0], figures=bytes(32))
    assert list(broken_links([forged, made.links[1]])) == [f"{FIRST}: the link is not the digest of its parts"]
