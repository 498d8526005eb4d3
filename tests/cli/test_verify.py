"""`netsla verify`: what was changed is found, with its place; what is intact settles to one digest on both sides."""

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from netsla.cli.export import export
from netsla.cli.report import report
from netsla.cli.settling import Where
from netsla.cli.verify import verify
from netsla.errors import NetslaError
from tests.cli.packs import DAY, of_pack


def test_both_sides_compare_one_line(ledger_config: Path, tmp_path: Path, capsysbinary: Any) -> None:
    ours = Where(ledger_config, "acme-0000", None, DAY)
    export(ours, tmp_path / "pack")
    assert (verify(ours), verify(of_pack(tmp_path / "pack"))) == (0, 0)
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == ["intact", "figures", "intact", "figures"]
    assert lines[1] == lines[3]
    report(ours, "json", tmp_path / "report.json")
    assert lines[1].endswith(hashlib.sha256((tmp_path / "report.json").read_bytes()).hexdigest())


@pytest.mark.parametrize("name", ["agreement.yaml", "exclusions.json", "intervals.csv", "latency.csv", "chain.json"])
def test_one_changed_byte_of_a_pack_is_found(ledger_config: Path, tmp_path: Path, capsysbinary: Any, name: str) -> None:
    pack = tmp_path / "pack"
    export(Where(ledger_config, "acme-0000", None, DAY), pack)
    text = (pack / name).read_bytes()
    digit = max(i for i, byte in enumerate(text) if chr(byte).isdigit())
    (pack / name).write_bytes(text[:digit] + bytes([text[digit] ^ 1]) + text[digit + 1 :])
    assert verify(of_pack(pack)) == 1
    assert f"broken: {name}" in capsysbinary.readouterr().out.decode()


def test_a_changed_figure_is_named_by_its_hour(ledger_config: Path, tmp_path: Path, capsysbinary: Any) -> None:
    pack = tmp_path / "pack"
    export(Where(ledger_config, "acme-0000", None, DAY), pack)
    lines = (pack / "intervals.csv").read_text().splitlines(keepends=True)
    line = next(n for n, line in enumerate(lines) if "T03:10:00Z,60,60,60," in line)
    lines[line] = lines[line].replace("Z,60,60,60,", "Z,60,61,60,", 1)
    (pack / "intervals.csv").write_text("".join(lines))
    assert verify(of_pack(pack)) == 1
    assert "broken: intervals.csv: hour 2026-05-29T03:00Z" in capsysbinary.readouterr().out.decode()


def test_a_pack_without_a_chain_is_not_intact(hand: Path, capsysbinary: Any) -> None:
    assert verify(of_pack(hand)) == 1
    assert "chain.json is missing: the pack is unchained" in capsysbinary.readouterr().out.decode()


def test_a_ledger(ledger_config: Path, capsysbinary: Any) -> None:
    assert verify(Where(ledger_config, None, None, None)) == 0
    assert capsysbinary.readouterr().out.decode().startswith("intact: 3 sealed blocks, ")


def test_one_changed_byte_of_a_sealed_block_is_found(ledger_config: Path, capsysbinary: Any) -> None:
    _change_a_block(ledger_config.parent / "var" / "ledger.db")
    assert verify(Where(ledger_config, None, None, None)) == 1
    assert "2026-05-29T03" in capsysbinary.readouterr().out.decode(), "the hour is named"


def test_a_report_from_a_changed_block_is_not_made_or_unchained(ledger_config: Path, capsysbinary: Any) -> None:
    _change_a_block(ledger_config.parent / "var" / "ledger.db")
    try:
        report(Where(ledger_config, "acme-0000", None, DAY), "text", None)
    except NetslaError as error:
        told = str(error)
    else:
        told = capsysbinary.readouterr().out.decode()
        assert "unchained" in told
    assert "2026-05-29T03:00Z" in told


def test_a_file_that_is_no_database_any_more(ledger_config: Path, capsysbinary: Any) -> None:
    path = ledger_config.parent / "var" / "ledger.db"
    whole = path.read_bytes()
    path.write_bytes(b"X" + whole[1:])
    assert verify(Where(ledger_config, None, None, None)) == 1
    assert "ledger.db: file is not a database" in capsysbinary.readouterr().out.decode()


def test_damage_to_the_words_of_the_schema_is_damage(ledger_config: Path, capsysbinary: Any) -> None:
    path = ledger_config.parent / "var" / "ledger.db"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"CREATE TABLE note", b"CREATE TAB\xd9E note"))
    assert verify(Where(ledger_config, None, None, None)) == 1
    assert "broken: " in capsysbinary.readouterr().out.decode()
    with pytest.raises(NetslaError, match="is damaged"):
        report(Where(ledger_config, "acme-0000", None, DAY), "text", None)


def test_no_ledger_and_no_pack_are_errors_not_breaks(ledger_config: Path, tmp_path: Path) -> None:
    (ledger_config.parent / "var" / "ledger.db").unlink()
    with pytest.raises(NetslaError, match="has the agent run"):
        verify(Where(ledger_config, None, None, None))
    with pytest.raises(NetslaError, match="there is no folder"):
        verify(of_pack(tmp_path / "nothing"))


def _change_a_block(ledger: Path) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        number, body = connection.execute("SELECT id, figures FROM block ORDER BY id LIMIT 1 OFFSET 1").fetchone()
        changed = bytearray(body)
        changed[len(changed) // 2] ^= 1
        connection.execute("UPDATE block SET figures = ? WHERE id = ?", (bytes(changed), number))
    connection.close()
