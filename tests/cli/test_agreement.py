"""`netsla agreement`: list, show, new, compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsla.cli.agreement import compare, find, listing, new, show
from netsla.cli.check import check
from netsla.errors import NetslaError
from netsla.model import Kind
from tests.cli import packs

EXAMPLE = Path("config/netsla.yaml")


def test_all_agreements_are_listed(capsysbinary: Any) -> None:
    assert listing(EXAMPLE, "table") == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["AGREEMENT", "acme-dia-42", "transit-north"]
    assert listing(EXAMPLE, "json") == 0
    first, second = json.loads(capsysbinary.readouterr().out)
    assert (first["agreement"], first["until"], first["endpoints"]) == ("acme-dia-42", "2029-01-31", 6)
    assert (first["version"], first["review"], second["review"]) == (3, "2026-08-01", None)


def test_the_name_of_an_agreement_is_no_standing(
    tmp_path: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text("agreements: [{id: bad, endpoints: [{id: e, address: 192.0.2.1}]}]\n")
    monkeypatch.setattr("netsla.cli.output.on_terminal", lambda: True)
    assert listing(tmp_path / "c.yaml", "table") == 0
    assert "\x1b" not in capsysbinary.readouterr().out.decode()


def test_a_document_by_id_by_file_and_from_a_pack(tmp_path: Path, capsysbinary: Any) -> None:
    assert show(EXAMPLE, "acme-dia-42", "markdown", None) == 0
    assert capsysbinary.readouterr().out.startswith(b"# Dedicated internet access")
    pack = packs.write(tmp_path / "pack", range(0))
    assert find(EXAMPLE, str(pack)).id == find(EXAMPLE, str(pack / "agreement.yaml")).id == "acme-dia-42"
    assert show(EXAMPLE, str(pack), "html", tmp_path / "page.html") == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("kind", [str(kind) for kind in Kind])
def test_a_template_is_taken_by_the_real_check_as_it_is(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agreements.d").mkdir()
    assert new(kind, f"my-{kind}", tmp_path / "agreements.d" / "one.yaml") == 0
    config = tmp_path / "netsla.yaml"
    config.write_text("agreements_dir: agreements.d\n")
    assert check(config, as_json=False) == 0, capsys.readouterr().err
    one = find(config, f"my-{kind}")
    assert (str(one.kind), bool(one.credits and one.credits.rules)) == (kind, kind in ("customer", "vendor"))


def test_a_file_that_takes_its_plan_from_the_configuration_is_read_with_it() -> None:
    by_file = find(EXAMPLE, "config/agreements.d/acme.yaml")
    assert by_file == find(EXAMPLE, "acme-dia-42")
    assert len(by_file.endpoints) == 6


def test_a_template_takes_no_id_that_the_check_refuses(tmp_path: Path) -> None:
    with pytest.raises(NetslaError, match="cannot be an id"):
        new("customer", "a b", tmp_path / "x.yaml")
    assert not (tmp_path / "x.yaml").exists()


def test_a_template_is_never_written_over_something(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(NetslaError, match="there already"):
        new("customer", "x", tmp_path / "mine.yaml")


def test_two_side_by_side(capsysbinary: Any) -> None:
    for form, begin in (("table", "QUESTION"), ("markdown", "| QUESTION"), ("json", "[")):
        assert compare(EXAMPLE, "acme-dia-42", "transit-north", form) == 0
        out = capsysbinary.readouterr().out.decode()
        assert out.startswith(begin)
        assert "43m12s" in out


def test_a_name_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(NetslaError, match="did you mean"):
        show(EXAMPLE, "acme-dia-4", "markdown", None)
    with pytest.raises(NetslaError, match="cannot write"):
        show(EXAMPLE, "acme-dia-42", "markdown", tmp_path / "no" / "folder.md")
