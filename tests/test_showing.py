"""Who asks is shown the newest picture, waits a little for the first one, and keeps nobody from anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netsla import showing
from netsla.errors import AgentError
from netsla.history import History
from netsla.probes.naming import Names
from netsla.showing import Showing
from netsla.sla.snapshot import AgentView, Snapshot
from netsla.sla.standin import StandIn
from netsla.sla.view import Viewer
from netsla.vitals import Vitals
from tests.sla.builders import plan
from tests.sla.test_engine import Drive

ABOUT = AgentView("test", "0", 0, "", ())


class Shown:
    """A Showing of an engine that lives; counts how often somebody looked at it."""

    def __init__(self, folder: Path) -> None:
        self.drive, self.history, self.looks = Drive(plan(2)), History(folder), 0
        self.history.adopt(self.drive.fleet)
        self.names = Names(lambda *_moved: None)
        viewer = Viewer(self.drive.engine)
        self.showing = Showing(viewer, self.with_engine, self.history, Vitals(), self.names, lambda: ABOUT)
        self.showing.load(plan(2), self.drive.fleet)

    async def with_engine(self, look: Callable[[], Snapshot]) -> Snapshot:
        self.looks += 1
        return await asyncio.to_thread(look)


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


async def test_who_asks_early_waits_a_little_and_is_told_why_it_was_in_vain(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "_PATIENCE_S", 0.01)
    with pytest.raises(AgentError, match="is being read back"):
        await shown.showing.snapshot()
    assert not shown.showing.ready()


async def test_who_waits_is_answered_as_soon_as_something_can_be_shown(shown: Shown) -> None:
    asked = asyncio.create_task(shown.showing.snapshot())
    begun = time.monotonic()
    await asyncio.sleep(0)
    shown.showing.begin(whole=True)
    assert (await asked).agent is ABOUT
    assert time.monotonic() - begun < 1
    assert shown.showing.ready()


async def test_until_all_is_read_back_the_stand_in_is_shown(shown: Shown) -> None:
    drive, history = shown.drive, shown.history
    history._stand_in = StandIn(drive.fleet, {}, {}, drive.now)
    shown.showing.begin(whole=False)
    assert [window.name for window in (await shown.showing.snapshot()).windows] == ["5m", "1h"]
    assert shown.looks == 0
    assert not shown.showing.ready()
    shown.showing.forget()
    shown.showing.begin(whole=True)
    await shown.showing.snapshot()
    assert shown.looks == 1


async def test_callers_share_a_picture_until_something_has_changed(shown: Shown) -> None:
    shown.showing.begin(whole=True)
    first, second = await asyncio.gather(shown.showing.snapshot(), shown.showing.snapshot())
    assert first is second
    assert await shown.showing.snapshot() is first
    shown.showing.forget()
    assert await shown.showing.snapshot() is not first
    assert shown.looks == 2


async def test_a_caller_that_goes_away_takes_the_picture_from_nobody(shown: Shown) -> None:
    gone, other = (asyncio.create_task(shown.showing.snapshot()) for _ in range(2))
    shown.showing.begin(whole=True)
    await asyncio.sleep(0)
    gone.cancel()
    assert (await other).agent is ABOUT
