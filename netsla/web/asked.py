"""What a page was asked for: which part of a list, which time, how often to look again.

Rules: pure; whatever is odd in a query is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from netsla.sla.snapshot import STANDINGS

SPANS = {"hour": "the last hour", "day": "the last 24 hours", "week": "the last 7 days", "month": "this month"}
_LONGEST = 128  # characters of a search: no name is longer
_REFRESH_S = (5, 3600)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a query; `page` counts from 1, `refresh` is in seconds, 0 is never."""

    page: int = 1
    standing: str = ""  # one of STANDINGS, or all
    search: str = ""
    span: str = "day"
    refresh: int = 0

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """What is understood of a query."""
        standing, span = query.get("standing", ""), query.get("span", "")
        refresh = _number(query.get("refresh", ""))
        return cls(
            max(1, _number(query.get("page", ""))),
            standing if standing in STANDINGS else "",
            query.get("search", "").strip()[:_LONGEST],
            span if span in SPANS else cls().span,
            refresh if _REFRESH_S[0] <= refresh <= _REFRESH_S[1] else 0,
        )

    def link(self, **changes: Any) -> str:
        """The query that asks for the same with some changes, from the same page."""
        asked, usual = replace(self, **changes), Asked()
        pairs = {name: getattr(asked, name) for name in self.__slots__}
        return "?" + urlencode({name: value for name, value in pairs.items() if value != getattr(usual, name)})

    def wants(self, standing: str, *names: str) -> bool:
        """Whether something of this standing and these names is to be shown."""
        text = self.search.casefold()
        return self.standing in ("", standing) and any(text in name.casefold() for name in names)


EVERYTHING = Asked()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 0
