"""An endpoint's recent past as charts for the page: settled from the ledger by the report's own code.

Rules: read only, one at a time on a thread of its own, and remembered for a minute, so that nobody who looks can keep
the host from measuring. Nothing is read of other endpoints, however many the agreement has.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from netsla.errors import NetslaError
from netsla.history import LEDGER
from netsla.model import SECOND, Agreement, Plan
from netsla.sla.calendar import Period
from netsla.sla.trend import Steps
from netsla.store.press import BrokenError
from netsla.store.source import open_ledger, running_period
from netsla.web.source import Portrait
from netsla.wire.breaches import Breach, fold
from netsla.wire.chart import BREACH, Band

_FRESH_S = 60.0
_KEPT = 64  # portraits remembered
_HOUR_NS = 3600 * SECOND
_BACK_NS = {"hour": _HOUR_NS, "day": 24 * _HOUR_NS, "week": 7 * 24 * _HOUR_NS}

Events = Callable[[int], bytes]  # since when (UTC ns): what `netsla breaches` is told


class Portraits:
    """Draws them; `plan` is the one in force, `events` the agent's own memory of breaches."""

    def __init__(self, plan: Callable[[], Plan], events: Events, now: Callable[[], int] = time.time_ns) -> None:
        self._plan, self._events, self._now = plan, events, now
        self._worker = ThreadPoolExecutor(1, "portrait")
        self._known: dict[tuple[str, str, str], tuple[float, Portrait]] = {}

    async def portrait(self, agreement: str, endpoint: str, span: str) -> Portrait:
        """Of a span of the page (`hour`, `day`, `week`, `month`); empty for an endpoint that the plan does not have."""
        key = (agreement, endpoint, span)
        drawn, found = self._known.get(key, (0.0, Portrait()))
        if not drawn or time.monotonic() - drawn > _FRESH_S:
            found = await asyncio.get_running_loop().run_in_executor(self._worker, self._draw, *key)
            self._known[key] = (time.monotonic(), found)
            while len(self._known) > _KEPT:
                self._known.pop(next(iter(self._known)))
        return found

    def close(self) -> None:
        """End the thread, without waiting."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _draw(self, agreement: str, endpoint: str, span: str) -> Portrait:
        plan = self._plan()
        whole = next((one for one in plan.agreements if one.id == agreement), None)
        mine = [one for one in whole.endpoints if one.id == endpoint] if whole else []
        if whole is None or not mine:
            return Portrait()
        alone = replace(whole, endpoints=tuple(mine))
        try:
            return self._settled(Path(plan.agent.state_dir) / LEDGER, alone, span)
        except (sqlite3.Error, BrokenError, NetslaError) as error:
            return Portrait(problem=f"charts: the record cannot be read: {error}")

    def _settled(self, ledger: Path, alone: Agreement, span: str) -> Portrait:
        from netsla.wire.report_html import charts  # noqa: PLC0415 - Jinja2, only once somebody looks

        now_ns = self._now()
        period = running_period(alone, now_ns) if span == "month" else _last(_BACK_NS[span], now_ns)
        breaches = self._breaches(alone, period.start_ns)
        with open_ledger(ledger, alone, period, now_ns) as source:
            steps = Steps(alone, period)
            report = source.settle(watch=steps.add)
        bands = [_band(one, now_ns / SECOND) for one in breaches]
        return Portrait(charts(report, steps.trend(), alone.endpoints[0].id, bands), breaches)

    def _breaches(self, alone: Agreement, since_ns: int) -> list[Breach]:
        told: dict[str, Any] = orjson.loads(self._events(since_ns))
        found = fold(told["events"], told["paths"])
        return [one for one in reversed(found) if (one.agreement, one.endpoint) == (alone.id, alone.endpoints[0].id)]


def _last(back_ns: int, now_ns: int) -> Period:
    """So much up to the end of this minute."""
    end_ns = -(-now_ns // (60 * SECOND)) * 60 * SECOND
    return Period("", end_ns - back_ns, end_ns)


def _band(one: Breach, now_s: float) -> Band:
    end_s = datetime.fromisoformat(one.ended_at).timestamp() if one.ended_at else now_s
    return Band(datetime.fromisoformat(one.onset).timestamp(), end_s, BREACH, f"{one.what}: {one.objective}")
