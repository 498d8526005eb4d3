"""Exclusions agreed at run time: notes in the ledger's chained journal, so that nobody can rewrite one.

Rules: an exclusion is added by one note and cancelled by another; nothing is ever changed. The note's time is when
it was recorded; `announced` is what the party claims, and both are kept.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from netsla.sla.exclusion import Exclusion
from netsla.store.archive import Look
from netsla.store.ledger import Ledger

ADDED, CANCELLED = "exclusion", "exclusion_cancelled"


@dataclass(frozen=True, slots=True)
class Entry:
    """One exclusion as recorded; `cancelled_ns` None while it is in force."""

    agreement: str
    exclusion: Exclusion
    by: str
    recorded_ns: int
    cancelled_ns: int | None = None
    cancelled_by: str = ""
    cancelled_why: str = ""


def record(ledger: Ledger, agreement: str, exclusion: Exclusion, by: str, at_ns: int) -> Future[int]:
    """Write it down."""
    return ledger.note(ADDED, {**_to_detail(exclusion), "by": by}, agreement=agreement, at_ns=at_ns)


def cancel(ledger: Ledger, agreement: str, exclusion_id: str, by: str, why: str, at_ns: int) -> Future[int]:
    """From now on it never held."""
    detail = {"id": exclusion_id, "by": by, "why": why}
    return ledger.note(CANCELLED, detail, agreement=agreement, at_ns=at_ns)


def history(look: Look, agreement: str | None = None) -> list[Entry]:
    """Every exclusion ever recorded, in the order of recording; raises sqlite3.Error."""
    found: dict[tuple[str, str], Entry] = {}
    for note in look.notes((ADDED, CANCELLED), agreement):
        detail: dict[str, Any] = note.detail
        key = (note.agreement, str(detail["id"]))
        if note.kind == ADDED:
            found[key] = Entry(note.agreement, _from_detail(detail), str(detail["by"]), note.at_ns)
        elif key in found:
            old = found[key]
            found[key] = Entry(
                old.agreement, old.exclusion, old.by, old.recorded_ns, note.at_ns, str(detail["by"]), str(detail["why"])
            )
    return list(found.values())


def in_force(look: Look, agreement: str) -> tuple[Exclusion, ...]:
    """Those that hold, in order of start."""
    held = (one.exclusion for one in history(look, agreement) if one.cancelled_ns is None)
    return tuple(sorted(held, key=lambda one: (one.start_ns, one.id)))


def _to_detail(one: Exclusion) -> dict[str, Any]:
    return {
        "id": one.id,
        "endpoint": one.endpoint,
        "start_ns": one.start_ns,
        "end_ns": one.end_ns,
        "cause": one.cause,
        "reason": one.reason,
        "reference": one.reference,
        "announced_ns": one.announced_ns,
        "accepted_by": one.accepted_by,
    }


def _from_detail(detail: dict[str, Any]) -> Exclusion:
    return Exclusion(**{name: detail[name] for name in _to_detail(Exclusion("", None, 0, 0, ""))})
