"""Where a report's figures come from: the ledger of an agent, or an evidence pack. Both answer alike.

    with open_ledger(path, agreement, period) as source: …        source.settle() -> Report
    source = open_pack(folder, period text)

Rules: the same records give the same report, to the bit: endpoints are settled in order of name, with the same time
around the period: back far enough for rolling windows, chronic rules and outages that began before, and on until
outages that began in it have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from netsla.errors import NetslaError
from netsla.model import SECOND, Agreement, IntArray
from netsla.sla.calendar import Period, month_spans, parse_period
from netsla.sla.exclusion import Exclusion
from netsla.sla.period import period_around
from netsla.sla.recorded import Recorded
from netsla.sla.report import Histogram, Read, Report, Watch, settle_agreement
from netsla.store.archive import Archive, Look
from netsla.store.evidence import (
    Bar,
    Pack,
    check_pack,
    lacking,
    links_of_ledger,
    no_bar,
    read_pack,
    records_of_ledger,
)
from netsla.store.exclusions import in_force
from netsla.store.layout import Lane
from netsla.store.pack_chain import PackLink
from netsla.store.pack_check import Checked, broken_links
from netsla.store.pack_latency import Counts
from netsla.store.passage import Passage, links_between
from netsla.store.pressed import Records
from netsla.store.series import Series

_DAY = 86_400 * SECOND
_BEFORE, _AFTER = 7 * _DAY, 2 * _DAY  # outages over the edges
_HOUR = 3600 * SECOND
_FRESH = 300 * SECOND  # the newest interval of a running agent is never older
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Everything that settles one agreement; `unchained` says why no hash chain stands behind it, "" if one does.

    `links` gives the chain of all that `read` reads; `latencies` is whole for the endpoints that were read.
    """

    agreement: Agreement
    period: Period
    exclusions: tuple[Exclusion, ...]
    read: Read
    until_ns: int | None
    latencies: Counts
    links: Callable[[], Sequence[PackLink]]
    why_unchained: Callable[[], str]
    thresholds: Callable[[], Sequence[int]]  # of all that `read` reads, us, in order
    lacking: Sequence[str] = ()  # what objectives need and the records do not tell

    @property
    def unchained(self) -> str:
        """Asked after settling, it costs next to nothing: what was read has been held against the chain."""
        return self.why_unchained()

    def settle(self, tell: Tell | None = None, watch: Watch | None = None) -> Report:
        """The report."""
        ordered = replace(self.agreement, endpoints=tuple(sorted(self.agreement.endpoints, key=lambda one: one.id)))
        return settle_agreement(
            ordered,
            self.period,
            self.read,
            self.exclusions,
            until_ns=self.until_ns,
            histogram=_histogram_of(self.latencies),
            tell=tell,
            watch=watch,
        )


def context(agreement: Agreement, period: Period) -> tuple[int, int]:
    """[start, end) of what has to be read to settle a period: whole hours, UTC ns."""
    rolling = (o.window.seconds for one in agreement.endpoints for o in one.objectives)
    chronic = [rule.within for rule in agreement.credits.chronic] if agreement.credits else []
    zone = ZoneInfo(agreement.timezone)
    begun = [period_around(within.calendar, zone, period.start_ns)[0] for within in chronic if within.calendar]
    reach = [seconds * SECOND for seconds in (*rolling, *(within.seconds for within in chronic))]
    back = max((_BEFORE, *(ns + _DAY for ns in (*reach, *(period.start_ns - one for one in begun)))))
    return (period.start_ns - back) // _HOUR * _HOUR, -(-(period.end_ns + _AFTER) // _HOUR) * _HOUR


def running_period(agreement: Agreement, now_ns: int) -> Period:
    """The month that is running in the agreement's zone."""
    zone = ZoneInfo(agreement.timezone)
    return parse_period(f"{datetime.fromtimestamp(now_ns // SECOND, UTC).astimezone(zone):%Y-%m}", zone)


# --- ledger -------------------------------------------------------------------------------------------


@contextmanager
def open_ledger(
    path: Path, agreement: Agreement, period: Period, now_ns: int, *, whole: bool = False
) -> Iterator[Source]:
    """A period from a ledger file, also while an agent writes to it; raises sqlite3.Error.

    `whole`: all links that `read` passes are kept, not only those of the period, for whoever asks for them later.
    """
    with Archive(path).open() as look:
        start_ns, end_ns = context(agreement, period)
        inside = (period.start_ns, period.end_ns)
        around = (start_ns, end_ns)
        counted = inside if _has_percentiles(agreement) else None
        passage = Passage(look, agreement.id, *(around if whole else inside), counted)
        yield Source(
            agreement,
            period,
            in_force(look, agreement.id),
            _reader(look, agreement, start_ns, end_ns, passage),
            horizon(look, now_ns),
            passage.latencies,
            lambda: links_of_ledger(passage.links() if whole else links_between(look, agreement.id, *around)),
            lambda: _why_unchained(links_of_ledger(passage.links()), period),
            lambda: _thresholds(look.all_lanes(agreement.id, *around), agreement),
        )


