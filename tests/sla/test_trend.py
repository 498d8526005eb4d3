"""Steps of a period for its charts: what passed by on its way to the settlement."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from netsla.model import Agreement, Reason
from netsla.sla.recorded import NUMBERS, Recorded
from netsla.sla.report import Report, settle_agreement
from netsla.sla.trend import Steps, Trend
from tests.sla.contracts import at, contract, month_of, period_of, records


def watched(agreement: Agreement, name: str, *parts: Recorded) -> tuple[Report, Trend]:
    period = period_of(agreement, name)
    steps = Steps(agreement, period)
    report = settle_agreement(
        agreement, period, lambda endpoint: [p for p in parts if p.endpoint == endpoint], watch=steps.add
    )
    return report, steps.trend()


def test_days_of_a_month_with_an_outage_and_a_gap() -> None:
    agreement = contract()
    received = np.full(30 * 1440, 10)
    received[1440 : 1440 + 144] = 0  # a tenth of 2 April
    part = records(period_of(agreement, "2026-04").start_ns, received)
    part = _only(part, (np.arange(len(part)) < 5 * 1440) | (np.arange(len(part)) >= 6 * 1440))
    _, trend = watched(agreement, "2026-04", part)
    assert (trend.step, len(trend.availability)) == ("the day", 30)
    assert trend.edges_s[0] * 10**9 == period_of(agreement, "2026-04").start_ns
    assert trend.delivery[:3].tolist() == [10 / 12, 9 / 12, 10 / 12]
    assert trend.availability[:3].tolist() == [1, 0.9, 1]
    assert np.isnan([trend.delivery[5], trend.availability[5], trend.mean_s[5]]).all()
    assert trend.unknown_s[5] == 86_400
    assert trend.mean_s[0] == 0.01


def test_days_add_up_to_the_period() -> None:
    agreement = contract(zone="Europe/Berlin", endpoints=("hq", "dr"))
    parts = [month_of(agreement, "2026-03", ("2026-03-28T22:30", 90), ("2026-03-20T10:00", -30), endpoint=name)
             for name in ("hq", "dr")]  # fmt: skip
    report, trend = watched(agreement, "2026-03", *parts)
    accounts = [one.account for one in report.results]
    assert trend.down_s.sum() == sum(one.down_ns for one in accounts) / 1e9 == 2 * 90 * 60
    assert trend.up_s.sum() == sum(one.up_ns for one in accounts) / 1e9
    assert trend.unknown_s.sum() == 2 * 30 * 60
    assert trend.down_s[27:29].tolist() == [2 * 30 * 60, 2 * 60 * 60], "days begin at local midnight"
    assert np.diff(trend.edges_s)[28] == 23 * 3600, "the day on which the clocks go forward"


def test_a_day_is_shown_by_the_hour() -> None:
    _, trend = watched(contract(), "2026-04-01", records(at("2026-04-01"), np.full(120, 10)))
    assert (trend.step, len(trend.delivery), int(np.isnan(trend.delivery).sum())) == ("the hour", 24, 22)


def test_suspect_intervals_draw_no_packets() -> None:
    part = records(at("2026-04-01"), np.full(120, 0))
    part = replace(part, reason=np.full(120, Reason.LOCAL_FAULT, np.uint8))
    _, trend = watched(contract(), "2026-04-01", part)
    assert np.isnan(trend.delivery).all()


def _only(part: Recorded, keep: npt.NDArray[np.bool_]) -> Recorded:
    columns = {name: getattr(part, name)[keep] for name in (*NUMBERS, "reason")}
    return Recorded.of(part.endpoint, part.probe, columns, {})
