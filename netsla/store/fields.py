"""Fields of comma-separated lines, many lines at once: found by one comparison, read as machine words.

    found = Fields(text, columns)              found.odd: the lines with another number of fields, and that number
    found.numbers(column, empty) -> (values, bad)
    found.stamps(column)   found.changes(column)   found.cell(column, row)

Rules: PURE. A word is the eight bytes that end where a field ends, the first of them lowest: eight digits become a
number by three multiplications, two names are compared at once. What is no digit is told by a mask, never guessed at.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

Texts = npt.NDArray[np.bytes_]
Words = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int32]
_Flags = npt.NDArray[np.bool_]

_PAD = 64  # bytes in front, so that the words of a field at the very beginning exist
_LONGEST = _PAD  # bytes of a name that is compared by words
_DIGITS = 18  # more would not fit 64 bits
_SHORT = 3  # digits; fewer are read byte by byte
_COMMA, _BREAK, _ZERO = ord(","), ord("\n"), ord("0")
_LAST_SIGN = 0x2D  # "-", the first character after the comma: what is below may separate fields
_STAMP = 20  # bytes of 2026-04-01T00:00:00Z
_EPOCH = date(1970, 1, 1).toordinal()


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_KEEP = np.array([((1 << 64) - 1) ^ ((1 << 8 * (8 - n)) - 1) for n in range(9)], np.uint64)  # the last n bytes
_ZEROES, _SIGNS = _word(b"0" * 8), _word(b"\x80" * 8)
_OVER_NINE = _word(b"\x76" * 8)  # carries whatever is more than 9 into the sign
_CLOCK, _CLOCK_MARKS = _word(b"00T00:00"), _word(b"\0\0\xff\0\0\xff\0\0")
_ENDING, _ENDING_MARKS = _word(b":00Z"), _word(b"\xff\0\0\xff")
_U = np.uint64


class Fields:
    """Where every field of some whole lines begins and ends; arrays are over the lines that say anything."""

    def __init__(self, text: bytes, columns: int) -> None:
        padded = b"\0" * _PAD + text + b"\0" * (16 - len(text) % 8)
        self._bytes = np.frombuffer(padded, np.uint8)
        self._words = self._bytes.view("<u8")
        stops, breaks = self._separators(text, columns)
        per_line = np.diff(breaks, prepend=-1)
        lines = np.flatnonzero(per_line != columns)
        self.odd = list(zip(lines.tolist(), per_line[lines].tolist(), strict=True))
        self.lines = len(breaks)
        self.place: IntArray = np.arange(len(breaks))  # of each line in the text
        if self.odd:
            return
        self._stop: _Places = np.ascontiguousarray(stops.astype(np.int32).reshape(-1, columns).T)
        self._first: _Places = np.append(np.int32(_PAD), self._stop[-1][:-1] + np.int32(1)).astype(np.int32)
        full = self._stop[-1] - self._first > columns - 1  # lines of nothing but commas were empty
        if not full.all():
            self._stop, self._first, self.place = self._stop[:, full], self._first[full], np.flatnonzero(full)

    def _separators(self, text: bytes, columns: int) -> tuple[IntArray, IntArray]:
        """Where separators stand, and which of them end a line."""
        whole = self._bytes[_PAD : _PAD + len(text)]
        stops = np.flatnonzero(whole < _LAST_SIGN) + _PAD
        breaks = np.arange(columns - 1, len(stops), columns)
        commas, lines = int(np.count_nonzero(whole == _COMMA)), int(np.count_nonzero(whole == _BREAK))
        if commas + lines == len(stops) == lines * columns and bool((self._bytes[stops[breaks]] == _BREAK).all()):
            return stops, breaks
        kind = self._bytes.take(stops)
        stops = stops[(kind == _COMMA) | (kind == _BREAK)]
        return stops, np.flatnonzero(self._bytes.take(stops) == _BREAK)

    def __len__(self) -> int:
        return len(self.place)

    def _start(self, column: int) -> _Places:
        return self._stop[column - 1] + np.int32(1) if column else self._first

    def lengths(self, column: int) -> _Places:
        """Of a column's fields, in bytes."""
        lengths: _Places = self._stop[column] - self._start(column)
        return lengths

    def cell(self, column: int, row: int) -> bytes:
        """One field."""
        return self._bytes[self._start(column)[row] : self._stop[column][row]].tobytes()

    def cells(self, column: int, rows: IntArray | None = None) -> Texts:
        """A column's fields as bytes; of some rows."""
        start, stop = self._start(column), self._stop[column]
        if rows is not None:
            start, stop = start[rows], stop[rows]
        width = max(int((stop - start).max(initial=0)), 1)
        at = start[:, None] + np.arange(width)
        table = np.where(at < stop[:, None], self._bytes.take(np.minimum(at, len(self._bytes) - 1)), 0).astype(np.uint8)
        texts: Texts = np.ascontiguousarray(table).view(f"S{width}")[:, 0]
        return texts

    def _eight(self, at: _Places) -> Words:
        """The eight bytes from each of these places on."""
        whole, shift = at >> 3, ((at & 7) << 3).astype(_U)
        low, high = self._words.take(whole), self._words.take(whole + np.int32(1))
        words: Words = (low >> shift) | ((high << _U(1)) << (_U(63) - shift))
        return words

    # --- numbers --------------------------------------------------------------------------------------

    def numbers(self, column: int, empty: int | None = None) -> tuple[IntArray, _Flags]:
        """Whole numbers of 0 or more, and which are none; `empty` stands for a field left empty, None: it is none."""
        length, stop = self.lengths(column), self._stop[column]
        width = int(length.max(initial=0))
        value, bad = self._few(stop, length, width) if width <= _SHORT else self._many(stop, length, width)
        if int(length.min(initial=1)) == 0:
            nothing = length == 0
            value = np.where(nothing, empty or 0, value)
            if empty is None:
                bad |= nothing
        return value, bad

    def _few(self, stop: _Places, length: _Places, width: int) -> tuple[IntArray, _Flags]:
        value, bad = np.zeros(len(stop), np.int32), np.zeros(len(stop), bool)
        for place in range(width):
            digit = self._bytes.take(stop - np.int32(place + 1)) - np.uint8(_ZERO)
            if int(length.min(initial=width)) <= place:
                digit = digit * (length > place)
            bad |= digit > 9
            value += digit * np.int32(10**place)
        return value.astype(np.int64), bad

    def _many(self, stop: _Places, length: _Places, width: int) -> tuple[IntArray, _Flags]:
        bad = length > _DIGITS
        value: IntArray = np.zeros(len(stop), np.int64)
        for first in range(0, min(width, _DIGITS), 8):
            digits = self._eight(stop - np.int32(first + 8)) ^ _ZEROES
            if int(length.min(initial=width)) < first + 8:
                digits &= _KEEP.take(np.clip(length - np.int32(first), 0, 8))
            bad |= ((digits + _OVER_NINE) | digits) & _SIGNS != 0
            pairs = (digits * _U(10) + (digits >> _U(8))) & _U(0x00FF00FF00FF00FF)
            fours = (pairs * _U(100) + (pairs >> _U(16))) & _U(0x0000FFFF0000FFFF)
            eight = ((fours * _U(10_000) + (fours >> _U(32))) & _U(0xFFFFFFFF)).view(np.int64)
            value = value + eight * 10**first if first else eight
        return value, bad

    # --- times ----------------------------------------------------------------------------------------

    def stamps(self, column: int) -> IntArray | None:
        """UTC seconds, if every field reads like 2026-04-01T00:00:00Z and is a time; else None."""
        if not len(self) or bool((self.lengths(column) != _STAMP).any()):
            return None
        start = self._start(column)
        months = self._months(self._eight(start))
        clock = self._eight(start + np.int32(8)) ^ _CLOCK
        ending = (self._eight(start + np.int32(12)) >> _U(32)) ^ _ENDING
        strange = (clock & _CLOCK_MARKS) | (ending & _ENDING_MARKS)
        strange |= ((clock + _OVER_NINE) | clock | (ending + _OVER_NINE) | ending) & _SIGNS
        if months is None or bool(strange.any()):
            return None
        clock, ending = clock * _U(10) + (clock >> _U(8)), ending * _U(10) + (ending >> _U(8))
        parts = (clock, clock >> _U(24), clock >> _U(48), ending >> _U(8))
        day, hour, minute, second = ((part & _U(0xFF)).view(np.int64) for part in parts)
        first_s, last_day = months
        right = (day >= 1) & (day <= last_day) & (hour < 24) & (minute < 60) & (second < 60)
        return first_s + ((day * 24 + hour) * 60 + minute) * 60 + second if bool(right.all()) else None

    def _months(self, words: Words) -> tuple[IntArray, IntArray] | None:
        """Of `2026-04-`: UTC seconds of the day before the month, and its length in days; None if one is no month."""
        begin = np.append(0, np.flatnonzero(words[1:] != words[:-1]) + 1)
        known: dict[bytes, tuple[int, int]] = {}
        found = []
        for word in words[begin].astype("<u8"):
            text = word.tobytes()
            if text not in known:
                year, month = text[:4], text[5:7]
                if not (year + month).isdigit() or text[4:5] + text[7:] != b"--":
                    return None
                if not (int(year) > 0 and 1 <= int(month) <= 12):
                    return None
                before = date(int(year), int(month), 1).toordinal() - _EPOCH - 1
                known[text] = before * 86_400, monthrange(int(year), int(month))[1]
            found.append(known[text])
        count = np.diff(np.append(begin, len(words)))
        first_s, last_day = np.array(found, np.int64).T
        return np.repeat(first_s, count), np.repeat(last_day, count)

    # --- names ----------------------------------------------------------------------------------------

    def changes(self, column: int) -> _Flags:
        """Whether a field is another one than that of the line before; one fewer than there are lines."""
        length, stop = self.lengths(column), self._stop[column]
        width = int(length.max(initial=0))
        if width > _LONGEST:
            texts = self.cells(column)
            long: _Flags = texts[1:] != texts[:-1]
            return long
        other: _Flags = length[1:] != length[:-1]
        for first in range(0, width, 8):
            words = self._eight(stop - np.int32(first + 8)) & _KEEP.take(np.clip(length - np.int32(first), 0, 8))
            other |= words[1:] != words[:-1]
        return other
