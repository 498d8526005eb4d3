"""Alerts: what becomes of verdicts over time, who has to hear of it, and who need not because the cause is known.

Rules: pure; `step` is called after every judgement and gives the changes, each once. An alert carries the *onset* (send
time of the first failure of the run that led to it) and, when it ends, the send time of the first good sample.
While the agent is isolated nothing changes. A change whose cause is known (most endpoints failed at once, a vendor
agreement below it is in breach, an exclusion is in force, a person muted it) is recorded but not told; what still
fails when the cause is gone is told then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, Metric
from netsla.sla.budgets import Budgets, Warned
from netsla.sla.early import Early
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.objective import BREACHED, MET, OF_TIME, Verdicts
from netsla.sla.onset import Onsets
from netsla.sla.own import MASS, UNMEASURED, OwnAlerts, OwnTurn
from netsla.sla.reaction import Reactions
from netsla.sla.runs import Runs
from netsla.sla.silence import Silence, Silences

EXCLUDED = "excluded"
REMOVED = "removed"  # the configuration promises this no more
_UPDATE_NS = 3600 * SECOND  # an open breach tells how bad it is now at most once an hour
_WORSE = 1.1
_CLOSE_NS = 3 * SECOND  # an interval closes a second after the last reply may come (SLA R1), and is judged each second
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Breach:
    """An open alert of one objective. `told` is False while its cause is known; times are UTC ns."""

    onset_ns: int
    decided_ns: int
    worst: float
    updated_ns: int
    cause: str = ""
    told: bool = True
    acknowledged: tuple[str, str, int] | None = None  # who, why, when
    muted_until_ns: int = 0
    details: Mapping[str, int] = field(default_factory=dict)  # of a forecast: what it was opened on


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an objective: kind as in docs/interface.md, section 5.

    `number` is the objective's, -1 for the agent's own alerts, which `name` names.
    """

    kind: str
    number: int
    now_ns: int
    onset_ns: int
    ended_ns: int | None = None
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    coverage: float = float("nan")
    conclusive: bool = False
    cause: str = ""
    told: bool = True
    name: str = ""
    acknowledged: tuple[str, str, int] | None = None
    details: Mapping[str, int] = field(default_factory=dict)


