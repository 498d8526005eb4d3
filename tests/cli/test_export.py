"""`netsla export`: nothing is written over, and the chain of the ledger goes with the pack."""

from pathlib import Path

import pytest

from netsla.cli.export import export
from netsla.cli.settling import Where
from netsla.errors import NetslaError
from netsla.store.archive import Archive
from netsla.store.evidence import read_pack
from netsla.store.verify import heads
from tests.cli.packs import DAY


def test_a_pack_is_never_written_over_something(ledger_config: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine").touch()
    with pytest.raises(NetslaError, match="not empty"):
        export(Where(ledger_config, "acme-0000", None, DAY), tmp_path / "pack")
    assert [path.name for path in (tmp_path / "pack").iterdir()] == ["mine"]


def test_an_empty_folder_is_filled(ledger_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pack").mkdir()
    assert export(Where(ledger_config, "acme-0000", None, DAY), tmp_path / "pack") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "400 intervals, 3 sealed hours" in told.err


def test_the_chain_of_the_ledger_goes_along(ledger_config: Path, tmp_path: Path) -> None:
    export(Where(ledger_config, "acme-0000", None, DAY), tmp_path / "pack")
    pack = read_pack(tmp_path / "pack")
    with Archive(tmp_path / "var" / "ledger.db").open() as look:
        newest = heads(look)["acme-0000"]
    assert pack.chain is not None
    assert pack.chain.links[-1].hash.hex() == newest
    assert [one.id for one in pack.exclusions] == ["x1"]
    assert pack.agreement.id == "acme-0000"
    assert pack.chain.period == DAY


def test_a_folder_that_cannot_be_made(ledger_config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NetslaError, match="cannot write"):
        export(Where(ledger_config, "acme-0000", None, DAY), tmp_path / "file" / "pack")
