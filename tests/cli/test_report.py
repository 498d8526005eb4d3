"""`netsla report`: from a pack written by hand, and from a ledger, with the same figures."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netsla.cli.export import export
from netsla.cli.report import report
from netsla.cli.settling import Where
from netsla.errors import NetslaError
from tests.cli import packs
from tests.cli.packs import of_pack

DAY = packs.DAY


def run(capsysbinary: Any, where: Where, form: str = "json") -> tuple[int, str]:
    code = report(where, form, None)
    return code, capsysbinary.readouterr().out.decode()


def test_a_pack_written_by_hand_settles(hand: Path, capsysbinary: Any) -> None:
    code, text = run(capsysbinary, of_pack(hand, "2026-03"))
    told = json.loads(text)
    assert code == 1
    assert (told["schema"], told["chained"], told["standing"]) == ("netsla.report/1", False, "breached")
    assert told["period"]["seconds"] == 2_674_800
    assert (told["period"]["final"], told["period"]["timezone"]) == (True, "Europe/Berlin")
    uptime = told["objectives"][0]
    # 2,674,800 s of March, less two hours excluded and 25 h without a record; 2,700 s of it down
    assert uptime["seconds"] == {
        "scheduled": 2_674_800,
        "excluded": 7200,
        "unknown": 90_000,
        "down": 2700,
        "up": 2_574_900,
    }
    assert uptime["value"] == pytest.approx(1 - 2700 / 2_577_600, abs=1e-12)
    assert (uptime["low"], uptime["high"]) == (2_574_900 / 2_667_600, 2_664_900 / 2_667_600)
    assert told["incidents"][0] | {"whole_seconds": 0} == {
        "endpoint": "berlin-hq", "start": "2026-03-17T10:00:00Z", "end": "2026-03-17T10:45:00Z", "seconds": 2700,
        "whole_seconds": 0, "repair_seconds": 2700, "excluded_by": None, "provisional": False,
    }  # fmt: skip
    assert told["credit"] | {"lines": 0} == {
        "currency": "EUR", "amount": "45.00", "percent": 5.0, "charge": "900.00", "lines": 0, "chronic": []
    }  # fmt: skip


def test_the_period_of_a_pack_is_the_one_it_holds(hand: Path, capsysbinary: Any) -> None:
    assert json.loads(run(capsysbinary, of_pack(hand))[1])["period"]["name"] == "2026-03"
    assert json.loads(run(capsysbinary, of_pack(hand, "2026-03-17"))[1])["objectives"][0]["seconds"]["down"] == 2700


def test_text_says_everything_and_that_it_is_unchained(hand: Path, capsysbinary: Any) -> None:
    code, text = run(capsysbinary, of_pack(hand), "text")
    assert code == 1
    for said in (
        "BREACHED",
        "99.8952 %",
        "99.8955 % without exclusions",
        "unchained",
        "CHG-7",
        "2026-03-17 11:00 CET",
        "104.8 % of the error budget of 0:42:58 is used (warning at 100 %)",
        "commercial: an interval of 0:01:00 is bad if over 50 % was lost",
        "2026-03-22  100.0000 %    100.0000 %  10.000 ms  0:00:00  23:00:00",
        "45.00 EUR (5 % of 900.00 EUR)",
        "agent_down 1d 1:00:00",
    ):
        assert said in text


def test_csv_has_a_line_per_objective(hand: Path, capsysbinary: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run(capsysbinary, of_pack(hand), "csv")[1])))
    assert [row["objective"] for row in rows] == ["uptime-month", "delivery-month", "latency-mean"]
    assert (rows[0]["down_seconds"], rows[0]["chain"], rows[2]["low"]) == ("2700", "unchained", "")


def test_html_in_a_real_browser(hand: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert report(of_pack(hand), "html", page) == 1
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    pdf = tmp_path / "report.pdf"
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    assert "✗ Breached" in done.stdout
    assert "Unchained." in done.stdout
    assert done.stdout.count("<svg") == 3
    for mark in (
        '<g class="outage"><title>berlin-hq down 0:45:00</title>',
        "excluded: maintenance router CHG-7",
        "not known for 23:00:00",
        "45.00 EUR",
        "target &gt;= 99.9%",
    ):
        assert mark in done.stdout, mark
    assert "Refused to" not in done.stderr, "the file breaks its own content security policy"
    assert "http://" not in page.read_text()
    assert "https://" not in page.read_text()
    subprocess.run([*command, f"--print-to-pdf={pdf}", page.as_uri()], capture_output=True, check=True, timeout=60)
    assert pdf.read_bytes().startswith(b"%PDF")


def test_ledger_and_pack_give_the_same_report(ledger_config: Path, tmp_path: Path, capsysbinary: Any) -> None:
    where = Where(ledger_config, "acme-0000", None, DAY)
    code, from_ledger = run(capsysbinary, where)
    assert export(where, tmp_path / "pack") == 0
    again, from_pack = run(capsysbinary, of_pack(tmp_path / "pack"))
    ours, theirs = json.loads(from_ledger), json.loads(from_pack)
    assert ours["chained"]
    assert theirs["chained"]
    assert (code, from_ledger) == (again, from_pack)
    assert ours["objectives"][2]["value"] is not None, "percentiles have their value on both sides"
    assert [one["id"] for one in ours["exclusions"]] == ["x1"]
    assert ours["objectives"][0]["seconds"]["excluded"] == 600


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(Path("x"), "acme-000", None, None), "did you mean"),
        (Where(Path("x"), None, None, None), "no agreement is named"),
        (Where(Path("x"), "acme-0000", None, "2026-13"), "2026-13"),
    ],
)
def test_bad_input_is_explained(ledger_config: Path, where: Where, said: str) -> None:
    with pytest.raises(NetslaError, match=said):
        report(Where(ledger_config, where.agreement, where.evidence, where.period), "text", None)


def test_without_a_ledger_it_is_said_where_it_should_be(ledger_config: Path) -> None:
    shutil.rmtree(ledger_config.parent / "var")
    with pytest.raises(NetslaError, match=r"var/ledger\.db"):
        report(Where(ledger_config, "acme-0000", None, DAY), "text", None)


def test_a_pack_of_another_agreement(hand: Path) -> None:
    with pytest.raises(NetslaError, match="the pack is of 'acme-dia-42'"):
        report(Where(Path("x"), "other", hand, None), "text", None)


def test_an_empty_pack_needs_a_period(hand: Path, tmp_path: Path, capsysbinary: Any) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(hand, empty)
    (empty / "intervals.csv").write_text(packs.HEAD + "\n")
    with pytest.raises(NetslaError, match="holds no period"):
        report(of_pack(empty), "text", None)
    code, text = run(capsysbinary, of_pack(empty, "2026-03"))
    assert code == 4
    assert {one["value"] for one in json.loads(text)["objectives"]} == {None}, "no data is never 100 %"


def test_counts_stay_integers(ledger_config: Path, capsysbinary: Any) -> None:
    told = json.loads(run(capsysbinary, Where(ledger_config, "acme-0000", None, DAY))[1])
    assert all(isinstance(value, int) for one in told["objectives"] for value in one["seconds"].values())
    assert np.isfinite([one["coverage_ratio"] for one in told["objectives"]]).all()


def test_a_period_that_has_not_begun_is_said_to_be_so(ledger_config: Path, capsysbinary: Any) -> None:
    code = report(Where(ledger_config, "acme-0000", None, "2099-01"), "json", None)
    said = capsysbinary.readouterr()
    assert (code, json.loads(said.out)["period"]["final"]) == (4, False)
    assert said.err == b"netsla: 2099-01 has not begun: there is nothing to settle yet\n"
