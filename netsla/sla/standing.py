"""What an interval was: GOOD, BAD or UNKNOWN, from its counters (SLA section 1).

Rules: integers only. An interval is BAD iff its loss exceeds the contract's limit strictly; UNKNOWN iff too
few probes left, or the measurement is suspect. A probe that could not be measured has no vote on its endpoint.

    interval_standing(sent, received, rule, suspect=None) -> int8 array, shape of `sent`
    combine_probes(standings, feed="any") -> int8 array; `standings` (deciding probes, …)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, UptimeRule

Standings = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]

GOOD, BAD, UNKNOWN, EXCLUDED = np.int8(1), np.int8(0), np.int8(-1), np.int8(-2)
"""Standings; EXCLUDED is what an agreement's calendar makes of an interval, whatever was in it."""


def interval_standing(
    sent: IntArray, received: IntArray, rule: UptimeRule, suspect: BoolArray | None = None
) -> Standings:
    """Standing of each interval: BAD iff (S-R)*den > num*S, or iff R = 0 for `all_lost` (profile google120).

    `suspect` marks intervals that cannot be vouched for. At least one probe must have left, whatever
    `min_samples` says: a ratio of nothing does not exist.
    """
    if rule.all_lost:
        bad = received == 0
    else:
        bad = (sent - received) * rule.loss_over.denominator > rule.loss_over.numerator * sent
    unknown = sent < max(rule.min_samples, 1)
    if suspect is not None:
        unknown = unknown | suspect
    standing: Standings = np.where(unknown, UNKNOWN, np.where(bad, BAD, GOOD)).astype(np.int8)
    return standing


def combine_probes(standings: Standings, feed: str = "any") -> Standings:
    """An endpoint's standing from its deciding probes, along the first axis.

    `any` (and a single named probe): one GOOD proves that it can be reached; BAD if every known one is BAD.
    `all`: one BAD is enough; GOOD if every known one is GOOD. UNKNOWN if none is known. Probes that are UNKNOWN
    abstain in both: were they to veto, one probe that our host cannot send (no descriptors, a port in use)
    would make an outage that the other probe proves invisible (`any`), or erase all time (`all`). What makes
    all of them doubtful at once (clock, local fault) makes the endpoint UNKNOWN anyhow.
    """
    good, bad = (standings == GOOD).any(axis=0), (standings == BAD).any(axis=0)
    if feed == "all":
        return np.where(bad, BAD, np.where(good, GOOD, UNKNOWN)).astype(np.int8)
    return np.where(good, GOOD, np.where(bad, BAD, UNKNOWN)).astype(np.int8)
