"""`intervals.csv` as other systems may write it."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsla.model import Reason
from netsla.sla.recorded import NUMBERS, Recorded
from netsla.store.interval_csv import read_intervals
from netsla.store.interval_text import HEADER, write_intervals
from netsla.store.pressed import CsvError

FULL = ",".join([*HEADER, "le_30000"])
ROW = "hq,ping,2026-04-01T00:00:00Z,60,60,59,1,2,3,600000,9000,11000,5000,58,,57"
SHORT = "endpoint,probe,start,seconds,sent,received"


def read(tmp_path: Path, *lines: str, end: str = "\n") -> list[Recorded]:
    path = tmp_path / "intervals.csv"
    path.write_bytes(end.join([*lines, ""]).encode())
    return list(read_intervals(path))


def columns(part: Recorded) -> list[int]:
    return [int(getattr(part, name)[0]) for name in NUMBERS]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_full_row(tmp_path: Path, end: str) -> None:
    (part,) = read(tmp_path, FULL, ROW, end=end)
    assert (part.endpoint, part.probe) == ("hq", "ping")
    assert columns(part) == [1_775_001_600, 60, 60, 59, 1, 2, 3, 600_000, 9000, 11_000, 5000, 58]
    assert part.reason.tolist() == [255]
    assert part.within[30_000].tolist() == [57]


def test_empty_fields_missing_columns_and_any_order(tmp_path: Path) -> None:
    (part,) = read(tmp_path, "\ufeff" + FULL, "hq,ping,2026-04-01T00:00:00Z,60,60,59,,,,,,,,,agent_down,")
    assert columns(part)[4:] == [0, 0, 0, -1, -1, -1, -1, 0]
    assert part.reason.tolist() == [Reason.AGENT_DOWN]
    assert part.within == {}
    (part,) = read(tmp_path, "received,sent,seconds,start,probe,endpoint", "1,2,60,2026-04-01T02:00:00+02:00,ping,hq")
    assert columns(part)[:4] == [1_775_001_600, 60, 2, 1]


def test_quotes_blank_lines_and_no_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "intervals.csv"
    path.write_text(f'{SHORT}\n"hq",ping,2026-04-01T00:00:00Z,60,6,6\n\n,,,,,\nhq,"ping",2026-04-01T00:01:00Z,60,6,5')
    (part,) = read_intervals(path)
    assert part.received.tolist() == [6, 5]


def test_rows_are_cut_into_probes_and_put_in_order(tmp_path: Path) -> None:
    rows = [
        f"{e},{p},2026-04-01T00:0{m}:00Z,60,6,{m}" for m in (3, 1, 2) for e in ("b", "aa") for p in ("ping", "https")
    ]
    parts = read(tmp_path, SHORT, *rows)
    assert [(part.endpoint, part.probe) for part in parts] == [
        ("aa", "https"),
        ("aa", "ping"),
        ("b", "https"),
        ("b", "ping"),
    ]
    assert all(part.received.tolist() == [1, 2, 3] for part in parts)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("hq,ping,2026-04-01T00:00:00Z,60,6", "line 3: 5 fields instead of 6"),
        ("hq,ping,2026-04-01T00:00:00Z,60,6,x", "line 3: received: 'x' is no whole number"),
        ("hq,ping,2026-04-01T00:00:00Z,60,6,-1", "line 3: received: '-1' is no whole number"),
        ("hq,ping,2026-04-01T00:00:00Z,60,,0", "line 3: sent: '' is no whole number"),
        ("hq,ping,2026-04-01T00:00:00Z,60,6,7", "line 3: more received than sent"),
        ("hq,ping,2026-04-01T00:00:00Z,0,6,6", "line 3: an interval of no length"),
        ("hq,ping,yesterday,60,6,6", "line 3: start: 'yesterday' is no ISO 8601 time"),
        ("hq,ping,2026-04-31T00:00:00Z,60,6,6", "line 3: start: '2026-04-31T00:00:00Z' is no ISO 8601 time"),
        ("hq,ping,2026-04-01T00:00:00,60,6,6", "line 3: start: '2026-04-01T00:00:00' is not UTC"),
        ("hq,ping,2026-03-31T23:59:00Z,60,6,6", "line 3: this interval is there already, or overlaps"),
        ("hq,ping,2026-03-31T23:58:00Z,120,6,6", "overlaps"),
        ("hq,ping,2026-03-31T23:58:30Z,60,6,6", "line 3: start is no multiple of seconds"),
        ("hq,ping,9999-12-31T23:59:00Z,60,6,6", "line 3: start is not in the years 1970 to 2115"),
        ("hq,ping,0001-01-01T00:00:00+01:00,60,6,6", "line 3: start is not in the years 1970 to 2115"),
        ('"h,q",ping,2026-04-01T00:00:00Z,60,6,6', "line 3: a comma or a line break inside a field"),
        ('hq,"ping\n",2026-04-01T00:00:00Z,60,6,6', "line 3: a comma or a line break inside a field"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CsvError) as caught:
        read(tmp_path, SHORT, "hq,ping,2026-03-31T23:59:00Z,60,6,6", row)
    assert message in caught.value.problem


def test_mistakes_of_all_columns_are_told_at_once(tmp_path: Path) -> None:
    rows = ("hq,ping,today,60,6,6", "hq,ping,2026-04-01T00:00:00Z,60,x,6", "hq,ping,2026-04-01T00:01:00Z,60,6,y")
    with pytest.raises(CsvError) as caught:
        read(tmp_path, SHORT, *rows)
    assert sorted(line.split(":")[1] for line in str(caught.value).splitlines()) == [" line 2", " line 3", " line 4"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("endpoint,probe,start,seconds,sent", "no column received"),
        (SHORT + ",rtt", "unknown column rtt"),
        (SHORT + ",sent", "column sent stands there twice"),
        (f"{SHORT}\rhq,ping,2026-04-01T00:00:00Z,60,6,6", "carriage return"),
    ],
)
def test_header(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(CsvError, match=message):
        read(tmp_path, head)


def test_only_a_header_is_no_record(tmp_path: Path) -> None:
    assert read(tmp_path, FULL) == []


def test_lines_are_counted_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.store.interval_csv._CHUNK", 100)
    rows = [f"hq,ping,2026-04-01T00:{m:02}:00Z,60,6,{m % 7}" for m in range(60)]
    (part,) = read(tmp_path, SHORT, *rows)
    assert part.received.tolist() == [m % 7 for m in range(60)]
    with pytest.raises(CsvError, match="line 42"):
        read(tmp_path, SHORT, *rows[:40], "hq,ping,x,60,6,6")


NUMBER = st.integers(0, 2**40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(NUMBER, st.sampled_from([-1, 0, 7, 2**40]), st.sampled_from([255, 11, 12, 13])),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_written_is_read_back(tmp_path: Path, rows: list[tuple[int, int, int]]) -> None:
    n = len(rows)
    counts, maybe, reason = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    table = dict.fromkeys(NUMBERS, counts) | dict.fromkeys(("rtt_sum_us", "rtt_min_us", "rtt_max_us"), maybe)
    table |= {"start_s": 60 * np.arange(n), "seconds": np.full(n, 60), "reason": reason}
    within = {30_000: np.minimum(maybe, counts), 50_000: counts}
    path = tmp_path / "intervals.csv"
    write_intervals(path, [Recorded.of("büro", "ping", table, within)])
    (part,) = read_intervals(path)
    assert part.endpoint == "büro"
    for name, column in table.items():
        assert getattr(part, name).tolist() == column.tolist()
    assert part.within[50_000].tolist() == counts.tolist()
    if (maybe >= 0).any():
        assert part.within[30_000].tolist() == np.minimum(maybe, counts).tolist()


def test_probes_by_turns_and_probe_after_probe_read_alike(tmp_path: Path) -> None:
    rows = [
        f"{endpoint},ping,2026-04-01T{minute // 60:02}:{minute % 60:02}:00Z,60,12,{minute % 13}"
        for endpoint in ("b", "a", "c")
        for minute in range(120)
    ]
    found = []
    for order in (rows, sorted(rows, key=lambda row: row.split(",")[2])):
        text = "endpoint,probe,start,seconds,sent,received\n" + "\n".join(order) + "\n"
        (tmp_path / "intervals.csv").write_text(text)
        told = Mock()
        parts = read_intervals(tmp_path / "intervals.csv", told)
        found.append([(part.endpoint, part.start_s.tolist(), part.received.tolist()) for part in parts])
        told.assert_called_once_with(len(text), len(text))
    assert found[0] == found[1]
    assert [name for name, _, _ in found[0]] == ["a", "b", "c"]
    assert found[0][1][2] == [minute % 13 for minute in range(120)]
