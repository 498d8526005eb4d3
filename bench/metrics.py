"""Reading what exporters tell: sums and histograms of a text page of Prometheus.

Rules: pure. A page may hold a million lines, so only lines of the family asked for are looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

_BOUND = re.compile(r'le="([^"]+)"')
Histogram = dict[float, float]  # upper bound in seconds -> cumulative count


def total(page: str, name: str) -> float:
    """The sum over every series of a name; 0 if there is none."""
    return math.fsum(value for _, value in _series(page, name))


def histogram(page: str, name: str) -> Histogram:
    """The buckets of a histogram, added up over its series."""
    buckets: Histogram = {}
    for labels, value in _series(page, f"{name}_bucket"):
        match = _BOUND.search(labels)
        if match:
            bound = float(match[1])
            buckets[bound] = buckets.get(bound, 0.0) + value
    return dict(sorted(buckets.items()))


def since(now: Histogram, then: Histogram) -> Histogram:
    """What came between two readings."""
    return {bound: count - then.get(bound, 0.0) for bound, count in now.items()}


def quantile_bound(buckets: Histogram, ratio: float) -> float:
    """The smallest bound that holds at least this share: the quantile is no larger. NaN without observations."""
    counts = list(buckets.items())
    if not counts or counts[-1][1] <= 0:
        return math.nan
    wanted = ratio * counts[-1][1]
    return next(bound for bound, count in counts if count >= wanted)


def _series(page: str, name: str) -> Iterator[tuple[str, float]]:
    """(labels, value) of each line of exactly this name."""
    start = 0 if page.startswith(name) else page.find(f"\n{name}") + 1
    while start or page.startswith(name):
        end = page.find("\n", start)
        line = page[start : end if end >= 0 else len(page)]
        rest = line[len(name) :]
        if rest[:1] in ("{", " "):
            labels, _, value = rest.rpartition("} ") if rest[0] == "{" else ("", "", rest)
            yield labels, float(value.split()[0])
        found = page.find(f"\n{name}", start)
        if found < 0:
            return
        start = found + 1
