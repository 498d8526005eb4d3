"""Holding a process's main thread, as a slow import, a large reload or a bug would."""

from __future__ import annotations

import itertools
import time

HELD_SECONDS = 0.5
FREE_SECONDS = 0.1  # between two holds
_STRETCH = 100_000  # additions in one look at the clock: about a millisecond


def hold(how: str) -> None:
    """Keep this thread busy for half a second: by Python code (`loop`), or in one C call (`interpreter`).

    Python code gives other threads their turns; a C call that keeps the interpreter gives them none.
    """
    if how == "interpreter":
        sum(itertools.repeat(1, int(HELD_SECONDS * _additions_per_second())))
        return
    end = time.monotonic() + HELD_SECONDS
    while time.monotonic() < end:
        pass


def _additions_per_second() -> float:
    """How fast one C call counts here, right now."""
    start = time.perf_counter()
    sum(itertools.repeat(1, _STRETCH))
    return _STRETCH / (time.perf_counter() - start)
