"""`intervals.csv`: closed intervals as text that any system can write, read as columns.

Rules: bytes are parsed by arrays, 16 MiB at a time: a month of ten endpoints takes about a second. Every mistake is
named with its line, those of different columns together. Counts that are left empty are 0, latency figures that are
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
from netsla.store.interval_text import HEADER
from netsla.store.pressed import CsvError, Pressing, Records

_NEEDED = ("endpoint", "probe", "start", "seconds", "sent", "received")
_OR_ZERO = ("unmeasured", "late", "duplicate", "jitter_pairs")
_OR_ABSENT = ("rtt_sum_us", "rtt_min_us", "rtt_max_us", "jitter_sum_us")
_CHUNK = 16 << 20  # bytes
_SHORT_RUN = 20  # rows
_FIELDS = {"start": "start_s"}
_WORDS = {reason.label: int(reason) for reason in Reason} | {"suspect_clock": int(Reason.CLOCK_STEP), "": NO_REASON}
_STAMP = b"0000-00-00T00:00:00Z"  # the layout that is read fast
_DIGITS = 18  # more would not fit 64 bits
_LAST_S = 2**62 // 10**9  # nanoseconds of later times would not fit

Texts = npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Parsed lines: names and numbers by column."""

    endpoint: Texts
    probe: Texts
    numbers: dict[str, IntArray]

    def __len__(self) -> int:
        return len(self.endpoint)


# --- reading ------------------------------------------------------------------------------------------


def read_intervals(path: Path, tell: Callable[[int, int], None] | None = None) -> Records:
    """Every probe's records, by (endpoint, probe) in order of name; raises CsvError, OSError.

    `tell(done, of)` is called with the bytes that are read.
    """
    pressing = Pressing()
    for rows, done, size in _parse(path):
        _press(pressing, rows)
        if tell is not None:
            tell(done, size)
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
            if text.strip():
                yield _Block(path, names, line, _plain(text, len(names), line)).rows(), file.tell(), size
            line += text.count(b"\n")
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


def _plain(text: bytes, columns: int, line: int) -> bytes:
    """The same lines, from `line` on, without quotes, carriage returns and empty lines; as it is if it has none."""
    text = text if text.endswith(b"\n") else text + b"\n"
    if b'"' not in text and b"\r" not in text and b"\n\n" not in text and not text.startswith(b"\n"):
        return text
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


def _plain_stamps(texts: Texts) -> bool:
    """Whether all read 2026-04-01T00:00:00Z; numpy would understand more than we allow."""
    table = texts.view(np.uint8).reshape(-1, len(_STAMP))
    return all(
        bool(((column >= ord("0")) & (column <= ord("9"))).all()) if sign == ord("0") else bool((column == sign).all())
        for sign, column in zip(_STAMP, table.T, strict=True)
    )