class Alerts:
    """The alerts of a fleet."""

    def __init__(self) -> None:
        self.breaches: dict[int, Breach] = {}  # open ones, by objective number
        self.own = OwnAlerts()
        self.budgets = Budgets()
        self._reactions = Reactions()
        self._silences = Silences()
        self._onsets = Onsets()
        self._orphans: list[Change] = []  # the ends of what stood open of objectives that are gone
        self._fleet: Fleet | None = None
        self._by_number: dict[int, FleetObjective] = {}
        self._numbers = np.zeros(0, np.int64)
        self._endpoint = np.zeros(0, np.int64)  # whose it is: the endpoint's place
        self._early: BoolArray = np.zeros(0, bool)  # reacts before its verdict does: burn, forecast
        self._quiet_ns = np.zeros(0, np.int64)  # no_data_after, 0: never
        self._since_ns = np.zeros(0, np.int64)  # when the number began
        self._lowers: dict[str, tuple[str, ...]] = {}  # agreement -> those it depends on, where there are any
        self._broken: set[str] = set()  # agreements with an open breach, as far as anybody depends on one

    # --- layout -------------------------------------------------------------------------------------

    def load(self, fleet: Fleet, now_ns: int) -> None:
        """Take a new layout; what stands open goes on under the same name, or ends with its objective."""
        before, breaches, silences = self._by_number, self.breaches, self._silences
        self.breaches, self._silences = {}, Silences()
        known = set(self._by_number) - set(fleet.gone_numbers)
        self._fleet, self._by_number = fleet, {one.number: one for one in fleet.objectives}
        self._reactions.cover(fleet.numbers)
        self.budgets.cover(fleet.numbers)
        self._since_ns = np.pad(self._since_ns, (0, fleet.numbers - len(self._since_ns)))
        for one in fleet.objectives:
            fresh = one.number not in known
            if fresh:
                self._since_ns[one.number] = now_ns
                self.budgets.forget(one.number)
            interval_ns = one.endpoint.endpoint.uptime.interval_ns
            self._reactions.begin(one.number, one.objective, interval_ns, _target(one), fresh=fresh)
        self._lay_out(fleet)
        heir = self._heirs(before, known) if breaches or silences.open else {}
        self._carry_over(heir, breaches, silences, now_ns)

    def _heirs(self, before: Mapping[int, FleetObjective], known: set[int]) -> dict[int, int]:
        """Who goes on for whom: an objective whose terms were changed keeps its name, and so its open alerts."""
        named = {names_of(one): number for number, one in self._by_number.items()}
        pairs = ((old, old if old in known else named.get(names_of(one))) for old, one in before.items())
        return {
            old: new
            for old, new in pairs
            if new in self._by_number and self._by_number[new].objective.metric is before[old].objective.metric
        }

    def _carry_over(
        self, heir: Mapping[int, int], breaches: Mapping[int, Breach], silences: Silences, now_ns: int
    ) -> None:
        for number, one in breaches.items():
            if number in heir:
                self.breaches[heir[number]], self._reactions.firing[heir[number]] = one, True
                continue
            end = Change("closed", number, now_ns, one.onset_ns, now_ns, cause=one.cause or REMOVED, told=one.told)
            self._orphans.append(replace(end, acknowledged=one.acknowledged, details=one.details))
        for number, silence in silences.open.items():
            if number in heir:
                self._silences.open[heir[number]] = silence
                self._since_ns[heir[number]] = silence.since_ns
                continue
            since, told = silence.since_ns, not silence.cause
            self._orphans.append(Change("data_back", number, now_ns, since, now_ns, cause=REMOVED, told=told))

    def _lay_out(self, fleet: Fleet) -> None:
        self._numbers = np.array([one.number for one in fleet.objectives], np.int64)
        kinds = [one.objective.reaction.type for one in fleet.objectives]
        self._early = np.array([kind in ("burn", "forecast") for kind in kinds], bool)
        self._endpoint = np.array([one.endpoint.place for one in fleet.objectives], np.int64)
        self._quiet_ns = np.array([one.objective.no_data_after_ns or 0 for one in fleet.objectives], np.int64)
        self._lowers = {one.agreement.id: on for one in fleet.endpoints if (on := one.agreement.depends_on)}
        self._onsets.load(fleet)
        self.own.load(fleet)

    # --- time ---------------------------------------------------------------------------------------

    def step(
        self, now_ns: int, verdicts: Verdicts, runs: Runs, *, isolated: bool, excluded: BoolArray | None = None,
        early: Early | None = None,
    ) -> list[Change]:  # fmt: skip
        """What has changed.

        `excluded` says per objective (in the fleet's order) whether its time is excluded now.
        """
        if self._fleet is None:
            return []
        turned = self.own.look(now_ns, runs, silent=isolated)
        changes, self._orphans = self._orphans + [_of_our_own(one, now_ns) for one in turned], []
        if self.own.isolated:
            return changes
        numbers = self._numbers
        standing = verdicts.standing[numbers]
        bad, known = standing == BREACHED, (standing == BREACHED) | (standing == MET)
        if early is not None:
            bad = np.where(self._early, early.bad[numbers], bad)
            known = np.where(self._early, early.known[numbers], known)
        if self.own.doubtful:
            known &= ~bad | self._reactions.firing[numbers]
        opening, closing = self._reactions.step(now_ns, numbers, bad, known, verdicts.value[numbers])
        warning = self.budgets.due(early, now_ns) if early is not None else []
        if len(opening) or len(closing) or self.breaches or len(warning):
            quiet = set(numbers[excluded].tolist()) if excluded is not None else set()
            ended = self._close([n for n in closing.tolist() if n in self.breaches], now_ns, verdicts, runs)
            self._broken = {self._by_number[n].endpoint.agreement.id for n in self.breaches} if self._lowers else set()
            begun = self._open(self._vendors_first(opening.tolist()), now_ns, verdicts, runs, quiet)
            changes += self._told_ahead(ended + begun + self._go_on(now_ns, verdicts, runs, quiet), early)
            changes += [self._warn(n, now_ns, verdicts, runs, quiet, early) for n in warning if early]
        return changes + self._watch_data(now_ns, verdicts, runs, excluded)

    def _told_ahead(self, changes: list[Change], early: Early | None) -> list[Change]:
        """Those of a forecast say what they expect; it goes with the breach while it is open."""
        for at, one in enumerate(changes):
            if early is None or self._by_number[one.number].objective.reaction.type != "forecast":
                continue
            changes[at] = replace(one, details=early.details(one.number))
            if one.number in self.breaches:
                self.breaches[one.number] = replace(self.breaches[one.number], details=changes[at].details)
            else:
                changes[at] = replace(changes[at], ended_ns=one.now_ns)  # the outage may be days past
        return changes

    # --- error budgets ------------------------------------------------------------------------------

    def _warn(
        self, number: int, now_ns: int, verdicts: Verdicts, runs: Runs, quiet: set[int], early: Early
    ) -> Change:  # fmt: skip
        """Each share once a period; where its cause is known it is recorded only, as everything else."""
        breach = self.breaches.get(number)
        cause = self._cause(number, quiet, now_ns)
        onset = breach.onset_ns if breach else self._onsets.begun([number], runs)[0] or now_ns
        told = not cause and (breach is None or now_ns >= breach.muted_until_ns)
        self.budgets.tell(number, Warned(float(early.level[number]), now_ns, int(early.end_ns[number]), not cause))
        details = {**early.details(number), "budget_warning_percent": int(early.level[number] * 100)}
        change = self._change("updated", number, now_ns, onset, verdicts, cause=cause, told=told)
        return replace(change, details=details)

    # --- breaches -----------------------------------------------------------------------------------

    def _vendors_first(self, numbers: list[int]) -> list[int]:
        """What others depend on is opened first, so that it is known as their cause."""
        below = {name for names in self._lowers.values() for name in names}
        return sorted(numbers, key=lambda n: self._by_number[n].endpoint.agreement.id not in below)

    def _open(self, numbers: list[int], now_ns: int, verdicts: Verdicts, runs: Runs, quiet: set[int]) -> list[Change]:
        changes = []
        for number, began in zip(numbers, self._onsets.begun(numbers, runs), strict=True):
            onset, cause, value = began or now_ns, self._cause(number, quiet, now_ns), float(verdicts.value[number])
            self.breaches[number] = Breach(onset, now_ns, value, now_ns, cause, told=not cause)
            self._broken.add(self._by_number[number].endpoint.agreement.id)
            changes.append(self._change("opened", number, now_ns, onset, verdicts, cause=cause, told=not cause))
        return changes

    def _close(self, numbers: list[int], now_ns: int, verdicts: Verdicts, runs: Runs) -> list[Change]:
        changes = []
        for number, end in zip(numbers, self._onsets.ended(numbers, runs), strict=True):
            breach = self.breaches.pop(number)
            told = breach.told and now_ns >= breach.muted_until_ns
            told |= breach.told and breach.muted_until_ns > 0  # an end is always told of what was told as begun
            ended = max(end or now_ns, breach.onset_ns)
            changes.append(
                self._change(
                    "closed", number, now_ns, breach.onset_ns, verdicts, ended_ns=ended, cause=breach.cause, told=told
                )
            )
        return changes

    def _go_on(self, now_ns: int, verdicts: Verdicts, runs: Runs, quiet: set[int]) -> list[Change]:
        """Open ones: those whose cause is gone are told now, those that grew worse say so, once an hour at most."""
        changes = []
        recovered = set() if MASS in self.own.open else self._recovered(runs)
        for number, breach in self.breaches.items():
            value = float(verdicts.value[number])
            if not breach.told and not self._cause(number, quiet, now_ns):
                if number in recovered:
                    continue
                self.breaches[number] = replace(breach, told=True, cause="")
                changes.append(self._change("opened", number, now_ns, breach.onset_ns, verdicts))
            elif self._is_worse(number, value, breach, now_ns):
                self.breaches[number] = replace(breach, worst=value, updated_ns=now_ns)
                told = breach.told and now_ns >= breach.muted_until_ns
                changes.append(self._change("updated", number, now_ns, breach.onset_ns, verdicts, told=told))
        return changes

    def _is_worse(self, number: int, value: float, breach: Breach, now_ns: int) -> bool:
        if now_ns - breach.updated_ns < _UPDATE_NS or value != value or breach.worst != breach.worst:  # noqa: PLR0124 - NaN
            return False
        if self._by_number[number].objective.target.at_least:
            return 1 - value > (1 - breach.worst) * _WORSE
        return value > breach.worst * _WORSE

    def _watch_data(self, now_ns: int, verdicts: Verdicts, runs: Runs, excluded: BoolArray | None) -> list[Change]:
        """Objectives that want to hear when nothing is measured; where the cause is known it is recorded only."""
        wanting = np.flatnonzero(self._quiet_ns)
        numbers, quiet_ns = self._numbers[wanting], self._quiet_ns[wanting]
        known = self._onsets.last_known(wanting, runs)
        begun = self._since_ns[numbers]
        turned = self.own.unmeasured(now_ns, self._endpoint[wanting], known, begun, quiet_ns)
        newest = np.maximum(known, begun)
        causes = np.full(len(wanting), UNMEASURED if UNMEASURED in self.own.open else "", "<U10")
        if excluded is not None:
            causes[excluded[wanting]] = EXCLUDED
        return [_of_our_own(one, now_ns) for one in turned] + [
            self._change(
                "no_data" if one.ended_ns is None else "data_back", one.number, now_ns, one.onset_ns, verdicts,
                ended_ns=one.ended_ns, cause=one.cause, told=not one.cause,
            )
            for one in self._silences.watch(numbers, newest, now_ns - newest > quiet_ns, causes)
        ]  # fmt: skip

    # --- cause --------------------------------------------------------------------------------------

    def _recovered(self, runs: Runs) -> set[int]:
        """Of those recorded for a mass failure, who answers again: they only wait for their windows to forget."""
        numbers = [number for number, breach in self.breaches.items() if breach.cause == MASS and not breach.told]
        return self._onsets.answering(numbers, runs)

    def _cause(self, number: int, quiet: set[int], now_ns: int) -> str:
        """Why this need not be told now; "" if it must."""
        if number in quiet:
            return EXCLUDED
        if MASS in self.own.open or self._mass_still_booked(number, now_ns):
            return MASS
        wanted = self._lowers.get(self._by_number[number].endpoint.agreement.id, ())
        if not wanted:
            return ""
        return next((name for name in wanted if name in self._broken), "")

    def _mass_still_booked(self, number: int, now_ns: int) -> bool:
        """Time is judged when its interval closes: the last of a mass failure when that is over already."""
        one = self._by_number[number]
        if one.objective.metric not in OF_TIME or self._fleet is None:
            return False
        late_ns = one.endpoint.endpoint.uptime.interval_ns + self._fleet.timeout_ns + _CLOSE_NS
        return now_ns < self.own.mass_end_ns + late_ns

    def _change(
        self, kind: str, number: int, now_ns: int, onset_ns: int, verdicts: Verdicts, *, ended_ns: int | None = None,
        cause: str = "", told: bool = True,
    ) -> Change:  # fmt: skip
        v = verdicts
        breach = self.breaches.get(number)
        return Change(
            kind, number, now_ns, onset_ns, ended_ns, float(v.value[number]), float(v.low[number]),
            float(v.high[number]), float(v.coverage[number]), bool(v.conclusive[number]), cause, told,
            acknowledged=breach.acknowledged if breach else None, details=breach.details if breach else {},
        )  # fmt: skip

    # --- people -------------------------------------------------------------------------------------

    def find(self, agreement: str, endpoint: str, objective: str) -> int | None:
        """The number of an objective by its names."""
        names = (agreement, endpoint, objective)
        found = (n for n, one in self._by_number.items() if names_of(one) == names)
        return next(found, None)

    def acknowledge(
        self, number: int, by: str, why: str, now_ns: int, verdicts: Verdicts, *, mute_ns: int = 0
    ) -> Change | None:
        """A person sees to an open breach; None if there is none."""
        breach = self.breaches.get(number)
        if breach is None:
            return None
        until = now_ns + mute_ns if mute_ns else breach.muted_until_ns
        self.breaches[number] = replace(breach, acknowledged=(by, why, now_ns), muted_until_ns=until)
        return self._change("updated", number, now_ns, breach.onset_ns, verdicts, told=breach.told)

    # --- restart ------------------------------------------------------------------------------------

    def restore(
        self, breaches: Mapping[int, Breach], silent: Mapping[int, Silence], own: Iterable[tuple[str, int]],
        warned: Mapping[int, Warned] = MappingProxyType({}), mass_end_ns: int = 0,
    ) -> None:  # fmt: skip
        """Go on with alerts that were open when another agent ended, and with what was told of error budgets."""
        for number, one in warned.items():
            if number in self._by_number:
                self.budgets.tell(number, one)
        for number, breach in breaches.items():
            if number in self._by_number:
                self.breaches[number] = breach
                self._reactions.firing[number] = True
        for number, silence in silent.items():
            if number in self._by_number:
                self._silences.open[number], self._since_ns[number] = silence, silence.since_ns
        self.own.restore(own, mass_end_ns)

    @property
    def silent(self) -> Mapping[int, Silence]:
        """Objectives without data for longer than they allow."""
        return self._silences.open


def _of_our_own(turn: OwnTurn, now_ns: int) -> Change:
    kind = "opened" if turn.ended_ns is None else "closed"
    return Change(kind, -1, now_ns, turn.onset_ns, turn.ended_ns, name=turn.name, details=turn.details)


def names_of(one: FleetObjective) -> tuple[str, str, str]:
    """(agreement, endpoint, objective): an objective's name for ever."""
    return one.endpoint.agreement.id, one.endpoint.endpoint.id, one.objective.id


def _target(one: FleetObjective) -> float:
    ratio = one.objective.metric in (Metric.UPTIME, Metric.PACKET_DELIVERY)
    return float(one.objective.target.value) / (1 if ratio else 1e9)
