from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml

from netsla.config import schema

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def as_editors_see(path: Path) -> Any:
    """YAML as JSON: dates are strings there."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value.isoformat() if isinstance(value, date) else value

    return plain(yaml.safe_load(path.read_text("utf-8")))


def validator(name: str = "") -> jsonschema.Draft202012Validator:
    whole = schema()
    return jsonschema.Draft202012Validator(whole if not name else whole | {"$ref": f"#/$defs/{name}", "required": []})


def test_committed_copy_is_current() -> None:
    """If this fails: make the file anew with `netsla schema`."""
    assert json.loads((ROOT / "config" / "netsla.schema.json").read_text("utf-8")) == schema()


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "path", [ROOT / "config/netsla.yaml", ROOT / "config/quickstart.yaml", HERE / "interface/netsla.yaml"]
)
def test_examples_fit_the_schema(path: Path) -> None:
    validator().validate(as_editors_see(path))


@pytest.mark.parametrize("path", [*(ROOT / "config/agreements.d").glob("*.yaml"), HERE / "interface/acme.yaml"])
def test_agreement_examples_fit_the_schema(path: Path) -> None:
    document = schema()
    agreement = {"$defs": document["$defs"], "$ref": "#/$defs/AgreementTable"}
    jsonschema.Draft202012Validator(agreement).validate(as_editors_see(path))


@pytest.mark.parametrize(
    "name",
    [
        "unknown_key", "probe_interval_number", "probe_type", "window_word", "target_direction", "mqtt_plain_password",
        "agent_label_name", "agreement_charge", "agreement_severity", "alertmanager_path", "credit_basis",
        "credit_chronic", "credit_no_tiers", "duration_decimal", "duration_in_words", "endpoint_as_text",
        "endpoint_both_addresses", "endpoint_network", "endpoint_none", "endpoint_port", "endpoint_url",
        "hours_day", "hours_holiday", "label_taken", "maintenance_both", "maintenance_no_start",
        "measurement_denominator", "mqtt_password_twice", "mqtt_prefix", "mqtt_scheme", "mqtt_secret_in_url",
        "no_agreement", "plans_misspelt", "probe_port_missing", "probe_port_of_icmp", "probe_size_of_tcp",
        "reaction_count", "reaction_no_type", "statistic_unknown", "target_as_ratio", "target_bare", "target_strict",
        "uptime_as_text", "web_listen_no_host", "webhook_secret_in_url", "webhook_secret_twice",
    ],
)  # fmt: skip
def test_editors_find_what_one_place_alone_can_tell(name: str) -> None:
    assert not validator().is_valid(as_editors_see(HERE / "invalid" / f"{name}.yaml"))


def test_every_key_is_described() -> None:
    document = schema()
    for table in (document, *document["$defs"].values()):
        assert table["description"]
        for key, value in table["properties"].items():
            assert value.get("description") or "$ref" in value, key


def test_every_key_is_shown_in_the_shipped_files() -> None:
    files = [ROOT / "config/netsla.yaml", *(ROOT / "config/agreements.d").glob("*.yaml")]
    text = "\n".join(path.read_text("utf-8") for path in files)
    document = schema()
    keys = {key for table in (document, *document["$defs"].values()) for key in table["properties"]}
    assert {key for key in keys if f"{key}:" not in text} == {"based_on"}  # written by netsla export only
