"""The same keys on several levels: a plan, an agreement over it, an endpoint over both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netsla.config.source import Place
from netsla.config.table import Table


class Layers:
    """Tables from the general to the special: of every key the most special one that gives it wins.

    `fallback` is the place of complaints when no table is there.
    """

    def __init__(self, tables: Iterable[Table | None], fallback: Place) -> None:
        self.tables = [table for table in tables if table is not None]
        self.fallback = fallback

    def top(self, key: str) -> Table | None:
        """The table that decides a key, None when nobody gives it."""
        return next((table for table in reversed(self.tables) if table.gives(key)), None)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key; the default when nobody gives it, or only wrongly (which was reported)."""
        table = self.top(key)
        value = None if table is None else table.value(key)
        return default if value is None else value

    def gives(self, key: str) -> bool:
        """Whether anybody gives the key, rightly or wrongly."""
        return self.top(key) is not None

    def place(self, key: str) -> Place:
        """Where the deciding value stands, else the most special table."""
        table = self.top(key) or (self.tables[-1] if self.tables else None)
        return self.fallback if table is None else table.place(key)

    def since(self, table: Table | None) -> Layers:
        """Only this table and the more special ones; all when it is None."""
        start = next((i for i, one in enumerate(self.tables) if one is table), 0)
        return Layers(self.tables[start:], self.fallback)
