"""A short round of kills of the whole agent."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.agent_kills import run


def test_kills_lose_nothing_that_is_old_and_count_nothing_twice(tmp_path: Path) -> None:
    sums = run(tmp_path, 6, seed=3, grids=(1, 10), exclusions=0)
    assert sums.faults == []
    assert sums.kills == 6
    assert sums.cells > 5
    assert 0 < sums.counted <= sums.heard
    assert sums.deeds["see"] > 0
