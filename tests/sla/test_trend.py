"""Steps of a period for its charts: what passed by on its way to the settlement."""

import numpy as np
import numpy.typing as npt

from netsla.sla.recorded import NUMBERS, Recorded
from netsla.sla.report import settle_agreement
from netsla.sla.trend import Tap
from tests.sla.contracts import at, contract, period_of, records


def test_days_of_a_month_with_an_outage_and_a_gap() -> None:
    agreement = contract()
    period = period_of(agreement, "2026-04")
    received = np.full(30 * 1440, 10)
    received[1440 : 1440 + 144] = 0  # a tenth of 2 April
    part = records(period.start_ns, received)
    keep = (np.arange(len(part)) < 5 * 1440) | (np.arange(len(part)) >= 6 * 1440)
    part = _only(part, keep)
    tap = Tap(period, lambda _endpoint: [part])
    trend = tap.trend(settle_agreement(agreement, period, tap.read))
    assert (trend.step_s, len(trend.start_s)) == (86_400, 30)
    assert trend.start_s[0] * 10**9 == period.start_ns
    assert trend.delivery[:3].tolist() == [trend.delivery[0], trend.delivery[0] * 0.9, trend.delivery[0]]
    assert trend.availability[:3].tolist() == [1, 0.9, 1]
    assert np.isnan(trend.delivery[5])
    assert np.isnan(trend.availability[5])


def test_a_day_is_shown_by_the_hour() -> None:
    agreement = contract()
    period = period_of(agreement, "2026-04-01")
    tap = Tap(period, lambda _endpoint: [records(at("2026-04-01"), np.full(120, 10))])
    trend = tap.trend(settle_agreement(agreement, period, tap.read))
    assert (trend.step_s, len(trend.start_s), int(np.isnan(trend.delivery).sum())) == (3600, 24, 22)


def _only(part: Recorded, keep: npt.NDArray[np.bool_]) -> Recorded:
    columns = {name: getattr(part, name)[keep] for name in (*NUMBERS, "reason")}
    return Recorded.of(part.endpoint, part.probe, columns, {})
