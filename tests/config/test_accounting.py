"""How figures are accounted: key by key, from the plan to the endpoint."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from netsla.model import SECOND, Measurement
from tests.config.writing import agreement, mistakes


def test_measurement_merges_key_by_key(tmp_path: Path) -> None:
    top = "plans: {p: {measurement: {unknown: down, min_coverage: 90%, denominator: fixed:43200m}}}"
    found = agreement(tmp_path, "plan: p\nmeasurement: {unknown: up, combine: any}", top)
    assert found.measurement == Measurement("up", 30 * 86_400 * SECOND, "remove", Fraction(9, 10), "exclude", "any")
    found = agreement(tmp_path, "plan: p\nmeasurement: {denominator: actual}", top)
    assert found.measurement.fixed_denominator_ns is None


def test_an_endpoint_overrides_how_it_is_accounted(tmp_path: Path) -> None:
    keys = """\
        measurement: {unknown: down, min_coverage: 90%, combine: any}
        endpoints:
          - {id: a, address: 192.0.2.1}
          - {id: b, address: 192.0.2.2, measurement: {min_coverage: 50%, denominator: "fixed:43200m"}}
        """
    found = agreement(tmp_path, keys)
    first, second = found.endpoints
    assert first.measurement is None
    assert found.measurement_of(first) is found.measurement
    assert second.measurement == Measurement("down", 43_200 * 60 * SECOND, "remove", Fraction(1, 2), "exclude", "any")
    assert found.measurement_of(second) is second.measurement


def test_endpoints_cannot_say_how_they_are_combined(tmp_path: Path) -> None:
    text = """\
        agreements:
          - id: x
            endpoints: [{id: a, address: 192.0.2.1, measurement: {combine: any}}]
        """
    (line,) = mistakes(tmp_path, text)
    assert "unknown key 'combine'" in line
