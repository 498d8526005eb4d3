"""Evidence packs: a folder from which either party settles the same figures, without agent or ledger (SLA R18).

    write_pack(folder, agreement, records, exclusions, period=…, until_ns=…, links=…)
    pack = read_pack(folder)          agreement, exclusions, records; pack.read(endpoint) feeds a report
    verify_pack(folder) -> Checked, records    links, loose records, breaks with their place
    links_of_ledger(links) -> links   the ledger's own links for a pack

Rules: `agreement.yaml` is what configuration loads, `exclusions.json` and `intervals.csv` are as docs/interface.md
says, `chain.json` may be absent: then the figures are computed all the same, and are "unchained". Whoever exports
gives whole hours, and as much time around the period as outages over its edges and rolling windows reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from netsla.config import dump_agreement, load_agreement
from netsla.errors import NetslaError
from netsla.model import SECOND, Agreement
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import threshold_us
from netsla.sla.recorded import ABSENT, NUMBERS, Recorded, check_grid
from netsla.sla.tally import Column
from netsla.store.interval_csv import read_intervals, thresholds_of
from netsla.store.interval_text import write_intervals
from netsla.store.layout import Lane
from netsla.store.pack_chain import (
    FILES,
    LATENCY,
    PackChain,
    PackLink,
    dump,
    file_digests,
    load,
    make_links,
)
from netsla.store.pack_chain import Lane as PackLane
from netsla.store.pack_check import Checked, LinkCheck
from netsla.store.pack_exclusions import read_exclusions, write_exclusions
from netsla.store.pack_latency import Counts, read_latencies, write_latencies
from netsla.store.pressed import Records
from netsla.store.series import Series
from netsla.store.stored import Link

AGREEMENT, EXCLUSIONS, INTERVALS = FILES
CHAIN = "chain.json"
T = TypeVar("T")
Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]  # shows how far long work is: tell(done, of)


@contextmanager
def no_bar(_what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows nothing."""
    yield lambda _done, _of: None


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A pack as read; `chain` None: unchained."""

    folder: Path
    agreement: Agreement
    exclusions: tuple[Exclusion, ...]
    records: Records
    chain: PackChain | None
    latencies: Counts = field(default_factory=dict)

    def read(self, endpoint: str) -> Sequence[Recorded]:
        """The records of one endpoint: what `settle_agreement` asks for."""
        return self.records.of(endpoint)


def read_pack(folder: Path, bar: Bar = no_bar, given: Records | None = None) -> Pack:
    """Read a pack; raises ConfigError (agreement), NetslaError with file and place: every file's mistakes at once.

    `given` are its records, if they were read before.
    """
    if not folder.is_dir():
        raise NetslaError(f"there is no folder {folder}", "name the folder that holds intervals.csv")
    agreement = load_agreement(folder / AGREEMENT)
    mistakes: list[NetslaError] = []
    records = _collected(mistakes, lambda: given if given is not None else _records(folder, bar), Records({}))
    for check in (_check_endpoints, _check_probes, _check_lengths):
        _collected(mistakes, partial(check, agreement, records), None)
    nobody: tuple[Exclusion, ...] = ()
    exclusions = _collected(
        mistakes, lambda: _readable(lambda: read_exclusions(folder / EXCLUSIONS, agreement)), nobody
    )
    no_counts: Counts = {}
    latencies = _collected(mistakes, lambda: _readable(lambda: read_latencies(folder / LATENCY)), no_counts)
    sealed = _collected(mistakes, lambda: load(folder / CHAIN) if (folder / CHAIN).exists() else None, None)
    if len(mistakes) > 1:
        raise NetslaError("\n".join(str(one) for one in mistakes))
    if mistakes:
        raise mistakes[0]
    return Pack(folder, agreement, exclusions, records, sealed, latencies)


def lacking(pack: Pack) -> list[str]:
    """What a reader might expect to count here and does not: records of strange probes, columns that are missing."""
    probes = {(endpoint.id, spec.name) for endpoint in pack.agreement.endpoints for spec in endpoint.probes}
    strange = sorted(set(pack.records.names) - probes)
    known = thresholds_of(pack.folder / INTERVALS)
    found: dict[int, set[str]] = {}
    for objective in (one for endpoint in pack.agreement.endpoints for one in endpoint.objectives):
        limit = threshold_us(objective) if objective.percent is not None else None
        if limit is not None and limit not in known:
            found.setdefault(limit, set()).add(objective.id)
    told = [f"{INTERVALS} has no column le_{us}, which {', '.join(sorted(ids))} needs" for us, ids in found.items()]
    told += [f"{INTERVALS}: {'/'.join(name)} is no probe of {AGREEMENT}: it counts for nothing" for name in strange[:5]]
    if not any(endpoint.objectives for endpoint in pack.agreement.endpoints):
        told.append(f"{AGREEMENT} promises nothing: a pack's has the plan's objectives written into it")
    return told


def _records(folder: Path, bar: Bar) -> Records:
    with bar(f"reading {folder.name}/{INTERVALS}") as tell:
        return _readable(lambda: read_intervals(folder / INTERVALS, tell))


def _collected(mistakes: list[NetslaError], read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except NetslaError as error:
        mistakes.append(error)
        return otherwise


def _check_endpoints(agreement: Agreement, records: Records) -> None:
    known = {endpoint.id for endpoint in agreement.endpoints}
    strange = sorted({endpoint for endpoint, _ in records.names} - known)
    if strange:
        names = ", ".join(map(repr, strange[:5])) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
        which = f"endpoint {names} is" if len(strange) == 1 else f"endpoints {names} are"
        raise NetslaError(f"{INTERVALS}: {which} not in {AGREEMENT}", f"it names {', '.join(sorted(known)[:5])}")


def _check_probes(agreement: Agreement, records: Records) -> None:
    """Records that no probe of the agreement claims would silently count as nothing."""
    found: dict[str, set[str]] = {}
    for endpoint_id, probe in records.names:
        found.setdefault(endpoint_id, set()).add(probe)
    for endpoint in agreement.endpoints:
        names = {spec.name for spec in endpoint.probes}
        if endpoint.id in found and not found[endpoint.id] & names:
            strange = f"{endpoint.id}/{min(found[endpoint.id])}"
            raise NetslaError(
                f"{INTERVALS}: {strange} is no probe of {AGREEMENT}", f"it names {', '.join(sorted(names))}"
            )


def _check_lengths(agreement: Agreement, records: Records) -> None:
    """Records have to fit into the intervals of the contract's grid."""
    steps = {endpoint.id: endpoint.uptime.interval_ns // SECOND for endpoint in agreement.endpoints}
    for number, name in enumerate(records.names):
        if name[0] not in steps:
            continue  # told already
        try:
            check_grid(name, *records.grid(number), steps[name[0]])
        except NetslaError as error:
            raise NetslaError(f"{INTERVALS}: {error.problem}", error.remedy) from error


def _readable(read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        raise NetslaError(f"cannot read {error.filename}: {error.strerror}", "check the folder of the pack") from error


def verify_pack(folder: Path, bar: Bar = no_bar) -> tuple[Checked, Records | None]:
    """Hold a pack against its chain; also gives the records, if they could be read.

    A pack without a chain is broken there: nothing speaks for it.
    """
    if not (folder / CHAIN).exists():
        return _unchained(), None
    try:
        made = load(folder / CHAIN)
        records = _records(folder, bar)
        return _check(folder, made, records, bar), records
    except NetslaError as error:
        return Checked(0, 0, (error.problem,)), None


def check_pack(pack: Pack, bar: Bar = no_bar) -> Checked:
    """The same for a pack that was read: its records are not read again."""
    if pack.chain is None:
        return _unchained()
    try:
        return _check(pack.folder, pack.chain, pack.records, bar)
    except NetslaError as error:
        return Checked(0, 0, (error.problem,))


def _unchained() -> Checked:
    return Checked(0, 0, (f"{CHAIN} is missing: the pack is unchained",))


def _check(folder: Path, made: PackChain, records: Records, bar: Bar) -> Checked:
    digests = _readable(lambda: file_digests(folder))
    checking = LinkCheck(made)
    with bar(f"verifying {folder.name}") as tell:
        for number, part in enumerate(records, 1):
            checking.add(part)
            tell(number, len(records))
    checked = checking.checked()
    changed = [name for name in (*FILES, LATENCY) if digests.get(name) != made.files.get(name)]
    told = {one.split(":", 1)[0] for one in checked.breaks}
    whole = [f"{name} is not as it was written" for name in changed if name not in told]
    return replace(checked, breaks=checked.breaks + tuple(whole))


# --- writing ------------------------------------------------------------------------------------------


def write_pack(
    folder: Path,
    agreement: Agreement,
    records: Iterable[Recorded],
    exclusions: Iterable[Exclusion] = (),
    *,
    period: str = "",
    until_ns: int | None = None,
    links: Sequence[PackLink] | None = None,
    latencies: Counts | None = None,
) -> PackChain:
    """Write a pack into a folder, made if need be; `links` None: chain the records as they are given here.

    `latencies` over the period give percentiles their value; verdicts need none.
    """
    kept = sorted(records, key=lambda part: (part.endpoint, part.probe))
    thresholds = sorted({limit for part in kept for limit in part.within})
    return stream_pack(
        folder, agreement, kept, exclusions, thresholds=thresholds, period=period, until_ns=until_ns,
        links=lambda: tuple(links) if links is not None else make_links(agreement.id, kept), latencies=latencies,
    )  # fmt: skip


def stream_pack(
    folder: Path,
    agreement: Agreement,
    records: Iterable[Recorded],
    exclusions: Iterable[Exclusion],
    *,
    thresholds: Sequence[int],
    period: str,
    until_ns: int | None,
    links: Callable[[], Sequence[PackLink]],
    latencies: Counts | None,
) -> PackChain:
    """The same with records that come one by one, in order of (endpoint, probe), and with no others `thresholds` (us).

    `links` is asked, and `latencies` looked at, when all records are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / AGREEMENT).write_text(dump_agreement(agreement), encoding="utf-8")
    write_exclusions(folder / EXCLUSIONS, exclusions)
    write_intervals(folder / INTERVALS, records, thresholds)
    if latencies:
        write_latencies(folder / LATENCY, latencies)
    made = PackChain(agreement.id, period, until_ns, file_digests(folder), tuple(links()))
    (folder / CHAIN).write_text(dump(made), encoding="utf-8")
    return made


def links_of_ledger(links: Iterable[Link]) -> tuple[PackLink, ...]:
    """The ledger's links as a pack carries them."""
    known: dict[tuple[Lane, ...], tuple[PackLane, ...]] = {}  # the same few for all hours
    return tuple(
        PackLink(one.hour, one.seconds, _named(one.lanes, known), one.previous, one.figures, one.stored, one.hash)
        for one in links
    )


def _named(lanes: tuple[Lane, ...], known: dict[tuple[Lane, ...], tuple[PackLane, ...]]) -> tuple[PackLane, ...]:
    if lanes not in known:
        known[lanes] = tuple((lane.endpoint, lane.probe, lane.thresholds_us) for lane in lanes)
    return known[lanes]


def records_of_ledger(series: Iterable[Series]) -> list[Recorded]:
    """The ledger's series as records, one per probe: lanes that differ only in thresholds are joined."""
    parts: dict[tuple[str, str], list[Recorded]] = {}
    for one in series:
        parts.setdefault((one.lane.endpoint, one.lane.probe), []).append(_recorded(one))
    return [_joined(parts[name]) for name in sorted(parts)]


def _recorded(one: Series) -> Recorded:
    m = one.matrix
    within = {limit: m[Column.LE + n] for n, limit in enumerate(one.lane.thresholds_us)}
    return Recorded(
        one.lane.endpoint, one.lane.probe, one.start, one.seconds, m[Column.SENT], m[Column.RECEIVED],
        m[Column.UNMEASURED], m[Column.LATE], m[Column.DUPLICATE], m[Column.RTT_SUM], one.rtt_min_us, one.rtt_max_us,
        m[Column.JITTER_SUM], m[Column.JITTER_PAIRS], one.reason, within,
    )  # fmt: skip


def _joined(parts: list[Recorded]) -> Recorded:
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([part.start_s for part in parts]), kind="stable")
    names = (*NUMBERS, "reason")
    columns = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    limits = sorted({limit for part in parts for limit in part.within})
    within = {
        limit: np.concatenate([part.within.get(limit, np.full(len(part), ABSENT, np.int64)) for part in parts])[order]
        for limit in limits
    }
    return Recorded.of(parts[0].endpoint, parts[0].probe, columns, within)
