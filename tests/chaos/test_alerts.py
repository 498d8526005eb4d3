"""A small backlog goes the way of a large one."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.alerts import run


async def test_everything_that_waited_is_told(tmp_path: Path) -> None:
    found = await run(tmp_path, 300, 2)
    assert (found.events, found.waiting) == (600, 600)
