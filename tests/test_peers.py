"""Bugs that other tools taught us, numbered: each has a test that says so, as `PEERS n` or `test_regression_NN_...`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
BUGS = {
    1: "a reply just after the edge of a window: sums over 100 %",
    2: "a time limit longer than the interval",
    3: "sequence numbers wrap while replies are ten seconds old",
    4: "two endpoints with one address",
    5: "two agents on one host",
    6: "a duplicate, and a duplicate after the time limit",
    7: "one unresolvable name, at start and at reload",
    8: "an A record changes, an AAAA record appears and vanishes",
    9: "the wall clock is set by an hour in flight",
    10: "default route removed, EPERM, ENOBUFS",
    11: "2,000 on-link endpoints that do not exist",
    12: "a socket unread for two seconds",
    13: "ping socket denied, raw denied, both denied",
    14: "IPv6 disabled in the kernel",
    15: "maintenance across clock changes and month ends",
    16: "killed while a breach is open, recovered while down",
    17: "a reload with 10,000 unchanged and 1 changed endpoint",
    18: "EMSGSIZE after a change of the MTU",
    19: "a reply from another address",
    20: "everything down at once is one alert",
    21: "flapping at the threshold: a bounded number of messages, the last one true",
    22: "the host suspended for an hour",
    23: "a poisoned ICMP id",
}


def named(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    """The numbers that a test names."""
    found = re.match(r"test_regression_(\d\d)_", function.name)
    if found:
        yield int(found[1])
    for some in re.findall(r"\bPEERS ([\d, ]*\d)", ast.get_docstring(function) or ""):
        yield from map(int, re.findall(r"\d+", some))


@pytest.fixture(scope="module")
def guards() -> dict[int, list[str]]:
    """Tests by the number they name."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for number in named(node):
                    found.setdefault(number, []).append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


@pytest.mark.parametrize("number", BUGS)
def test_each_bug_has_its_test(guards: dict[int, list[str]], number: int) -> None:
    assert guards.get(number), f"no test names PEERS {number}: {BUGS[number]}"


def test_no_test_names_a_bug_that_is_not_listed(guards: dict[int, list[str]]) -> None:
    assert set(guards) - set(BUGS) == set()
