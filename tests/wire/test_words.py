from __future__ import annotations

from netsla.model import Outcome, Reason
from netsla.wire.words import detail, outcome_name, reason


def test_every_outcome_and_reason_has_a_name() -> None:
    assert [outcome_name(each) for each in Outcome][:4] == ["answered", "lost", "refused", "unmeasured"]
    assert [reason(each) for each in Reason] == [each.label for each in Reason]


def test_only_refused_and_unmeasured_have_details() -> None:
    assert detail(Outcome.ANSWERED, 0, "192.0.2.1") is None
    assert detail(Outcome.LOST, 0, "192.0.2.1") is None
    assert detail(Outcome.REFUSED, 3 << 8 | 13, "192.0.2.1") == "communication administratively prohibited (ICMP 3/13)"
