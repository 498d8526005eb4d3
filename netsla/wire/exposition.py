"""Snapshot -> Prometheus text format 0.0.4, for whole fleets: 50 lines a probe, rendered by numpy.

Rules: pure. The lines of a Roll are laid out once, as bytes: `name{labels}`, blanks, a slot of 16
characters, newline; every slot begins at a multiple of eight. Filling a page then only stores words
(:mod:`netsla.wire.digits`) into slots. The text format allows blanks between tokens, empty lines (they
align the blocks) and comments: a line whose value does not exist is turned into a comment by its
first character, and says `absent`. Families, names and labels: docs of the metrics, `families.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray, Reason, RowArray
from netsla.sla.snapshot import FloatArray, Roll, Snapshot, WindowView
from netsla.wire import digits
from netsla.wire.compat import COMPAT
from netsla.wire.families import OBJECTIVE, PROBE, WINDOW, Family, Series, labels
from netsla.wire.labelling import NO_LABELS, Labelling

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TAIL = digits.SLOT + 1  # slot and newline
_COMMENT = ord("#")
_ABSENT = (digits.word(""), digits.word("absent"))

Values = Callable[[Snapshot], IntArray | FloatArray]


@dataclass(frozen=True, slots=True)
class _Column:
    """Lines of equal meaning: where each begins (byte), where its slot is (word), and its values."""

    starts: IntArray
    words: IntArray
    values: Values
    initial: int  # the first character of the metric's name


class Exposition:
    """The page of one Roll: laid out at once, filled as often as asked.

    One renderer at a time: `write` is not thread-safe.
    """

    def __init__(self, snapshot: Snapshot, compat: Sequence[str] = (), further: Labelling = NO_LABELS) -> None:
        """Lay out every line; about 1 µs a line. `compat` names families of :data:`COMPAT`."""
        self._roll, self._further = snapshot.roll, further
        self._windows = tuple((view.name, view.member) for view in snapshot.windows)
        layout = _Layout()
        for family in _families(snapshot, compat, further):
            layout.add(family)
        self._columns = layout.columns
        self._latest = layout.text
        self._given = False
        for column in layout.constants:
            _fill(self._latest, column, snapshot)

    def fits(self, snapshot: Snapshot, further: Labelling = NO_LABELS) -> bool:
        """Whether this layout speaks of the same probes, objectives and windows, with the same labels."""
        return (
            self._roll is snapshot.roll
            and self._further is further
            and len(self._windows) == len(snapshot.windows)
            and all(
                name == view.name and (member is view.member or np.array_equal(member, view.member))
                for (name, member), view in zip(self._windows, snapshot.windows, strict=True)
            )
        )

    def write(self, snapshot: Snapshot, page: bytearray | None = None) -> bytearray:
        """The text of all per-probe and per-objective families, without the unmeasured reasons.

        `page` is an earlier page of this Exposition that nobody reads any more: it is written over.
        Without one, a page that was given out before is never touched.
        """
        if page is None:
            page = bytearray(self._latest) if self._given else self._latest
        self._given = True
        for column in self._columns:
            _fill(page, column, snapshot)
        self._latest = page
        return page


def render(snapshot: Snapshot, compat: Sequence[str] = (), further: Labelling = NO_LABELS) -> bytes:
    """The whole text of a Snapshot, laid out anew: for tests and single use."""
    return bytes(Exposition(snapshot, compat, further).write(snapshot)) + unmeasured(snapshot, further)


def unmeasured(snapshot: Snapshot, further: Labelling = NO_LABELS) -> bytes:
    """`netsla_probe_unmeasured_total`: a line only for what happened."""
    name = "netsla_probe_unmeasured_total"
    header = _header(name, "counter", "Probes that were neither sent nor lost, by the reason on our own side.")
    lines = [header.decode()]
    by = snapshot.unmeasured_by
    reasons, rows = np.nonzero(by)
    roll = snapshot.roll
    names = [reason.label for reason in Reason]
    for reason, row, count in zip(reasons.tolist(), rows.tolist(), by[reasons, rows].tolist(), strict=True):
        agreement, endpoint = roll.agreement[row], roll.endpoint[row]
        mine = further.pairs(agreement, endpoint)
        who = labels(agreement=agreement, endpoint=endpoint, probe=roll.probe[row], **mine)
        lines.append(f'{name}{{{who},reason="{names[reason]}"}} {count}\n')
    return "".join(lines).encode()


class _Layout:
    """Grows the text block by block, and remembers where the slots are."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.columns: list[_Column] = []
        self.constants: list[_Column] = []

    def add(self, block: _Block) -> None:
        """One family: header, then the lines of each series."""
        self.text += _header(block.family.name, block.family.type, block.family.help)
        self.text += b"\n" * ((1 - len(self.text)) % digits.WORD)  # every record begins one past a multiple of eight
        for series, heads, more, values in block.lines:
            column = self._append(series.name, heads, more, values)
            (self.constants if series.constant else self.columns).append(column)

    def _append(self, name: str, heads: _Heads, more: str, values: Values) -> _Column:
        """One join for all lines: what stands between two heads depends only on how far the slot is to be moved."""
        before, after = f"{name}{{".encode(), f"{more}}} ".encode()
        lengths = heads.lengths + len(before) + len(after)
        fill = (-lengths - _TAIL) % digits.WORD  # so that records are multiples of eight
        ends = len(self.text) + np.cumsum(lengths + fill + _TAIL)
        blanks = b" " * digits.SLOT + b"\n"
        between = [after + b" " * width + blanks + before for width in range(digits.WORD)]
        pieces = [b""] * (2 * len(heads.texts))
        pieces[0::2], pieces[1::2] = heads.texts, [between[width] for width in fill.tolist()]
        self.text += (before + b"".join(pieces))[: -len(before)]
        return _Column(ends - _TAIL - lengths - fill, (ends - _TAIL) // digits.WORD, values, before[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Heads:
    """The labels of many lines, and how many bytes each has."""

    texts: list[bytes]
    lengths: IntArray

    @classmethod
    def of(cls, texts: Iterable[str]) -> _Heads:
        """Of these."""
        encoded = [text.encode() for text in texts]
        return cls(encoded, np.fromiter(map(len, encoded), np.int64, len(encoded)))

    def take(self, rows: RowArray) -> _Heads:
        """Some of them."""
        return (
            self if len(rows) == len(self.texts) else _Heads([self.texts[r] for r in rows.tolist()], self.lengths[rows])
        )


_Lines = tuple[Series, _Heads, str, Values]
"""(series, labels of each line, those that are added to each, values)"""


@dataclass(frozen=True, slots=True)
class _Block:
    """A family with the lines it has for a Roll."""

    family: Family
    lines: list[_Lines]


def _families(snapshot: Snapshot, compat: Sequence[str], further: Labelling) -> list[_Block]:
    roll = snapshot.roll
    who = _who(roll, further)
    promise = _Heads.of(
        labels(agreement=a, endpoint=e, objective=o.id, **further.pairs(a, e))
        for a, e, o in zip(roll.objective_agreement, roll.objective_endpoint, roll.objective, strict=True)
    )
    every = np.arange(len(who.texts), dtype=np.int32)
    blocks = [_probe_block(family, roll, who, every) for family in PROBE]
    blocks += _window_blocks(snapshot.windows, who)
    blocks += [_objective_block(family, roll, promise) for family in OBJECTIVE]
    for foreign in (one for other in compat for one in COMPAT[other]):
        rows = np.asarray([at for at, kind in enumerate(roll.type) if kind in foreign.types], np.int32)
        theirs = _who(roll, further, foreign.labels)
        blocks += [_probe_block(family, roll, theirs, rows) for family in foreign.families]
    return blocks


def _who(roll: Roll, further: Labelling, taken: frozenset[str] = frozenset()) -> _Heads:
    """The labels of each probe."""
    return _Heads.of(
        labels(agreement=a, endpoint=e, probe=p, **further.pairs(a, e, taken))
        for a, e, p in zip(roll.agreement, roll.endpoint, roll.probe, strict=True)
    )


def _probe_block(family: Family, roll: Roll, who: _Heads, rows: RowArray) -> _Block:
    mine = who.take(rows)
    whole = mine is who
    lines: list[_Lines] = []
    for series in family.series:
        heads = _with(mine, series, roll, rows.tolist())
        lines.append((series, heads, series.suffix, series.values if whole else _taking(series.values, rows)))
    return _Block(family, lines)


def _with(heads: _Heads, series: Series, roll: Roll, at: Sequence[int]) -> _Heads:
    """With labels that differ from line to line, if the series has some."""
    if series.further is None:
        return heads
    further = series.further
    return _Heads.of(head.decode() + further(roll, one) for head, one in zip(heads.texts, at, strict=True))


def _window_blocks(windows: Sequence[WindowView], who: _Heads) -> list[_Block]:
    heads = [who.take(view.member) for view in windows]
    names = [labels(window=view.name) for view in windows]
    return [
        _Block(
            family,
            [
                (series, heads[index], f",{name}{series.suffix}", _of_window(series.values, index))
                for index, name in enumerate(names)
                for series in family.series
            ],
        )
        for family in WINDOW
    ]


def _objective_block(family: Family, roll: Roll, promise: _Heads) -> _Block:
    every = range(len(promise.texts))
    return _Block(family, [(one, _with(promise, one, roll, every), "", one.values) for one in family.series])


def _taking(values: Values, rows: RowArray) -> Values:
    return lambda snapshot: values(snapshot)[rows]


def _of_window(values: Callable[[WindowView], IntArray | FloatArray], index: int) -> Values:
    return lambda snapshot: values(snapshot.windows[index])


def _header(name: str, kind: str, text: str) -> bytes:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def _fill(page: bytearray, column: _Column, snapshot: Snapshot) -> None:
    """Store a column's figures in its slots; a NaN makes its line a comment."""
    values = column.values(snapshot)
    octets = np.frombuffer(page, np.uint8)
    words = np.frombuffer(page, np.uint64, len(page) // digits.WORD)
    if values.dtype.kind == "f":
        first, last = digits.decimals(values.astype(np.float64, copy=False))
        absent = np.isnan(values)
        octets[column.starts] = np.where(absent, _COMMENT, column.initial)
        if absent.any():
            first[absent], last[absent] = _ABSENT
    else:
        first, last = digits.integers(values.astype(np.int64, copy=False))
    words[column.words] = first
    words[column.words + 1] = last
