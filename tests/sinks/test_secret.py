from __future__ import annotations

from pathlib import Path

from netsla.model import Secret
from netsla.sinks.secret import current


async def test_a_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("second\nnot this\n")
    assert await current(Secret("first", str(file))) == "second"
    assert await current(Secret("first")) == "first"


async def test_the_last_one_known_counts_while_the_file_is_away_or_half_written(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert await current(Secret("first", str(file))) == "first"
    file.write_text("")
    assert await current(Secret("first", str(file))) == "first"
    file.write_bytes(b"\xff\xfe\n")
    assert await current(Secret("first", str(file))) == "first"
