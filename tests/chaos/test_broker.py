"""A short round of the chaos between agent and broker: each fault once."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.broker import run


async def test_each_fault_once(tmp_path: Path) -> None:
    report = await run(tmp_path, 10, seed=1)
    assert len(report.faults) == 10
    assert len(report.decided) > 50, report
    assert report.missing == set(), report
    assert report.unknown == set(), report
    assert report.out_of_order == [], report
    assert report.changed_repeats == [], report
    assert report.denied > 0
    assert report.let_through == [], report
