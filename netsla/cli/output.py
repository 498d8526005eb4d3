"""Printing: aligned tables, whole in a pipe, fitted to a terminal; colour on a terminal only.

Rules: a reader that goes away (`| head`) ends the printing, not the command's exit code. Colour never
says what the words do not. `NO_COLOR` is honoured.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Sequence
from threading import Event

_COLOURS = {"breached": "31;1", "bad": "31;1", "met": "32", "good": "32", "no data": "33", "unknown": "33"}
_COLOURS |= {"insufficient data": "33"}
_deserted = Event()  # set once the reader of standard output has gone


def say(text: str) -> None:
    """Text and a newline to standard output."""
    write(text.encode("utf-8", "surrogateescape") + b"\n")


def write(data: bytes) -> None:
    """Bytes to standard output, now."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # nobody reads any more: let what follows go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _deserted.set()


def readers() -> bool:
    """Whether anybody still reads standard output: a pipe whose reader has gone is in error (poll(2))."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    gone = any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
    return not gone and not _deserted.is_set()


def complain(text: str) -> None:
    """A line to standard error."""
    print(text, file=sys.stderr)


def on_terminal() -> bool:
    """Whether standard output is one."""
    return sys.stdout.isatty()


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, colour: bool = False, spare: Sequence[str] = (),
    width: int | None = None,
) -> str:  # fmt: skip
    """Columns as wide as their widest cell, two blanks between; the first column is a standing.

    Where `width` characters are too few, the `spare` columns are left out in their order, and that is said.
    """
    columns = list(zip(head, *rows, strict=True))
    columns, gone = _fitting(columns, spare, width)
    note = [f"(no room for {', '.join(gone)})"] if gone else []
    padded = [_padded(column) for column in columns[:-1]]
    lines = ["  ".join(cells) for cells in zip(*padded, columns[-1], strict=True)]
    if colour:
        lines = [f"\x1b[1m{lines[0]}\x1b[0m", *map(_coloured, lines[1:], (row[0] for row in rows))]
    return "\n".join(lines + note)


def _fitting(
    columns: list[tuple[str, ...]], spare: Sequence[str], width: int | None
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The columns that fit, and the names of those that do not; all of them where no width is given."""
    gone: list[str] = []
    for name in spare:
        if width is None or sum(max(map(len, column)) + 2 for column in columns) - 2 <= width:
            break
        kept = [column for column in columns if column[0] != name]
        gone += [name] * (len(kept) < len(columns))
        columns = kept
    return columns, gone


def _padded(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    return [cell.ljust(width) for cell in column]


def _coloured(line: str, standing: str) -> str:
    code = _COLOURS.get(standing)
    return f"\x1b[{code}m{standing}\x1b[0m{line[len(standing) :]}" if code else line


def room() -> int | None:
    """Characters in a line of the terminal; None where nobody looks on and a line may be of any length."""
    return shutil.get_terminal_size().columns if on_terminal() else None


def wants_colour() -> bool:
    """On a terminal, unless the user asked for none."""
    return on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