def _why_unchained(links: Sequence[PackLink], period: Period) -> str:
    first, last = period.start_ns // _HOUR, -(-period.end_ns // _HOUR)
    return next(broken_links([link for link in links if first <= link.hour < last]), "") or _unsealed(links, period)


def _thresholds(lanes: Iterable[Lane], agreement: Agreement) -> list[int]:
    """Every latency threshold that endpoints of the agreement were counted with, us."""
    known = {endpoint.id for endpoint in agreement.endpoints}
    return sorted({limit for lane in lanes if lane.endpoint in known for limit in lane.thresholds_us})


def horizon(look: Look, now_ns: int) -> int:
    """How far what is known reaches, in UTC ns: to the newest interval of an agent that runs, else until now.

    That nothing was recorded since an agent ended is known, too: that time is unknown, not to come. It is told by the
    hour, so that two reports in a row say the same.
    """
    last = look.last_interval()
    end_ns = sum(last) * SECOND if last else 0
    return end_ns if now_ns - end_ns < _FRESH else max(end_ns, now_ns // _HOUR * _HOUR)


def _unsealed(links: Sequence[PackLink], period: Period) -> str:
    """Why nothing of the period is in the chain yet, or ""."""
    first, last = period.start_ns // _HOUR, -(-period.end_ns // _HOUR)
    return "" if any(first <= link.hour < last for link in links) else "no hour of the period is sealed yet"


def _has_percentiles(agreement: Agreement) -> bool:
    return any(o.percent is not None for endpoint in agreement.endpoints for o in endpoint.objectives)


def _reader(look: Look, agreement: Agreement, start_ns: int, end_ns: int, passage: Passage) -> Read:
    """Endpoints in order of name, read as they are asked for: a large agreement does not fit into memory."""
    names = {one.id for one in agreement.endpoints}
    stream = look.each(agreement.id, start_ns, end_ns, see=passage.see, endpoints=names)
    ahead: Series | None = None  # of the endpoint after the one that was asked for

    def read(endpoint: str) -> Sequence[Recorded]:
        nonlocal ahead
        mine = []
        series = ahead or next(stream, None)
        while series is not None and series.lane.endpoint <= endpoint:  # less: the agreement no longer has it
            if series.lane.endpoint == endpoint:
                mine.append(series)
            series = next(stream, None)
        ahead = series
        return records_of_ledger(mine)

    return read


def _histogram_of(counts: Counts) -> Histogram:
    def histogram(endpoint: str, probes: tuple[str, ...]) -> IntArray | None:
        mine = [counts[endpoint, probe] for probe in probes if (endpoint, probe) in counts]
        return np.sum(mine, axis=0) if mine else None

    return histogram


# --- pack ---------------------------------------------------------------------------------------------


def open_pack(
    folder: Path, named: str | None, bar: Bar = no_bar, known: tuple[Checked, Records | None] | None = None
) -> Source:
    """A pack's own period unless another is named; raises ConfigError and NetslaError with the place.

    `known` is what `verify_pack` gave, which need not be done again.
    """
    pack = read_pack(folder, bar, known[1] if known else None)
    period = _period_of(pack, named)
    links = pack.chain.links if pack.chain is not None else ()
    why = (*(known[0] if known else check_pack(pack, bar)).breaks, _unsealed(links, period))[0]
    until_ns = pack.chain.until_ns if pack.chain is not None else None
    return Source(
        pack.agreement, period, pack.exclusions, pack.read, until_ns, pack.latencies, lambda: links, lambda: why,
        lambda: sorted({limit for part in pack.records for limit in part.within}), lacking(pack),
    )  # fmt: skip


def _period_of(pack: Pack, named: str | None) -> Period:
    zone = ZoneInfo(pack.agreement.timezone)
    if named or (pack.chain is not None and pack.chain.period):
        return parse_period(named or (pack.chain.period if pack.chain else ""), zone)
    found = _fullest_month(pack, zone)
    if found is None:
        raise NetslaError(f"{pack.folder}: no interval is in the pack, so it holds no period", "name one by --period")
    return found


def _fullest_month(pack: Pack, zone: ZoneInfo) -> Period | None:
    """The month with most records: what a pack without a chain is about, whatever it holds around it."""
    if not pack.records:
        return None
    edges = [starts[[0, -1]] for starts in _starts(pack)]
    first, last = min(int(one[0]) for one in edges), max(int(one[1]) for one in edges)
    months = np.array(month_spans(zone, first * SECOND, (last + 1) * SECOND)) // SECOND
    counts = np.zeros(len(months), np.int64)
    for starts in _starts(pack):
        counts += np.diff(np.searchsorted(starts, months), axis=1)[:, 0]
    return parse_period(f"{datetime.fromtimestamp(int(months[np.argmax(counts), 0]), zone):%Y-%m}", zone)


def _starts(pack: Pack) -> Iterator[IntArray]:
    return (pack.records.grid(number)[0] for number in range(len(pack.records)))
