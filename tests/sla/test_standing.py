"""Standings of intervals (SLA section 1 and 6)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from netsla.model import UptimeRule
from netsla.sla.standing import combine_probes, interval_standing

GOOD, BAD, UNKNOWN = 1, 0, -1


def standing(sent: int, received: int, rule: UptimeRule, *, suspect: bool = False) -> int:
    return int(interval_standing(np.array([sent]), np.array([received]), rule, np.array([suspect]))[0])


@pytest.mark.parametrize(
    ("sent", "received", "limit", "expected"),
    [
        (10, 8, "0.20", GOOD), (10, 7, "0.30", GOOD), (10, 7, "0.20", BAD), (12, 6, "0.50", GOOD), (12, 5, "0.50", BAD),
        (10, 10, "0", GOOD), (10, 9, "0", BAD), (0, 0, "0.50", UNKNOWN),
    ],
)  # fmt: skip
def test_loss_must_exceed_the_limit(sent: int, received: int, limit: str, expected: int) -> None:
    assert standing(sent, received, UptimeRule(loss_over=Fraction(limit))) == expected


def test_all_lost() -> None:
    rule = UptimeRule(all_lost=True)
    assert [standing(60, received, rule) for received in (0, 1, 60)] == [BAD, GOOD, GOOD]


def test_too_few_samples_and_doubt_are_unknown() -> None:
    rule = UptimeRule(min_samples=5)
    assert [standing(sent, 0, rule) for sent in (0, 4, 5)] == [UNKNOWN, UNKNOWN, BAD]
    assert standing(60, 60, rule, suspect=True) == UNKNOWN
    assert standing(0, 0, UptimeRule(min_samples=0)) == UNKNOWN


@pytest.mark.parametrize(
    ("probes", "any_", "all_"),
    [
        ((GOOD, GOOD), GOOD, GOOD), ((GOOD, BAD), GOOD, BAD), ((BAD, BAD), BAD, BAD), ((GOOD, UNKNOWN), GOOD, GOOD),
        ((BAD, UNKNOWN), BAD, BAD), ((UNKNOWN, UNKNOWN), UNKNOWN, UNKNOWN),
    ],
)  # fmt: skip
def test_unknown_probes_abstain(probes: tuple[int, int], any_: int, all_: int) -> None:
    table = np.array(probes, np.int8)[:, None]
    assert int(combine_probes(table)[0]) == any_
    assert int(combine_probes(table, "all")[0]) == all_
    assert int(combine_probes(table[:1], "ping")[0]) == probes[0]
