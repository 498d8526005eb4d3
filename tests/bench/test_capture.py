import struct

import numpy as np
import pytest

from bench.capture import Flights, Reported, flights, join

ETHERNET = bytes(12) + b"\x08\x00"
NEAR = bytes([192, 0, 2, 1])


def far(number: int) -> bytes:
    return bytes([10, 97, 0, number])


def echo(kind: int, source: bytes, destination: bytes, sequence: int, payload: bytes = b"nonce") -> bytes:
    ipv4 = bytes([0x45]) + bytes(8) + bytes([1]) + bytes(2) + source + destination
    icmp = struct.pack(">BBHHH", kind, 0, 0xABCD if kind else 0x1234, 7, sequence)  # checksums differ
    return ETHERNET + ipv4 + icmp + payload


def request(number: int, sequence: int, payload: bytes = b"nonce") -> bytes:
    return echo(8, NEAR, far(number), sequence, payload)


def reply(number: int, sequence: int, payload: bytes = b"nonce") -> bytes:
    return echo(0, far(number), NEAR, sequence, payload)


def pcap(*packets: tuple[int, bytes], order: str = "<") -> bytes:
    head = struct.pack(f"{order}IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 96, 1)
    return head + b"".join(
        struct.pack(f"{order}IIII", ns // 10**9, ns % 10**9, len(packet), len(packet)) + packet
        for ns, packet in packets
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_request_meets_its_reply(order: str) -> None:
    seen = flights(pcap((1_000_000_100, request(1, 1)), (1_000_005_100, reply(1, 1)), order=order))
    assert seen.address.tolist() == [int.from_bytes(far(1), "big")]
    assert seen.sent_ns.tolist() == [1_000_000_100]
    assert seen.rtt_ns.tolist() == [5_000]


def test_only_the_same_address_sequence_and_payload_is_its_reply() -> None:
    seen = flights(
        pcap(
            (100, request(1, 1)),
            (200, reply(2, 1)),
            (300, reply(1, 2)),
            (400, reply(1, 1, b"other")),
        )
    )
    assert seen.rtt_ns.tolist() == [-1]


def test_the_first_of_two_replies_counts() -> None:
    seen = flights(pcap((100, request(1, 1)), (150, reply(1, 1)), (190, reply(1, 1))))
    assert seen.rtt_ns.tolist() == [50]


def test_equal_requests_are_paired_once() -> None:
    seen = flights(pcap((100, request(1, 1)), (150, reply(1, 1)), (900, request(1, 1)), (990, reply(1, 1))))
    assert seen.rtt_ns.tolist() == [50, -1]


def test_a_capture_without_replies_has_only_losses() -> None:
    assert flights(pcap((100, request(1, 1)), (200, request(2, 1)))).rtt_ns.tolist() == [-1, -1]


def test_gaps_are_within_an_address() -> None:
    seen = flights(pcap((0, request(1, 1)), (10, request(2, 1)), (1_000, request(1, 2)), (1_100, request(2, 2))))
    assert seen.gaps_ns().tolist() == [1_000, 1_090]


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match="nanosecond"):
        flights(struct.pack("<I", 0xA1B2C3D4) + bytes(20))


def table(*rows: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def test_a_report_is_held_against_the_first_request_after_its_moment() -> None:
    truth = Flights(*table((1, 1_000, 5), (1, 2_000, 6), (2, 1_500, 7), (2, 2_500, -1)))
    said, true = join(Reported(*table((1, 1_900, 60), (1, 0, 50), (2, 1_500, 70))), truth)
    assert said.tolist() == [60, 50, 70]
    assert true.tolist() == [6, 5, 7]


def test_reports_without_a_captured_answer_are_left_out() -> None:
    truth = Flights(*table((1, 1_000, 5), (2, 2_500, -1)))
    said, true = join(Reported(*table((1, 1_001, 50), (2, 2_000, 70), (3, 0, 80))), truth)
    assert (len(said), len(true)) == (0, 0)


def test_an_empty_capture_joins_nothing() -> None:
    assert [len(side) for side in join(Reported(*table((1, 0, 5))), Flights(*table()))] == [0, 0]
