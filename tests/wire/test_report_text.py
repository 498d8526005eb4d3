"""A report as text."""

from netsla.wire.report_text import aligned, duration


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 61, 86_400 + 3661)] == ["0:00:00", "0:01:01", "1d 1:01:01"]


def test_a_table_without_rows_is_nothing() -> None:
    assert aligned("Incidents", ("A", "B"), []) == ""


def test_columns_line_up_and_lines_end_where_they_end() -> None:
    assert aligned("T", ("A", "B"), [("long", ""), ("x", "y")]) == "T\n  A     B\n  long\n  x     y"
