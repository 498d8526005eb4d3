import math

import pytest

from bench.table import COLUMNS, Row, markdown, number, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9.713, "9.71"), (12.34, "12.3"), (1234.5, "1,234"), (math.nan, "-"), (math.inf, "inf")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_markdown_is_aligned() -> None:
    assert markdown(["a", "bb"], [["ccc", "d"]]) == "| a   | bb |\n| --- | -- |\n| ccc | d  |"


def test_columns_that_nobody_has_are_left_out_and_gaps_are_dashes() -> None:
    text = table([Row("fping", "x", {"cpu_per_probe": 9.7e-6}), Row("netsla", "x", {"core_ratio": 0.05})])
    assert text.splitlines()[:4] == [
        "| who    | load | CPU µs/probe | % of a core |",
        "| ------ | ---- | ------------ | ----------- |",
        "| fping  | x    | 9.70         | -           |",
        "| netsla | x    | -            | 5.00        |",
    ]


def test_a_pair_needs_both_figures() -> None:
    assert "RSS" not in table([Row("a", "b", {"rss": 1e6})])
    assert "| 1.00 / 2.00" in table([Row("a", "b", {"rss": 1e6, "peak": 2e6})])


def test_notes_stand_below() -> None:
    assert table([Row("fping", "10,000/s", note="gives up")]).endswith("- fping, 10,000/s: gives up")


def test_headings_differ() -> None:
    assert len({column.heading for column in COLUMNS}) == len(COLUMNS)
