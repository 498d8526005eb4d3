"""`intervals.csv`: closed intervals as text that any system can write, read as columns.

Rules: bytes are parsed by arrays, 4 MiB at a time: a month of ten endpoints takes a fifth of a second. Every mistake
is named with its line, those of different columns together. Counts that are left empty are 0, latency figures that are
left empty are not known, a missing interval is unknown. Columns may stand in any order; of the fixed ones only those
that can be missed may be missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Reason
from netsla.sla.interval import NO_REASON
from netsla.sla.recorded import ABSENT
from netsla.store.fields import Fields
from netsla.store.interval_text import HEADER
from netsla.store.pressed import CsvError, Pressing, Records
from netsla.store.turns import Turns

_NEEDED = ("endpoint", "probe", "start", "seconds", "sent", "received")
_OR_ZERO = ("unmeasured", "late", "duplicate", "jitter_pairs")
_OR_ABSENT = ("rtt_sum_us", "rtt_min_us", "rtt_max_us", "jitter_sum_us")
_CHUNK = 4 << 20  # bytes: what is made of so many fits into a processor's caches
_SHORT_RUN = 20  # rows
_FIELDS = {"start": "start_s"}
_WORDS = {reason.label: int(reason) for reason in Reason} | {"suspect_clock": int(Reason.CLOCK_STEP), "": NO_REASON}
_LAST_S = 2**62 // 10**9  # nanoseconds of later times would not fit


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Parsed lines: where names stand (columns of endpoint and probe), and numbers by column."""

    fields: Fields
    names: tuple[int, int]
    numbers: dict[str, IntArray]

    def __len__(self) -> int:
        return len(self.fields)

    def name(self, row: int) -> tuple[str, str]:
        """Endpoint and probe of a row."""
        endpoint, probe = self.names
        return _text(self.fields.cell(endpoint, row)), _text(self.fields.cell(probe, row))

    def edges(self) -> IntArray:
        """Where another probe begins, and the end."""
        endpoint, probe = map(self.fields.changes, self.names)
        return _edges(endpoint | probe)

    def probes(self) -> tuple[list[tuple[str, str]], IntArray]:
        """The names of all probes that rows tell of, and which of them each row does."""
        endpoint, probe = (np.unique(self.fields.cells(column), return_inverse=True)[1] for column in self.names)
        _, first, which = np.unique(endpoint * len(self) + probe, return_index=True, return_inverse=True)
        return [self.name(row) for row in first.tolist()], which


# --- reading ------------------------------------------------------------------------------------------


def read_intervals(path: Path, tell: Callable[[int, int], None] | None = None) -> Records:
    """Every probe's records, by (endpoint, probe) in order of name; raises CsvError, OSError.

    `tell(done, of)` is called with the bytes that are read.
    """
    pressing = Pressing()
    turns = Turns(pressing)
    for rows, done, size in _parse(path):
        if len(rows):
            _press(pressing, turns, rows)
        if tell is not None:
            tell(done, size)
    turns.flush()
    return pressing.records(path.name)


def thresholds_of(path: Path) -> frozenset[int]:
    """The latency thresholds (us) that a file has columns for; raises CsvError, OSError."""
    with path.open("rb") as file:
        found = (_threshold(name) for name in _names(path, file.readline()))
        return frozenset(limit for limit in found if limit is not None)


def _names(path: Path, line: bytes) -> list[str]:
    """The columns' names, checked."""
    head = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    if "\r" in head:
        raise CsvError(f"{path.name}: line 1: lines end with a carriage return alone", "end them with \\n or \\r\\n")
    names = [name.strip() for name in next(csv.reader([head]), [])]
    _check_header(path, names)
    return names


