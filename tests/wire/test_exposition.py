from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from netsla.model import Reason
from netsla.sla.snapshot import FloatArray, Roll, WindowView
from netsla.wire.exposition import Exposition, render, unmeasured
from netsla.wire.families import escape
from netsla.wire.labelling import Labelling
from tests.synthetic import changed, snapshot

Key = tuple[str, frozenset[tuple[str, str]]]


def samples(text: bytes) -> dict[Key, float]:
    """By prometheus_client's own parser: the oracle."""
    found: dict[Key, float] = {}
    for sample in _samples(text):
        key = (sample.name, frozenset(sample.labels.items()))
        assert key not in found
        found[key] = sample.value
    return found


def _samples(text: bytes) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text.decode()):
        yield from family.samples


def probe(at: int, probes: int = 10, **more: str) -> frozenset[tuple[str, str]]:
    labels = {"agreement": f"acme-dia-{at * 10 // probes}", "endpoint": f"site-{at:05d}", "probe": "ping"}
    return frozenset((labels | more).items())


def test_every_figure_reads_back() -> None:
    shown = snapshot(10)
    found = samples(render(shown))
    for at in range(10):
        assert found["netsla_probe_sent_total", probe(at)] == shown.sent[at]
        assert found["netsla_probe_lost_total", probe(at)] == shown.sent[at] - shown.received[at]
        assert found["netsla_probe_rtt_seconds_sum", probe(at)] == pytest.approx(shown.rtt_sum_us[at] / 1e6, rel=1e-8)
        assert found["netsla_probe_rtt_seconds_count", probe(at)] == shown.received[at]
    for at in range(1, 10):
        for view in shown.windows:
            window = {"window": view.name}
            ratio = found["netsla_window_packet_delivery_ratio", probe(at, 10, **window)]
            assert ratio == pytest.approx(view.delivery[at], abs=1e-9)
            p95 = found["netsla_window_latency_seconds", probe(at, 10, quantile="0.95", **window)]
            assert p95 == pytest.approx(view.p95[at], abs=1e-9)


def test_what_does_not_exist_is_absent() -> None:
    found = samples(render(snapshot(10)))
    assert ("netsla_window_packet_delivery_ratio", probe(0, window="5m")) not in found  # nothing sent
    assert ("netsla_window_packet_delivery_ratio", probe(1, window="5m")) in found
    assert ("netsla_probe_up", probe(9)) not in found  # never decided
    assert found["netsla_probe_up", probe(8)] == 1
    met = {dict(labels)["endpoint"] for (name, labels), _ in found.items() if name == "netsla_objective_met"}
    assert "site-00000" in met
    assert not any(value != value for value in found.values())  # noqa: PLR0124 - no NaN


def test_objectives() -> None:
    found = samples(render(snapshot(10)))
    first = {"agreement": "acme-dia-0", "endpoint": "site-00000", "objective": "delivery-5m"}
    labels = frozenset(first.items())
    assert found["netsla_objective_value", labels] == pytest.approx(0.98)
    assert found["netsla_objective_target", labels] == pytest.approx(0.99)
    assert found["netsla_objective_met", labels] == 0
    assert found["netsla_error_budget_remaining_ratio", labels] == -1.5
    assert found["netsla_breach_open", labels] == 1
    assert found["netsla_breaches_total", frozenset((first | {"severity": "P2"}).items())] == 1


def test_unmeasured_has_lines_only_for_what_happened() -> None:
    found = samples(unmeasured(snapshot(20)))
    assert found == {
        ("netsla_probe_unmeasured_total", probe(at, 20, reason=Reason.NO_ROUTE.label)): 7 for at in (0, 10)
    }


def test_label_values_are_escaped() -> None:
    assert escape('a\\b"c\nd') == 'a\\\\b\\"c\\nd'
    info = [labels for name, labels in samples(render(snapshot(10))) if name == "netsla_probe_info"]
    assert {dict(labels)["customer"] for labels in info} == {'ACME "Nord" GmbH'}


def test_a_page_is_written_over_without_a_trace() -> None:
    first = snapshot(30, seed=1)
    second = snapshot(30, seed=2, of=first.roll)
    nothing = np.full(30, np.nan)
    emptied = changed(second, windows=tuple(changed_window(view, nothing) for view in second.windows))
    layout = Exposition(first)
    assert layout.fits(second)
    page = layout.write(first)
    before = bytes(page)
    assert layout.write(emptied, page) is page
    assert layout.write(first, page) is page
    assert bytes(page) == before


def changed_window(view: WindowView, nothing: FloatArray) -> WindowView:
    return replace(view, delivery=nothing, p50=nothing, jitter=nothing)


def test_pages_given_out_stay_as_they_are() -> None:
    first = snapshot(10, seed=1)
    layout = Exposition(first)
    page = layout.write(first)
    before = bytes(page)
    other = layout.write(snapshot(10, seed=2, of=first.roll))
    assert other is not page
    assert bytes(page) == before
    assert bytes(other) != before


def test_a_layout_fits_only_its_own_roll_and_windows() -> None:
    first = snapshot(10)
    layout = Exposition(first)
    assert not layout.fits(snapshot(10))  # another roll
    assert not layout.fits(snapshot(10, ("5m",), of=first.roll))
    assert not layout.fits(snapshot(10, ("5m", "24h"), of=first.roll))


def test_an_empty_fleet() -> None:
    assert samples(render(snapshot(0, of=roll_of_nobody()))) == {}


def roll_of_nobody() -> Roll:
    return Roll((), (), (), (), (), (), (), (), (), ())


@pytest.mark.parametrize("compat", [(), ("blackbox", "smokeping")])
def test_promtool_accepts_it(compat: tuple[str, ...]) -> None:
    shown = snapshot(200, ("5m", "1h", "24h", "30d"))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=render(shown, compat), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_ten_thousand_probes_take_no_time() -> None:
    """The goal is 80 ms of CPU; half a second is for slow machines under load."""
    shown = snapshot(10_000, ("5m", "1h", "24h", "30d"))
    layout = Exposition(shown)
    page = layout.write(shown)
    began = time.process_time()
    layout.write(shown, page)
    assert time.process_time() - began < 0.5
    assert page.count(b"\n") > 500_000


def test_the_operators_labels_are_on_every_metric() -> None:
    shown = snapshot(2)
    further = Labelling((("pop", "fra1"),), {("acme-dia-5", "site-00001"): (("host", "a"), ("site", 'h"q'))})
    bare, found = samples(render(shown, ("smokeping",))), samples(render(shown, ("smokeping",), further))
    assert len(found) == len(bare)
    for name, labels in found:
        pairs = dict(labels)
        assert pairs["pop"] == "fra1"
        second = pairs["endpoint"] == "site-00001"
        assert (pairs.get("site") == 'h"q') is second
        if name.startswith("smokeping_"):
            assert pairs["host"] == pairs["endpoint"], "there the name is smokeping's"
        else:
            assert (pairs.get("host") == "a") is second


def test_labels_that_change_are_laid_out_anew() -> None:
    shown, further = snapshot(2), Labelling((("pop", "fra1"),))
    layout = Exposition(shown, (), further)
    assert layout.fits(shown, further)
    assert not layout.fits(shown, Labelling((("pop", "fra2"),)))
