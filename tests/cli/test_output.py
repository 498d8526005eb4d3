from __future__ import annotations

import pytest

from netsla.cli.output import table

HEAD = ("STANDING", "ENDPOINT", "ADDRESS", "OBJECTIVES")
ROWS = [("met", "berlin-hq", "203.0.113.10", "3 met"), ("no data", "dr", "2001:db8::1", "1 no data; 2 met")]


def test_columns_are_aligned_and_lines_end_where_their_text_does() -> None:
    assert table(HEAD, ROWS).splitlines() == [
        "STANDING  ENDPOINT   ADDRESS       OBJECTIVES",
        "met       berlin-hq  203.0.113.10  3 met",
        "no data   dr         2001:db8::1   1 no data; 2 met",
    ]


def test_colour_changes_no_character() -> None:
    plain, coloured = table(HEAD, ROWS), table(HEAD, ROWS, colour=True)
    assert "\x1b[32mmet\x1b[0m" in coloured
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[32m", "\x1b[33m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


@pytest.mark.parametrize(
    ("width", "shown", "gone"),
    [
        (None, HEAD, ""),
        (51, HEAD, ""),
        (50, ("STANDING", "ENDPOINT", "OBJECTIVES"), "(no room for ADDRESS)"),
        (36, ("STANDING", "OBJECTIVES"), "(no room for ADDRESS, ENDPOINT)"),
        (10, ("STANDING", "OBJECTIVES"), "(no room for ADDRESS, ENDPOINT)"),
    ],
)
def test_what_does_not_fit_a_terminal_is_left_out_and_said(
    width: int | None, shown: tuple[str, ...], gone: str
) -> None:
    lines = table(HEAD, ROWS, spare=("ADDRESS", "ENDPOINT", "NOBODY"), width=width).splitlines()
    assert tuple(lines[0].split()) == shown
    assert len(lines) == (4 if gone else 3)
    assert lines[-1].startswith(gone)