def _parse(path: Path) -> Iterator[tuple[_Rows, int, int]]:
    """Some rows at a time, with the bytes read so far and in all."""
    with path.open("rb") as file:
        size = path.stat().st_size
        names = _names(path, file.readline())
        line, rest = 2, b""
        while True:
            block = file.read(_CHUNK)
            text = rest + block
            cut = text.rfind(b"\n") + 1 if block else len(text)
            text, rest = text[:cut], text[cut:]
            if text:
                fields = _fields(text, len(names), line)
                yield _Block(path, names, line, fields).rows(), file.tell(), size
                line += fields.lines
            if not block:
                return


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    strange = [name for name in names if name not in HEADER and _threshold(name) is None]
    twice = {name for name in names if names.count(name) > 1}
    for problem in (
        f"no column {', '.join(missing)}" if missing else "",
        f"unknown column {', '.join(strange)}" if strange else "",
        f"column {', '.join(sorted(twice))} stands there twice" if twice else "",
    ):
        if problem:
            raise CsvError(f"{path.name}: line 1: {problem}", f"write {','.join(HEADER)} and le_<us>")


def _threshold(name: str) -> int | None:
    text = name.removeprefix("le_")
    return int(text) if name.startswith("le_") and text.isascii() and text.isdecimal() else None


def _fields(text: bytes, columns: int, line: int) -> Fields:
    """The fields of lines from `line` on."""
    text = text if text.endswith(b"\n") else text + b"\n"
    if b'"' in text or b"\r" in text:
        return Fields(_plain(text, columns, line), columns)
    found = Fields(text, columns)
    empty_lines = bool(found.odd) and (b"\n\n" in text or text.startswith(b"\n"))
    return Fields(_plain(text, columns, line), columns) if empty_lines else found


def _plain(text: bytes, columns: int, line: int) -> bytes:
    """The same lines, from `line` on, without quotes and carriage returns; empty ones get their commas."""
    reader = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""))
    rows, done = [], 0
    try:
        for row in reader:
            if reader.line_num > done + 1 or any("," in cell for cell in row):
                problem = f"intervals.csv: line {line + done}: a comma or a line break inside a field"
                raise CsvError(problem, "no name of ours holds one")
            rows.append(row or [""] * columns)
            done = reader.line_num
    except csv.Error as error:
        raise CsvError(f"intervals.csv: line {line + done}: {error}", "correct the line, or leave it out") from error
    return "".join(",".join(row) + "\n" for row in rows).encode()


def _text(cell: bytes) -> str:
    return cell.decode("utf-8", "replace")


