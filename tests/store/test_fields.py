"""Fields read as machine words say what they say when they are read one by one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netsla.store.fields import Fields

DIGITS = st.text("0123456789", max_size=20)
ODD = st.text("0123456789x-+ :/é\x00\x7f", max_size=12)
NAME = st.text("abz-019 .+#é", max_size=70)


def fields(*rows: tuple[str, ...]) -> Fields:
    return Fields("".join(",".join(row) + "\n" for row in rows).encode(), len(rows[0]))


@given(st.lists(st.tuples(NAME, DIGITS | ODD, DIGITS), min_size=1, max_size=9))
@example([("", "7", "99999999"), ("", "07", "100000000"), ("", "", "123456789012345678")])
def test_numbers(rows: list[tuple[str, str, str]]) -> None:
    found = fields(*((f"n{name}", *rest) for name, *rest in rows))
    for column in (1, 2):
        for empty in (None, -1):
            values, bad = found.numbers(column, empty)
            for value, wrong, row in zip(values.tolist(), bad.tolist(), rows, strict=True):
                text = row[column]
                right = re.fullmatch(r"[0-9]{1,18}", text) is not None or (text == "" and empty is not None)
                assert wrong is not right, text
                assert wrong or value == (int(text) if text else empty)


@given(st.lists(NAME.map("n".__add__), min_size=1, max_size=9))
def test_names(names: list[str]) -> None:
    found = fields(*((name, "x", name) for name in names))
    for column in (0, 2):
        assert found.changes(column).tolist() == [a != b for a, b in zip(names[1:], names[:-1], strict=True)]
        assert [found.cell(column, row).decode() for row in range(len(names))] == names


@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=9))  # noqa: DTZ001 - UTC below
def test_times(times: list[datetime]) -> None:
    found = fields(*(("hq", f"{at.isoformat(timespec='seconds')}Z") for at in times))
    stamps = found.stamps(1)
    assert stamps is not None
    assert stamps.tolist() == [int(at.replace(tzinfo=UTC, microsecond=0).timestamp()) for at in times]


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z", "2026-04-00T00:00:00Z", "2026-04-01T24:00:00Z", "2026-04-01T00:60:00Z",
        "2026-04-01T00:00:60Z", "2026-04-01 00:00:00Z", "2026-04-01T00-00:00Z", "2026-04-01T00:00-00Z",
        "2026-04-01T00:00:00z", "2026/04-01T00:00:00Z", "2026-04/01T00:00:00Z", "2026-04-01T0x:00:00Z",
        "2026-04-01T00:00:0xZ", "202x-04-01T00:00:00Z", "2026-04-01T00:00:00", "2026-04-01T00:00:00ZZ",
    ],
)  # fmt: skip
def test_what_is_no_plain_time_is_left_to_the_slow_way(text: str) -> None:
    assert fields(("2026-04-01T00:00:00Z", "x"), (text, "x")).stamps(0) is None


def test_lines_with_other_numbers_of_fields() -> None:
    assert Fields(b"a,b\nc\nd,e,f\n\ng,h\n", 2).odd == [(1, 1), (2, 3), (3, 1)]
    assert Fields(b"a,b\nc,d\n", 2).odd == []
    assert Fields(b"a\nb,c,d\n", 2).odd == [(0, 1), (1, 3)]  # as many as there should be, in the wrong lines


def test_lines_of_nothing_but_commas_are_left_out() -> None:
    found = Fields(b"a,1\n,\nb,2\n", 2)
    assert found.place.tolist() == [0, 2]
    assert found.lines == 3
    assert found.numbers(1)[0].tolist() == [1, 2]


def test_signs_below_the_comma_are_part_of_a_name() -> None:
    found = fields(("a b+c#(d)", "1"), ("a b", "2"))
    assert found.odd == []
    assert found.cells(0).tolist() == [b"a b+c#(d)", b"a b"]
    assert found.cells(0, np.array([1])).tolist() == [b"a b"]
