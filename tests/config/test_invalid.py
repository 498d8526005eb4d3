"""One mistake per file; its first line is a comment with the message that is expected, place and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsla.config import load
from netsla.errors import ConfigError

FOLDER = Path(__file__).parent / "invalid"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_message_place_and_remedy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    expected = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as caught:
        load(path)
    told = [str(fault).replace(f"{path}:", "").replace(f"{FOLDER}/", "") for fault in caught.value.faults]
    assert told == [expected]


def test_there_are_many_and_all_say_what_to_do() -> None:
    assert len(FILES) >= 45
    for path in FILES:
        first = path.read_text("utf-8").splitlines()[0]
        assert first.endswith(")"), f"{path.name}: no remedy"
