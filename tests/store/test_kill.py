"""A short round of tests/store/killing.py."""

from __future__ import annotations

from pathlib import Path

from tests.store.killing import rounds


def test_what_was_acknowledged_survives_sigkill_once(tmp_path: Path) -> None:
    assert rounds(tmp_path, 20, seed=7) > 20
