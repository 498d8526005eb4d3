"""The lab itself, held against the system's ping."""

import re
import subprocess
from pathlib import Path

from tests.netlab.fates import CLASSES, fate_of
from tests.netlab.lab import Lab, netlab
from tests.netlab.packets import corrupted, parse, seal


def ping(lab: Lab, address: str, count: int = 5) -> str:
    command = ["ip", "netns", "exec", lab.near, "ping", "-n", "-i", "0.05", "-W", "1", "-c", str(count), address]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_pings_meet_the_fate_of_their_class_and_the_truth_says_so(tmp_path: Path) -> None:
    with netlab(tmp_path) as lab:
        constant = ping(lab, "10.99.0.0", 8)
        tenth = ping(lab, "fd99::2", 10)
        assert "8 received" in constant
        assert 19.5 < float(re.search(r"= ([\d.]+)/", constant)[1]) < 24  # type: ignore[index]  # ping always says so
        assert "9 received" in tenth
        assert "+2 duplicates" in ping(lab, "10.99.0.4", 10)
        assert "Destination Host Unreachable" in ping(lab, "10.99.0.10", 4)
        truth = lab.truth()
    assert (truth["10.99.0.0"]["sent"], truth["10.99.0.0"]["answered"]) == (8, 8)
    assert (truth["fd99::2"]["sent"], truth["fd99::2"]["lost"]) == (10, 1)
    assert (truth["10.99.0.4"]["answered"], truth["10.99.0.4"]["duplicate"]) == (10, 4)
    assert all(19.9e6 < rtt < 24e6 for rtt in truth["10.99.0.0"]["rtt_ns"])


def test_fates_are_repeatable_and_beyond_the_classes_nothing_happens() -> None:
    assert [fate_of(b"\x01", n, 0) for n in range(20)] == [fate_of(b"\x01", n, 0) for n in range(20)]
    assert fate_of(bytes([len(CLASSES)]), 0, 0).delay == 0


def test_a_changed_packet_has_right_checksums() -> None:
    request = bytes.fromhex("4500002c000000004001000a0a6200010a6300010800000000010002") + bytes(range(16))
    echo = parse(request)
    assert echo is not None
    twice = seal(corrupted(echo))
    assert twice == corrupted(echo)
    assert twice[-1] == request[-1] ^ 0x40
