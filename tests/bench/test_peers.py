from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

from bench.peers import Asked, fping_command, fping_reported, smokeping_command, smokeping_trips

PRINTED = """\
[1700000000.50000] 10.97.0.1  : [0], 64 bytes, 0.006 ms (0.006 avg, 0% loss)
[1700000001.50001] 10.97.0.12 : [1], 64 bytes, 12.3 ms (6.15 avg, 0% loss)
[1700000002.50000] 10.97.0.3  : [2], timed out (NaN avg, 100% loss)
[1700000003.5000
"""


def test_what_fping_prints_is_read() -> None:
    said = fping_reported(PRINTED)
    assert said.address.tolist() == [int(IPv4Address("10.97.0.1")), int(IPv4Address("10.97.0.12"))]
    assert said.rtt_ns.tolist() == [6_000, 12_300_000]
    assert said.after_ns.tolist() == [
        1_700_000_000_500_000_000 - 6_000 - 400_000_000,
        1_700_000_001_500_010_000 - 12_300_000 - 400_000_000,
    ]


def test_fping_that_printed_nothing_reports_nothing() -> None:
    assert len(fping_reported("").address) == 0


def test_fping_asks_every_address_once_a_second(tmp_path: Path) -> None:
    words = fping_command(tmp_path, 5000, spread=True)
    assert words[words.index("-i") + 1] == "0.2"
    assert len(Path(words[-1]).read_text().splitlines()) == 5000
    assert "-q" in words
    assert "-D" in fping_command(tmp_path, 10, every=True)


def test_smokeping_has_fine_buckets_and_its_targets() -> None:
    words = smokeping_command(3)
    assert words[-3:] == ["10.97.0.1", "10.97.0.2", "10.97.0.3"]
    buckets = [float(bound) for bound in next(w for w in words if w.startswith("--buckets="))[10:].split(",")]
    assert all(1.15 < after / before < 1.22 for before, after in pairwise(buckets))


def test_smokeping_hosts_are_added_up() -> None:
    page = "".join(
        f'smokeping_response_duration_seconds_bucket{{host="{host}",le="{bound}"}} {count}\n'
        for host in "ab"
        for bound, count in (("1e-05", 1), ("+Inf", 2))
    )
    assert list(smokeping_trips(page).values()) == [2, 4]


def test_no_trips_are_an_empty_report() -> None:
    assert len(Asked().reported().rtt_ns) == 0
