"""Other exporters' families."""

from __future__ import annotations

from netsla.model import Outcome
from netsla.sla.snapshot import Roll
from netsla.wire.exposition import render
from tests.synthetic import snapshot
from tests.wire.test_exposition import samples


def address_of(labels: dict[str, str], roll: Roll) -> str:
    return roll.address[roll.endpoint.index(labels["endpoint"])]


def test_other_exporters_families() -> None:
    shown = snapshot(3)
    shown.last_outcome[:] = (Outcome.ANSWERED, Outcome.LOST, Outcome.UNMEASURED)
    found = samples(render(shown, ("blackbox", "smokeping")))
    success = {dict(labels)["endpoint"]: value for (name, labels), value in found.items() if name == "probe_success"}
    assert success == {"site-00000": 1, "site-00001": 0}
    assert {value for (name, _), value in found.items() if name == "probe_ip_protocol"} == {4}
    phases = [dict(labels) for name, labels in found if name == "probe_icmp_duration_seconds"]
    assert phases
    assert all((one["phase"], one["instance"]) == ("rtt", address_of(one, shown.roll)) for one in phases)
    requests = [value for (name, _), value in found.items() if name == "smokeping_requests_total"]
    assert requests == shown.sent.tolist()


def test_a_heatmap_of_smokeping_has_real_buckets() -> None:
    shown = snapshot(1)
    shown.ladder[:] = 0
    shown.ladder[[0, 8, 19, 20], 0] = (1, 2, 3, 4)  # up to 50 us, 12.8 ms, 26.2144 s, and beyond
    shown.received[:] = 10
    found = samples(render(shown, ("smokeping",)))
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name.endswith("seconds_bucket")}
    assert list(buckets)[:3] == ["5e-05", "0.0001", "0.0002"]
    assert [buckets[le] for le in ("5e-05", "0.0064", "0.0128", "13.1072", "26.2144", "+Inf")] == [1, 1, 3, 3, 6, 10]
    assert len(buckets) == 21