class _Block:
    """Some whole lines: where every field begins and ends, and what it says."""

    def __init__(self, path: Path, names: list[str], line: int, text: bytes) -> None:
        self._path, self._names, self._line = path, names, line
        self._mistakes: list[CsvError] = []
        self._bytes = np.frombuffer(text, np.uint8)
        breaks = self._bytes == ord("\n")
        stops = np.flatnonzero(breaks | (self._bytes == ord(",")))
        columns, lines = len(names), int(breaks.sum())
        per_line = np.diff(np.flatnonzero(breaks[stops]), prepend=-1)
        odd = np.flatnonzero(per_line != columns)
        if len(odd):
            problem = f"{int(per_line[odd[0]])} fields instead of {columns}"
            raise self._wrong(int(odd[0]), problem, len(odd))
        stop = stops.reshape(lines, columns)
        start = np.concatenate([[0], stops[:-1] + 1]).reshape(lines, columns)
        full = stop[:, -1] - start[:, 0] > columns - 1  # lines of nothing but commas were empty
        self._start, self._stop = start[full], stop[full]
        self._place = np.flatnonzero(full)

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
        numbers["line"] = self._line + self._place
        if not self._mistakes:  # else they were compared with nonsense
            self._check(numbers)
        if self._mistakes:
            raise self._mistakes[0] if len(self._mistakes) == 1 else CsvError("\n".join(map(str, self._mistakes)))
        return _Rows(self._texts("endpoint"), self._texts("probe"), numbers)

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
                self._mistakes.append(self._wrong(int(self._place[np.argmax(bad)]), problem, int(bad.sum())))

    def _texts(self, name: str) -> Texts:
        """A column as bytes."""
        column = self._names.index(name)
        start, stop = self._start[:, column], self._stop[:, column]
        width = max(int((stop - start).max(initial=0)), 1)
        at = start[:, None] + np.arange(width)
        inside = at < stop[:, None]
        cells = np.where(inside, self._bytes[np.minimum(at, len(self._bytes) - 1)], 0).astype(np.uint8)
        texts: Texts = np.ascontiguousarray(cells).view(f"S{width}")[:, 0]
        return texts

    def _integers(self, name: str, empty: int | None = None) -> IntArray:
        """A column of whole numbers of 0 or more; `empty` stands for a field left empty."""
        if name not in self._names:
            return np.full(len(self._start), empty or 0, np.int64)
        column = self._names.index(name)
        at, stop = self._start[:, column].copy(), self._stop[:, column]
        length = stop - at
        value = np.zeros(len(at), np.int64)
        bad = (length > _DIGITS) | ((length == 0) & (empty is None))
        for _ in range(min(int(length.max(initial=0)), _DIGITS)):
            live = at < stop
            digit = self._bytes[np.minimum(at, len(self._bytes) - 1)].astype(np.int64) - ord("0")
            bad |= live & ((digit < 0) | (digit > 9))
            value = np.where(live, value * 10 + digit, value)
            at += 1
        if bad.any():
            row = int(np.argmax(bad))
            problem = f"{name}: {_text(self._texts(name)[row])!r} is no whole number"
            self._mistakes.append(self._wrong(int(self._place[row]), problem, int(bad.sum())))
        return value if empty is None else np.where(length == 0, empty, value)

    def _starts(self) -> IntArray:
        """UTC seconds."""
        texts = self._texts("start")
        if texts.dtype.itemsize == len(_STAMP) and _plain_stamps(texts):
            try:
                return texts.astype("S19").astype("datetime64[s]").astype(np.int64)
            except ValueError:
                pass  # the slow way finds the line
        known: dict[bytes, int] = {}
        wrong: list[tuple[int, str]] = []  # row, problem
        starts = np.zeros(len(texts), np.int64)
        for row, text in enumerate(texts.tolist()):
            try:
                if text not in known:
                    known[text] = _seconds_of(text)
                starts[row] = known[text]
            except ValueError as error:
                wrong.append((row, str(error)))
        if wrong:
            row, problem = wrong[0]
            self._mistakes.append(self._wrong(int(self._place[row]), problem, len(wrong)))
        return starts

    def _reasons(self) -> IntArray:
        if "reason" not in self._names:
            return np.full(len(self._start), NO_REASON, np.int64)
        words, inverse = np.unique(self._texts("reason"), return_inverse=True)
        codes = [_WORDS.get(_text(word), int(Reason.OTHER)) for word in words.tolist()]
        return np.array(codes, np.int64)[inverse]


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


def _press(pressing: Pressing, rows: _Rows) -> None:
    """Cut rows into probes."""
    if not len(rows):
        return
    edges = _edges(rows.endpoint, rows.probe)
    order = None
    if len(edges) > 2 + len(rows) // _SHORT_RUN:  # probe by turns, not probe after probe
        order = np.lexsort((rows.probe, rows.endpoint))
        edges = _edges(rows.endpoint[order], rows.probe[order])
    for begin, end in pairwise(edges.tolist()):
        chosen = slice(begin, end) if order is None else order[begin:end]
        columns = {_FIELDS.get(name, name): column[chosen] for name, column in rows.numbers.items()}
        first = begin if order is None else int(order[begin])
        pressing.add(_text(rows.endpoint[first]), _text(rows.probe[first]), columns)


def _edges(endpoint: Texts, probe: Texts) -> IntArray:
    """Where another probe begins, and the end."""
    other = (endpoint[1:] != endpoint[:-1]) | (probe[1:] != probe[:-1])
    return np.concatenate([[0], np.flatnonzero(other) + 1, [len(endpoint)]])