class _Block:
    """Some whole lines, and what their fields say."""

    def __init__(self, path: Path, names: list[str], line: int, fields: Fields) -> None:
        self._path, self._names, self._line, self._fields = path, names, line, fields
        self._mistakes: list[CsvError] = []
        if self._fields.odd:
            row, count = self._fields.odd[0]
            raise self._wrong(row, f"{count} fields instead of {len(names)}", len(self._fields.odd))

    def _wrong(self, row: int, problem: str, lines: int = 1) -> CsvError:
        more = f" (and {lines - 1} more line{'s' * (lines > 2)})" if lines > 1 else ""
        text = f"{self._path.name}: line {self._line + row}: {problem}{more}"
        return CsvError(text, "correct the line, or leave it out")

    def rows(self) -> _Rows:
        numbers = {name: self._integers(name) for name in ("seconds", "sent", "received")}
        numbers |= {name: self._integers(name, 0) for name in _OR_ZERO}
        numbers |= {name: self._integers(name, ABSENT) for name in _OR_ABSENT}
        numbers |= {name: self._integers(name, ABSENT) for name in self._names if _threshold(name) is not None}
        numbers["start"] = self._starts()
        numbers["reason"] = self._reasons()
        numbers["line"] = self._line + self._fields.place
        if not self._mistakes:  # else they were compared with nonsense
            self._check(numbers)
        if self._mistakes:
            raise self._mistakes[0] if len(self._mistakes) == 1 else CsvError("\n".join(map(str, self._mistakes)))
        return _Rows(self._fields, (self._names.index("endpoint"), self._names.index("probe")), numbers)

    def _check(self, numbers: dict[str, IntArray]) -> None:
        limits = [name for name in numbers if _threshold(name) is not None]
        for bad, problem in (
            (numbers["received"] > numbers["sent"], "more received than sent"),
            (numbers["seconds"] <= 0, "an interval of no length"),
            (numbers["start"] % np.maximum(numbers["seconds"], 1) != 0, "start is no multiple of seconds, UTC"),
            ((numbers["start"] < 0) | (numbers["start"] > _LAST_S), "start is not in the years 1970 to 2115"),
            *((numbers[name] > numbers["received"], f"{name}: more than were received") for name in limits),
        ):
            if bad.any():
                row = int(self._fields.place[np.argmax(bad)])
                self._mistakes.append(self._wrong(row, problem, int(bad.sum())))

    def _integers(self, name: str, empty: int | None = None) -> IntArray:
        """A column of whole numbers of 0 or more; `empty` stands for a field left empty."""
        if name not in self._names:
            return np.full(len(self._fields), empty or 0, np.int64)
        column = self._names.index(name)
        value, bad = self._fields.numbers(column, empty)
        if bad.any():
            row = int(np.argmax(bad))
            problem = f"{name}: {_text(self._fields.cell(column, row))!r} is no whole number"
            self._mistakes.append(self._wrong(int(self._fields.place[row]), problem, int(bad.sum())))
        return value

    def _starts(self) -> IntArray:
        """UTC seconds; what is not of the usual layout is read one by one, each text once."""
        column = self._names.index("start")
        if (quick := self._fields.stamps(column)) is not None:
            return quick
        known: dict[bytes, int] = {}
        wrong: list[tuple[int, str]] = []  # row, problem
        starts = np.zeros(len(self._fields), np.int64)
        for row, text in enumerate(self._fields.cells(column).tolist()):
            try:
                if text not in known:
                    known[text] = _seconds_of(text)
                starts[row] = known[text]
            except ValueError as error:
                wrong.append((row, str(error)))
        if wrong:
            row, problem = wrong[0]
            self._mistakes.append(self._wrong(int(self._fields.place[row]), problem, len(wrong)))
        return starts

    def _reasons(self) -> IntArray:
        reasons = np.full(len(self._fields), NO_REASON, np.int64)
        if "reason" not in self._names:
            return reasons
        column = self._names.index("reason")
        told = np.flatnonzero(self._fields.lengths(column))
        if len(told):
            words, inverse = np.unique(self._fields.cells(column, told), return_inverse=True)
            codes = [_WORDS.get(_text(word), int(Reason.OTHER)) for word in words.tolist()]
            reasons[told] = np.array(codes, np.int64)[inverse]
        return reasons


def _seconds_of(text: bytes) -> int:
    """UTC seconds of a start; ValueError says why there are none."""
    try:
        at = datetime.fromisoformat(text.decode())
    except ValueError:
        raise ValueError(f"start: {_text(text)!r} is no ISO 8601 time") from None
    if at.tzinfo is None or at.microsecond:
        raise ValueError(f"start: {_text(text)!r} is not UTC in whole seconds")
    try:
        return int(at.astimezone(UTC).timestamp())
    except OverflowError:
        return -1  # before all time that we know


def _press(pressing: Pressing, turns: Turns, rows: _Rows) -> None:
    """Cut rows into probes."""
    columns = {_FIELDS.get(name, name): column for name, column in rows.numbers.items()}
    edges = rows.edges()
    if len(edges) > 2 + len(rows) // _SHORT_RUN:
        turns.add(*rows.probes(), columns)
        return
    for begin, end in pairwise(edges.tolist()):
        pressing.add(*rows.name(begin), {name: column[begin:end] for name, column in columns.items()})


def _edges(other: npt.NDArray[np.bool_]) -> IntArray:
    """Where a run begins, and the end, from whether each row is another one than that before."""
    return np.concatenate([[0], np.flatnonzero(other) + 1, [len(other) + 1]])
