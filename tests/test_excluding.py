"""Exclusions at run time: checked, recorded, in force, taken back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from netsla.control import Peer
from netsla.excluding import Excluding, Mistakes, read_request
from netsla.model import Maintenance
from netsla.sla.exclusion import Exclusion
from netsla.store.ledger import Ledger
from tests.sla.builders import plan
from tests.sla.contracts import at

PLAN = plan(2, timezone="Europe/Berlin", maintenance=Maintenance(notice=timedelta(days=2), allowed=(0, 360)))
NOW = at("2026-10-01T12:00")
ME = Peer(1, os.getuid(), 0)
GOOD = {"agreement": "a", "start": "2026-10-05T02:00", "duration": "2h", "reason": "router"}


@dataclass
class Desk:
    excluding: Excluding
    told: list[tuple[str, tuple[Exclusion, ...]]]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    await asyncio.to_thread(ledger.flush)
    told: list[tuple[str, tuple[Exclusion, ...]]] = []

    async def changed(agreement: str, held: tuple[Exclusion, ...]) -> None:
        told.append((agreement, held))

    yield Desk(Excluding(ledger, lambda: PLAN, changed), told)
    await asyncio.to_thread(ledger.close)


def mistakes(**request: Any) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        read_request(GOOD | request, PLAN, [], NOW)
    return [problem for problem, _ in caught.value.found]


def test_local_times_are_the_agreements() -> None:
    agreement, one = read_request(GOOD, PLAN, [], NOW)
    assert agreement.id == "a"
    assert (one.start_ns, one.end_ns) == (at("2026-10-05T00:00"), at("2026-10-05T02:00"))
    assert (one.announced_ns, one.endpoint, one.cause) == (NOW, None, "maintenance")
    _, other = read_request(GOOD | {"start": "2026-10-05T02:00Z", "announced": "2026-09-01T00:00Z"}, PLAN, [], NOW)
    assert (other.start_ns, other.announced_ns) == (at("2026-10-05T02:00"), at("2026-09-01"))
    assert read_request(GOOD | {"start": "now"}, PLAN, [], NOW)[1].start_ns == NOW


def test_every_mistake_is_told_at_once() -> None:
    told = mistakes(start="soon", end="2026-10-05", endpoint="e9", cause="mainten", reason=" ", duration=None)
    assert len(told) == 4
    assert [word for word in ("soon", "e9", "mainten", "reason") if not any(word in one for one in told)] == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"agreement": "b"}, "no agreement 'b'"),
        ({"duration": None}, "no end"),
        ({"duration": "2"}, "'2'"),
        ({"end": "2026-10-05T03:00"}, "the same thing"),
        ({"duration": None, "end": "2026-10-05T02:00"}, "does not end after"),
        ({"duration": "0s"}, "does not end after"),
        ({"id": "a b/c"}, "cannot be an id"),
    ],
)
def test_what_is_wrong_is_said(request_: dict[str, Any], said: str) -> None:
    assert any(said in one for one in mistakes(**request_))


async def test_what_is_recorded_is_in_force_and_said_to_count(desk: Desk) -> None:
    answer = await desk.excluding.answer_add(GOOD | {"id": "m1"}, ME)
    assert answer["exclusion"]["id"] == "m1"
    ((agreement, held),) = desk.told
    assert (agreement, [one.id for one in held]) == ("a", ["m1"])
    assert desk.excluding.in_force() == desk.excluding.recall() == {"a": held}


async def test_notice_and_hours_are_judged_at_once(desk: Desk) -> None:
    early = GOOD | {"start": "2030-10-05T02:00", "id": "ok"}
    assert (await desk.excluding.answer_add(early, ME))["exclusion"]["flag"] is None
    by_day = early | {"start": "2030-10-05T12:00", "id": "day"}
    assert (await desk.excluding.answer_add(by_day, ME))["exclusion"]["why"] == "hours"
    late = GOOD | {"start": "now", "id": "late"}
    assert (await desk.excluding.answer_add(late, ME))["exclusion"]["why"] == "notice"


async def test_an_id_is_taken_until_it_is_cancelled_and_nothing_is_forgotten(desk: Desk) -> None:
    await desk.excluding.answer_add(GOOD | {"id": "m1"}, ME)
    assert "taken" in (await desk.excluding.answer_add(GOOD | {"id": "m1"}, ME))["mistakes"][0][0]
    assert len((await desk.excluding.answer_cancel({"id": "m2"}, ME))["mistakes"]) == 2
    assert await desk.excluding.answer_cancel({"id": "m1", "why": "postponed"}, ME) == {"cancelled": "m1"}
    assert desk.told[-1] == ("a", ())
    again = await desk.excluding.answer_cancel({"id": "m1", "why": "twice"}, ME)
    assert again["mistakes"] == [("exclusion 'm1' is cancelled already", "see `netsla maintenance list`")]
    await desk.excluding.answer_add(GOOD | {"id": "m1"}, ME)
    listed = (await desk.excluding.answer_list({"agreement": "a"}))["exclusions"]
    assert [one["id"] for one in listed] == ["m1"]
    assert listed[0]["by"] is not None


async def test_a_request_that_is_wrong_leaves_no_trace(desk: Desk) -> None:
    assert (await desk.excluding.answer_add(GOOD | {"endpoint": "e9"}, ME))["mistakes"]
    assert desk.told == []
    assert (await desk.excluding.answer_list({}))["exclusions"] == []


async def test_an_agreement_that_is_not_there_is_no_agreement_without_exclusions(desk: Desk) -> None:
    assert (await desk.excluding.answer_list({"agreement": "aa"}))["mistakes"][0][0] == "there is no agreement 'aa'"
