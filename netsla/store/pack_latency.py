"""`latency.csv` of an evidence pack: how many round trips fell into each bucket over the period, by probe.

    read_latencies(path) -> counts by (endpoint, probe)            raises NetslaError with the line
    write_latencies(path, counts)

Rules: for display only; verdicts need none of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netsla.errors import NetslaError
from netsla.model import IntArray
from netsla.sla.histogram import BUCKETS

Counts = Mapping[tuple[str, str], IntArray]  # by (endpoint, probe), BUCKETS counts each
HEAD = ("endpoint", "probe", "bucket", "count")
_MOST = 2**31  # replies in one bucket


def read_latencies(path: Path) -> Counts:
    """Histograms over the period; none if the file is absent. Raises OSError as well."""
    if not path.exists():
        return {}
    found: dict[tuple[str, str], IntArray] = {}
    rows = csv.DictReader(path.read_bytes().decode("utf-8-sig", "replace").splitlines())
    try:
        for row in rows:
            bucket, count = int(row["bucket"]), int(row["count"])
            counts = found.setdefault((row["endpoint"], row["probe"]), np.zeros(BUCKETS, np.int64))
            sound = 0 <= bucket < BUCKETS and 0 <= count < _MOST and not counts[bucket]
            counts[bucket if sound else BUCKETS] = count  # beyond the last: an IndexError
    except (KeyError, TypeError, ValueError, IndexError, csv.Error) as error:
        problem = f"{path.name}: line {rows.line_num}: no latency count, or there already"
        raise NetslaError(problem, f"write {','.join(HEAD)}") from error
    return found


def write_latencies(path: Path, latencies: Counts) -> None:
    """One line per bucket that holds something."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HEAD)
        for (endpoint, probe), counts in sorted(latencies.items()):
            out.writerows((endpoint, probe, bucket, counts[bucket]) for bucket in np.flatnonzero(counts).tolist())
