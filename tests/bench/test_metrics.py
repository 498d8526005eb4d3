import math

from bench.metrics import histogram, quantile_bound, since, total

PAGE = """\
# HELP sent_total Probes sent.
# TYPE sent_total counter
sent_total{endpoint="a",note="x } 9"} 3
sent_total{endpoint="b"} 4.5 1700000000000
sent_total_other 100
late_seconds_bucket{le="0.001"} 90
late_seconds_bucket{le="0.005"} 99
late_seconds_bucket{le="+Inf"} 100
late_seconds_bucket{probe="b",le="0.001"} 10
late_seconds_bucket{probe="b",le="0.005"} 11
late_seconds_bucket{probe="b",le="+Inf"} 11
plain 7
"""


def test_total_adds_the_series_of_exactly_this_name() -> None:
    assert total(PAGE, "sent_total") == 7.5
    assert total(PAGE, "plain") == 7
    assert total(PAGE, "sent") == 0


def test_a_page_may_begin_with_the_series() -> None:
    assert total("plain 1\nplain 2\n", "plain") == 3


def test_histogram_adds_up_series_and_orders_bounds() -> None:
    assert histogram(PAGE, "late_seconds") == {0.001: 100, 0.005: 110, math.inf: 111}


def test_quantile_is_bounded_by_its_bucket() -> None:
    buckets = {0.001: 98.0, 0.005: 99.0, math.inf: 100.0}
    assert quantile_bound(buckets, 0.98) == 0.001
    assert quantile_bound(buckets, 0.99) == 0.005
    assert quantile_bound(buckets, 1) == math.inf


def test_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile_bound({}, 0.5))
    assert math.isnan(quantile_bound({math.inf: 0.0}, 0.5))


def test_since_takes_the_earlier_reading_away() -> None:
    assert since({0.1: 5.0, math.inf: 9.0}, {0.1: 2.0, math.inf: 2.0}) == {0.1: 3.0, math.inf: 7.0}
