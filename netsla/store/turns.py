"""Rows that tell of many probes by turns, minute after minute: they wait until every probe has enough to be pressed.

Rules: what waits is bounded, and kept in the narrowest types: to press a few rows at a time would cost more than to
read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from netsla.model import IntArray
from netsla.store.press import Numbers, narrow
from netsla.store.pressed import Pressing

_MOST = 2_000_000  # rows that wait; some 50 bytes each

Name = tuple[str, str]  # endpoint, probe


class Turns:
    """Between the reader and `Pressing`."""

    def __init__(self, pressing: Pressing) -> None:
        self._pressing = pressing
        self._known: dict[Name, int] = {}
        self._whose: list[Numbers] = []  # number of the probe of each row, a part for each `add`
        self._parts: dict[str, list[Numbers]] = {}
        self._rows = 0

    def add(self, names: Sequence[Name], which: IntArray, columns: Mapping[str, IntArray]) -> None:
        """Rows of the probes `names[which]`; columns as `Pressing.add` takes them."""
        numbers = np.array([self._known.setdefault(name, len(self._known)) for name in names], np.int64)
        self._whose.append(narrow(numbers[which]))
        for name, column in columns.items():
            self._parts.setdefault(name, []).append(narrow(column))
        self._rows += len(which)
        if self._rows >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Press what waits."""
        if not self._rows:
            return
        whose = narrow(np.concatenate(self._whose).astype(np.int64))
        order = np.argsort(whose, kind="stable")
        columns = {name: np.concatenate(parts)[order] for name, parts in self._parts.items()}
        self._whose, self._parts, self._rows = [], {}, 0
        names, sorted_whose = list(self._known), whose[order]
        edges = [0, *(np.flatnonzero(sorted_whose[1:] != sorted_whose[:-1]) + 1).tolist(), len(order)]
        for begin, end in pairwise(edges):
            mine = {name: column[begin:end].astype(np.int64) for name, column in columns.items()}
            self._pressing.add(*names[int(sorted_whose[begin])], mine)
