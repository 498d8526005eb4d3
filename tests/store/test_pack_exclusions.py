"""`exclusions.json` as the other party may write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsla.errors import NetslaError
from netsla.sla.exclusion import Exclusion
from netsla.store.pack_exclusions import read_exclusions, write_exclusions
from tests.sla.contracts import DAY, at, contract

GOOD = '"id": "a", "start": "2026-04-02", "end": "2026-04-03", "cause": "no_access"'


def read(tmp_path: Path, text: str) -> tuple[Exclusion, ...]:
    path = tmp_path / "exclusions.json"
    path.write_text(text)
    return read_exclusions(path, contract())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "write a JSON list"),
        (f'[{{{GOOD}, "reason": "\\ud800"}}]', "surrogates"),  # half a character, which no report could tell
        (f'[{{{GOOD}, "endpoint": ["hq"]}}]', r"unknown endpoint \['hq'\]"),
        (f'[{{{GOOD}, "endpoint": 5}}]', "unknown endpoint 5"),
        (f"[{{{GOOD.replace('2026-04-03', '9999-12-31T23:59:59Z')}}}]", "end: '9999-12-31T23:59:59Z' is out of reach"),
        (f"[{{{GOOD.replace('2026-04-02', '0001-01-01')}}}]", "start: '0001-01-01' is out of reach"),
        # without a cause nobody could say why time is excused
        (f"[{{{GOOD.replace(chr(34) + 'no_access' + chr(34), 'null')}}}]", "has no id, start, end or cause"),
        (f"[{{{GOOD.replace('no_access', '')}}}]", "has no id, start, end or cause"),
        (f"[{{{GOOD.replace(chr(34) + 'no_access' + chr(34), '[]')}}}]", r"cause: \[\] is no word"),
        (f"[{{{GOOD.replace('no_access', ' - ')}}}]", "cause: ' - ' is no word"),
        (f"[{{{GOOD.replace(chr(34) + 'a' + chr(34), 'null')}}}]", "has no id"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NetslaError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("Force Majeure", "force_majeure"),
        ("flood", "flood"),
        ("waiting", "waiting_for_customer"),
        ("stop-clock", "waiting_for_customer"),
        ("emergency maintenance", "maintenance"),  # needs its notice, whatever it is called
        ("planned maintenance", "planned_maintenance"),
    ],
)
def test_other_words_for_causes(tmp_path: Path, word: str, cause: str) -> None:
    assert [one.cause for one in read(tmp_path, f"[{{{GOOD.replace('no_access', word)}}}]")] == [cause]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    start = at("2026-04-02")
    told = (
        Exclusion("a", "hq", start, start + DAY, "maintenance", "why", "T-1", start - 5 * DAY, "J. Doe", agreed=True),
        Exclusion("b", None, start, start + DAY, "flood"),
    )
    write_exclusions(tmp_path / "exclusions.json", told)
    assert read_exclusions(tmp_path / "exclusions.json", contract()) == told
    assert read_exclusions(tmp_path / "none.json", contract()) == ()
