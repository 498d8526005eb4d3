"""Words of a report: what is bad is rounded up, and every figure has its companion."""

from zoneinfo import ZoneInfo

from netsla.wire.report_words import duration, method, moment, money, outlook, remarks, used

RULE = {
    "endpoints": None, "profile": "commercial", "method": "outage", "n": None, "minimum_seconds": 120,
    "interval_seconds": 60, "loss_over_ratio": 0.5, "min_samples": 1, "feed": "any",
}  # fmt: skip


def test_durations_begin_a_second() -> None:
    assert [duration(one) for one in (0, 61, 86_400 + 3661, 0.1)] == ["0:00:00", "0:01:01", "1d 1:01:01", "0:00:01"]


def test_used_up_is_never_shown_as_less() -> None:
    assert [used(one) for one in (0, 0.29, 0.9991, 1.00001)] == ["0.0 %", "29.0 %", "100.0 %", "100.1 %"]


def test_moments_are_local_and_say_so() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert moment("2026-10-25T00:30:00Z", zone) == "2026-10-25 02:30 CEST"
    assert moment("2026-10-25T01:30:07Z", zone) == "2026-10-25 02:30:07 CET"


def test_money() -> None:
    credit = {"percent": 12.5, "amount": "112.50", "currency": "EUR", "charge": "900.00"}
    assert money(credit) == "112.50 EUR (12.5 % of 900.00 EUR)"
    assert money(credit | {"amount": None, "charge": None}) == "12.5 % of the charge"


def test_methods() -> None:
    assert method(RULE) == (
        "commercial: an interval of 0:01:00 is bad if over 50 % was lost; bad intervals in a row are down from 0:02:00"
        " on; good if any probe is"
    )
    sliding = RULE | {"method": "sliding", "n": 10, "loss_over_ratio": None, "feed": "ping", "endpoints": ["a", "b"]}
    assert "commercial (a, b)" in method(sliding)
    assert "is bad if nothing came back; down from the first of 10 bad intervals in a row" in method(sliding)


def test_companions() -> None:
    one = {"metric": "packet_delivery", "scope": "available", "value_other_scope": 0.5, "met_ratio": 0.25,
           "value_without_exclusions": 0.75}  # fmt: skip
    assert remarks(one) == [
        "met 25.0000 % of the time, worst value shown", "50.0000 % of all packets", "75.0000 % without exclusions"
    ]  # fmt: skip


def test_outlook_of_a_running_period() -> None:
    one = {"endpoint": "hq", "objective": "up", "budget_seconds": 2592.0, "budget_spent_ratio": 0.6,
           "budget_warning_ratio": 0.5, "forecast_down_seconds": 2700.5}  # fmt: skip
    assert list(outlook({"objectives": [one]})) == [
        "hq up: 60.0 % of the error budget of 0:43:12 is used (warning at 50 %)",
        "hq up: 0:45:01 down expected by the end of the period, more than the error budget allows",
    ]
    calm = one | {"budget_warning_ratio": None, "forecast_down_seconds": 0.0}
    assert list(outlook({"objectives": [calm]})) == []
