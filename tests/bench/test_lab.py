from ipaddress import IPv4Address

import pytest

from bench.lab import ANSWERING, Side, targets


def test_targets_are_distinct_and_answer() -> None:
    addresses = targets(50_000)
    assert len(set(addresses)) == 50_000
    assert all(IPv4Address(address) in ANSWERING for address in (addresses[0], addresses[-1]))


def test_there_are_only_so_many() -> None:
    with pytest.raises(ValueError, match="65534"):
        targets(65_535)


def test_a_program_runs_inside_and_dies_with_us() -> None:
    words = Side("somewhere", "veth").command(["fping", "-l"])
    assert words[:2] == ["nsenter", "--net=/run/netns/somewhere"]
    assert words[2:5] == ["setpriv", "--pdeathsig", "KILL"]
    assert words[-2:] == ["fping", "-l"]
