from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.wire.figures import NONE, figure, hours, milliseconds, percent


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "100.0000 %"),
        (0.9998997, "99.9899 %"),  # never 99.99 %
        (1 - 260 / 2_592_000, "99.9899 %"),  # SLA §6
        (0.29, "29.0000 %"),  # 0.29 is a little less in binary
        (0.99, "99.0000 %"),
        (299 / 300, "99.6666 %"),
        (0.99999999, "99.9999 %"),
        (0.0, "0.0000 %"),
    ],
)
def test_percent_rounds_down(ratio: float, text: str) -> None:
    assert percent(ratio) == text


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_percent_never_flatters(sent: int, received: int) -> None:
    received = min(sent, received)
    shown = float(percent(received / sent).removesuffix(" %"))
    assert shown / 100 <= received / sent + 1e-12
    assert received == sent or shown < 100


def test_times_round_up() -> None:
    assert milliseconds(0.05) == "50.000 ms"
    assert milliseconds(0.0500001) == "50.001 ms"
    assert hours(14_400.2) == "4:00:01"


def test_figure_by_metric() -> None:
    assert figure("uptime", 0.999) == "99.9000 %"
    assert figure("latency", 0.0123456) == "12.346 ms"
    assert figure("jitter", 0.001) == "1.000 ms"
    assert figure("time_to_repair", 61) == "0:01:01"
    assert figure("latency", None) == NONE
    assert figure("latency", math.nan) == NONE
