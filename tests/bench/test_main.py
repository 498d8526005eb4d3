import argparse
import json
import math
from datetime import UTC, datetime

import pytest

from bench.__main__ import STAGES, _document, _page, _positive, _times
from bench.goals import NETSLA, icmp
from bench.run import Times
from bench.table import Row


def test_seconds_shorten_everybody_s_window_but_lengthen_only_the_agent_s() -> None:
    short = _times(argparse.Namespace(quick=False, seconds=5.0))
    assert (short.agent, short.peer, short.truth) == (5, 5, 5)
    long = _times(argparse.Namespace(quick=False, seconds=90.0))
    assert (long.agent, long.peer) == (90, Times().peer)


@pytest.mark.parametrize("text", ["0", "-1", "4000"])
def test_seconds_have_limits(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        _positive(text)


def test_stages_have_names_of_their_own() -> None:
    assert len({stage.name for stage in STAGES}) == len(STAGES)


def test_a_stage_that_failed_is_told_in_the_page() -> None:
    page = _page([Row("fping", icmp(5000))], {"kernel": "6.1"}, {"tcp": "RuntimeError: no"})
    assert "- **tcp failed**: RuntimeError: no" in page
    assert "kernel 6.1" in page


def test_the_document_is_json_even_without_a_number() -> None:
    rows = [Row(NETSLA, icmp(10_000), {"lateness_p99": math.nan, "core_ratio": 0.1})]
    document = json.loads(json.dumps(_document(rows, {}, {}, datetime.now(UTC)), allow_nan=False))
    assert document["rows"][0]["figures"] == {"lateness_p99": None, "core_ratio": 0.1}
    assert {goal["verdict"] for goal in document["goals"]} == {"not met", "not measured"}
