"""Lines as Python itself would write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import Reason
from netsla.sla.interval import NO_REASON
from netsla.sla.recorded import ABSENT, NUMBERS, Recorded
from netsla.store.interval_text import HEADER, text_of, write_intervals

NUMBER = st.integers(-1, 12) | st.integers(-1, 2**62)
START = 1_774_000_020


def plainly(part: Recorded, thresholds: list[int]) -> str:
    """One line after the other."""
    lines = []
    for n in range(len(part)):
        stamp = f"{np.datetime64(int(part.start_s[n]), 's')}Z"
        numbers = [int(getattr(part, name)[n]) for name in HEADER[3:14]]
        numbers += [int(part.within[limit][n]) if limit in part.within else ABSENT for limit in thresholds]
        texts = ["" if number == ABSENT else str(number) for number in numbers]
        reason = "" if part.reason[n] == NO_REASON else Reason(int(part.reason[n])).label
        lines.append(",".join([part.endpoint, part.probe, stamp, *texts[:11], reason, *texts[11:]]) + "\n")
    return "".join(lines)


@st.composite
def made(draw: st.DrawFn) -> Recorded:
    count = draw(st.integers(0, 6))
    column = st.lists(NUMBER, min_size=count, max_size=count) | NUMBER.map(lambda n: [n] * count)
    columns = {name: np.array(draw(column), np.int64) for name in NUMBERS}
    starts = draw(st.lists(st.integers(0, 70_000_000), min_size=count, max_size=count, unique=True))
    columns["start_s"] = START + 60 * np.array(sorted(starts), np.int64)
    columns["reason"] = np.array(
        draw(st.lists(st.sampled_from([NO_REASON, *Reason]), min_size=count, max_size=count)), np.int64
    )
    within = {limit: np.array(draw(column), np.int64) for limit in draw(st.sets(st.sampled_from([5, 70, 30_000])))}
    return Recorded.of("büro", "ping", columns, within)


@given(made())
def test_lines_are_those_that_python_writes(part: Recorded) -> None:
    limits = [5, 70, 30_000]
    assert text_of(part, limits).decode() == plainly(part, limits)


def test_numbers_that_should_not_be_are_written_as_they_are() -> None:
    columns = {name: np.array([5, -7], np.int64) for name in NUMBERS}
    columns |= {"start_s": np.array([START, START + 60]), "reason": np.array([255, 255])}
    part = Recorded.of("hq", "ping", columns, {})
    assert text_of(part, []).decode() == plainly(part, [])


def test_parts_may_come_one_by_one(tmp_path: Path) -> None:
    columns = {name: np.array([5, 7], np.int64) for name in NUMBERS}
    columns |= {"start_s": np.array([START, START + 60]), "reason": np.array([255, 255])}
    parts = [Recorded.of(name, "ping", columns, {limit: columns["sent"]}) for name, limit in (("a", 9), ("b", 8))]
    assert write_intervals(tmp_path / "whole.csv", parts) == 4
    assert write_intervals(tmp_path / "parts.csv", iter(parts), [8, 9]) == 4
    text = (tmp_path / "whole.csv").read_text()
    assert text == (tmp_path / "parts.csv").read_text()
    assert text.splitlines()[0] == ",".join([*HEADER, "le_8", "le_9"])
    assert [line.split(",")[-2:] for line in text.splitlines()[1:]] == [["", "5"], ["", "7"], ["5", ""], ["7", ""]]
