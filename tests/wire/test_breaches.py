"""Events folded into breaches."""

from datetime import UTC, datetime
from typing import Any

from netsla.wire.breaches import fold, to_json

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def event(kind: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "schema": "netsla.event/1",
        "id": f"id-{number}",
        "sequence": number,
        "kind": kind,
        "agent": "lab",
        "agreement": {"id": "acme", "version": 1, "customer": "ACME"},
        "endpoint": {"id": "hq", "address": "192.0.2.1"},
        "probe": "ping",
        "objective": {"id": "delivery", "metric": "packet_delivery", "target": ">= 99%", "window": "5m"},
        "severity": "P2",
        "value": 0.9,
        "evidence": "conclusive",
        "onset": "2026-10-05T11:00:00Z",
        "decided_at": "2026-10-05T11:00:06Z",
        "ended_at": None,
    } | more


def test_a_breach_that_ended_lasted_from_onset_to_end() -> None:
    (one,) = fold(
        [event("opened", 1), event("updated", 2, value=0.5), event("closed", 3, ended_at="2026-10-05T11:10:00Z")]
    )
    assert not one.open
    assert one.seconds(NOW) == 600
    assert (one.value, one.events) == (0.5, ["id-1", "id-2", "id-3"])


def test_one_that_stands_lasts_until_now() -> None:
    (one,) = fold([event("opened", 1)])
    assert one.open
    assert one.seconds(NOW) == 3600


def test_an_end_without_its_beginning_still_is_a_breach() -> None:
    (one,) = fold([event("closed", 9, ended_at="2026-10-05T11:30:00Z")])
    assert (one.open, one.onset, one.seconds(NOW)) == (False, "2026-10-05T11:00:00Z", 1800)


def test_a_breach_and_time_without_data_are_two_things() -> None:
    found = fold(
        [
            event("opened", 1),
            event("no_data", 2, onset="2026-10-05T11:20:00Z"),
            event("closed", 3, ended_at="2026-10-05T11:25:00Z"),
        ]
    )
    assert [(one.what, one.open) for one in found] == [("breach", False), ("no data", True)]


def test_the_same_objective_may_be_breached_again() -> None:
    again = event("opened", 3, onset="2026-10-05T11:40:00Z")
    found = fold([event("opened", 1), event("closed", 2, ended_at="2026-10-05T11:10:00Z"), again])
    assert [(one.id, one.open) for one in found] == [("id-1", False), ("id-3", True)]


def test_acknowledgement_cause_and_path_stand_with_the_breach() -> None:
    seen = {"by": "anna", "why": "fibre cut", "at": "2026-10-05T11:05:00Z"}
    path = {"hops": [[1, "192.0.2.254", 0.4]], "reached": False}
    (one,) = fold([event("opened", 1, caused_by="transit"), event("updated", 2, acknowledged=seen)], {"id-1": path})
    told = to_json(one, NOW)
    assert (told["acknowledged"], told["caused_by"], told["path"]) == (seen, "transit", path)
    assert (told["open"], told["seconds"]) == (True, 3600)


def test_a_forecast_is_told_apart_from_a_breach_until_its_end() -> None:
    details = {"projected_down_seconds": 281, "budget_seconds": 259}
    opened = event("opened", 1, details=details)
    (one,) = fold([opened])
    assert (one.what, one.open, one.details) == ("forecast", True, details)
    (one,) = fold([opened, event("closed", 2, ended_at="2026-10-05T11:30:00Z", details={"projected_down_seconds": 9})])
    assert (one.what, one.open, one.details) == ("forecast", False, {"projected_down_seconds": 9})


def test_a_share_of_the_budget_that_is_spent_is_over_when_it_is_told() -> None:
    spent = event("updated", 2, details={"budget_warning_percent": 50})
    found = fold([event("opened", 1), spent])
    assert [(one.what, one.open, one.seconds(NOW)) for one in found] == [("breach", True, 3600), ("budget", False, 0)]
    assert found[1].onset == "2026-10-05T11:00:06Z"
    (one,) = fold([event("updated", 3, details={"budget_warning_percent": 50}, collapsed=2)])
    assert one.what == "breach", "it stands for more than a warning"


def test_a_breach_that_is_told_when_its_cause_is_gone_is_one_breach() -> None:
    (one,) = fold([event("opened", 1, caused_by="transit"), event("opened", 2)])
    assert (one.id, one.caused_by, one.open, one.events) == ("id-2", None, True, ["id-1", "id-2"])
    closed = event("closed", 3, ended_at="2026-10-05T11:10:00Z")
    assert [one.open for one in fold([event("opened", 1, caused_by="transit"), event("opened", 2), closed])] == [False]
