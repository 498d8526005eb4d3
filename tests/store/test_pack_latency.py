"""`latency.csv` as the other party may write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netsla.errors import NetslaError
from netsla.sla.histogram import BUCKETS
from netsla.store.pack_latency import HEAD, read_latencies, write_latencies


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("hq,ping,-1,5", 3),
        (f"hq,ping,{BUCKETS},5", 3),
        ("hq,ping,300,-5", 3),
        ("hq,ping,300,99999999999999999999999", 3),
        ("hq,ping,300,x", 3),
        ("hq", 3),
        ("hq,ping,200,5", 3),  # there already
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, row: str, line: int) -> None:
    path = tmp_path / "latency.csv"
    path.write_text(f"{','.join(HEAD)}\nhq,ping,200,7\n{row}\n")
    with pytest.raises(NetslaError, match=rf"latency\.csv: line {line}: no latency count"):
        read_latencies(path)


def test_bytes_that_are_no_text_are_somebody_elses_probe(tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    path.write_bytes(b"\xef\xbb\xbfendpoint,probe,bucket,count\r\n\xff,ping,3,4\r\n")
    assert list(read_latencies(path)) == [("\ufffd", "ping")]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    counts = np.zeros(BUCKETS, np.int64)
    counts[[0, 300, BUCKETS - 1]] = 1, 2, 3
    write_latencies(tmp_path / "latency.csv", {("hq", "ping"): counts})
    found = read_latencies(tmp_path / "latency.csv")
    assert found["hq", "ping"].tolist() == counts.tolist()
    assert read_latencies(tmp_path / "none.csv") == {}
