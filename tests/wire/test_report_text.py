"""A report as text."""

from netsla.wire.report_text import aligned


def test_a_table_without_rows_is_nothing() -> None:
    assert aligned("Incidents", ("A", "B"), []) == ""


def test_columns_line_up_and_lines_end_where_they_end() -> None:
    assert aligned("T", ("A", "B"), [("long", ""), ("x", "y")]) == "T\n  A     B\n  long\n  x     y"
