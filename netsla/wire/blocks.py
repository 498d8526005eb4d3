"""What a document is made of: sections of paragraphs, tables and lists, before anybody renders them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head."""

    head: Row
    rows: Sequence[Row]


Block = str | Table | list[str]  # a paragraph, a table, a list


@dataclass(frozen=True, slots=True)
class Section:
    """One of the twelve."""

    title: str
    blocks: Sequence[Block]
