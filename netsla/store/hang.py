"""A writer that is stuck: the disk took a write, and does not answer.

Rules: no error comes of that, so nobody but a clock can tell. Nothing waits for the writer; what hangs is named by
whoever asks for problems, said in the log once, and forgotten when the disk answers.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

LONG_S = 10.0  # for one transaction; a healthy disk takes milliseconds
_WORDS = f"a write has been under way for more than {LONG_S:g} s: the disk hangs or is very slow: see the kernel's log"


class Hang:
    """Of one file; `name` is how people know it, `now` in monotonic seconds."""

    def __init__(self, name: str, now: Callable[[], float] = time.monotonic) -> None:
        self._name, self._now = name, now
        self._since: float | None = None
        self._said = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """What the writer does meanwhile should be over soon."""
        self._since = self._now()
        try:
            yield
        finally:
            self._since = None
            if self._said:
                self._said = False
                log.warning("%s: the disk answers again", self._name)

    def problem(self) -> str:
        """In words; "" while nothing hangs."""
        since = self._since
        if since is None or self._now() - since <= LONG_S:
            return ""
        text = f"{self._name}: {_WORDS}"
        if not self._said:
            self._said = True
            log.error("%s", text)
        return text
