"""`netsla rules`."""

from pathlib import Path
from typing import Any

import yaml

from netsla.cli.rules import rules


def test_to_stdout_and_to_a_file(tmp_path: Path, capsysbinary: Any) -> None:
    assert rules(Path("config/netsla.yaml"), alerts=False, output=None) == 0
    printed = yaml.safe_load(capsysbinary.readouterr().out)
    assert rules(Path("config/netsla.yaml"), alerts=True, output=tmp_path / "rules.yml") == 0
    written = yaml.safe_load((tmp_path / "rules.yml").read_text())
    assert [len(group["rules"]) for group in printed["groups"]] < [len(group["rules"]) for group in written["groups"]]
    assert not any("alert" in rule for group in printed["groups"] for rule in group["rules"])
