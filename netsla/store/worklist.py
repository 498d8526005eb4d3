"""Work that waits for the disk: in order, bounded, handed over in batches.

Rules: any thread adds, one takes. Above its bound the oldest work that may be given up is given up, and whoever queued
it is told; nothing else is. Knows no SQLite: a piece of work is whatever its taker can run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

_SMALL = 256  # bytes that a piece of work takes at least
Work = TypeVar("Work")


@dataclass(slots=True)
class Piece(Generic[Work]):
    """Work that waits, what it keeps in memory (bytes), and who hears if it is given up."""

    work: Work
    weight: int
    dropped: Callable[[], None] | None
    future: Future[Any] = field(default_factory=Future)


class Worklist(Generic[Work]):
    """The pieces that wait, oldest first."""

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._wake = threading.Condition()
        self._pieces: deque[Piece[Work]] = deque()
        self._bytes = 0
        self._roused = self._ended = False
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, work: Work, weight: int, dropped: Callable[[], None] | None) -> Future[Any]:
        """Queue it; its result comes in the future, which is cancelled if it is given up, or comes after the end."""
        piece = Piece(work, max(weight, _SMALL), dropped)
        given_up: list[Piece[Work]] = []
        with self._wake:
            if self._ended:
                piece.future.cancel()
                return piece.future
            self._pieces.append(piece)
            self._bytes += piece.weight
            if self._bytes > self._bound_bytes:
                given_up = self._give_up()
            self._wake.notify()
        for one in given_up:
            one.future.cancel()
            if one.dropped:
                one.dropped()
        return piece.future

    def take(self, most: int, seconds: float) -> list[Piece[Work]] | None:
        """Up to `most` pieces; [] if nobody brought any for so long, or the taker was roused; None at the end."""
        with self._wake:
            if not (self._pieces or self._ended or self._roused):
                self._wake.wait(seconds)
            self._roused = False
            if not self._pieces:
                return None if self._ended else []
            batch = [self._pieces.popleft() for _ in range(min(most, len(self._pieces)))]
            self._bytes -= sum(piece.weight for piece in batch)
            return batch

    def put_back(self, batch: Sequence[Piece[Work]]) -> None:
        """They could not be done: they are the oldest again."""
        with self._wake:
            self._pieces.extendleft(reversed(batch))
            self._bytes += sum(piece.weight for piece in batch)

    def rouse(self) -> None:
        """Let the taker look up, though there is no work."""
        with self._wake:
            self._roused = True
            self._wake.notify()

    def end(self) -> None:
        """Take no more work."""
        with self._wake:
            self._ended = True
            self._wake.notify()

    def abandon(self) -> int:
        """Cancel what is left at the end; how many pieces were lost."""
        lost = [piece for piece in self._pieces if not piece.future.done()]
        for piece in lost:
            piece.future.cancel()
        return len(lost)

    def _give_up(self) -> list[Piece[Work]]:
        """Over the bound: let go of the oldest that may be let go."""
        gone = []
        for piece in [piece for piece in self._pieces if piece.dropped]:
            if self._bytes <= self._bound_bytes:
                break
            self._pieces.remove(piece)
            self._bytes -= piece.weight
            gone.append(piece)
        self.given_up += len(gone)
        return gone
