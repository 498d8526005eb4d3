"""Probes by turns: what waited comes out probe by probe, however often it is pressed on the way."""

from __future__ import annotations

import numpy as np
import pytest

from netsla.store import turns
from netsla.store.pressed import Pressing
from netsla.store.turns import Turns

NUMBERS = (
    "seconds", "sent", "received", "unmeasured", "late", "duplicate", "rtt_sum_us", "rtt_min_us", "rtt_max_us",
    "jitter_sum_us", "jitter_pairs", "reason",
)  # fmt: skip


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_every_probe_gets_its_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(turns, "_MOST", most)
    pressing = Pressing()
    waiting = Turns(pressing)
    names = [("hq", "ping"), ("hq", "web"), ("dr", "ping")]
    for minute in range(5):
        here = names[minute % 2 :]  # not all of them every minute, and in other places of the list
        which = np.arange(len(here))
        columns = dict.fromkeys(NUMBERS, which * 1000 + minute) | {"seconds": np.full(len(here), 60)}
        columns |= {"start_s": np.full(len(here), 60 * minute), "line": which}
        waiting.add(here, which, columns)
    waiting.flush()
    waiting.flush()  # nothing waits any more
    found = {(part.endpoint, part.probe): part for part in pressing.records("intervals.csv")}
    assert sorted(found) == sorted(names)
    assert found["hq", "ping"].start_s.tolist() == [0, 120, 240]
    assert found["hq", "web"].sent.tolist() == [1000, 1, 1002, 3, 1004]
    assert found["dr", "ping"].rtt_sum_us.tolist() == [2000, 1001, 2002, 1003, 2004]
