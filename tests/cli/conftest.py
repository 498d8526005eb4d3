"""Fixtures of the commands that settle."""

from pathlib import Path

import pytest

from tests.cli import packs


@pytest.fixture(scope="session")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack written by hand, without a chain."""
    outage, absent = packs.span("2026-03-17T10:00", 45), packs.span("2026-03-22T00:00", 1500)
    return packs.write(tmp_path_factory.mktemp("hand"), outage, absent)


@pytest.fixture
def ledger_config(tmp_path: Path) -> Path:
    """The configuration of a ledger with three sealed hours."""
    return packs.write_ledger(tmp_path)
