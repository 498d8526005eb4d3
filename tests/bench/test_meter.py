import os
import time

import pytest

from bench.meter import cpu_ns, every_cpu_ns, memory, sent_by, stolen_seconds, user_and_system

NET_DEV = """\
Inter-|   Receive             |  Transmit
 face |bytes    packets ...   |bytes    packets ...
    lo:       1       2    0    0    0     0          0         0        3       4    0    0
bench0:    5000      60    0    0    0     0          0         0     7000      80    0    0
"""


def test_sent_packets_are_those_of_the_device() -> None:
    assert sent_by(NET_DEV, "bench0") == 80
    with pytest.raises(ValueError, match="bench1"):
        sent_by(NET_DEV, "bench1")


def test_the_clock_of_a_process_is_that_process_s_cpu_time() -> None:
    before = time.process_time_ns()
    read = cpu_ns(os.getpid())
    assert before <= read <= time.process_time_ns()


def test_everybody_has_a_clock() -> None:
    clocks = every_cpu_ns()
    assert 0 < clocks[os.getpid()] <= time.process_time_ns()


def test_the_rest_is_read_from_the_kernel_s_files() -> None:
    rss, peak = memory(os.getpid())
    assert 1_000_000 < rss <= peak
    user, system = user_and_system(os.getpid())
    assert user + system <= time.process_time() + 0.02  # two clock ticks
    assert stolen_seconds() >= 0
