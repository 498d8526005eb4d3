"""The service manager's notification protocol (sd_notify(3)), in the standard library alone.

Rules: without `$NOTIFY_SOCKET` every call does nothing and says so by False. A datagram that cannot be
sent is never an error of the agent: it goes on measuring, and the service manager judges. Watchdog
pings are the caller's decision: only when work really moves.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

MICROSECONDS = 1_000_000  # in a second


class Notifier:
    """Tells the service manager where the agent stands."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Read `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` from `environ` (the process's own by default)."""
        environ = os.environ if environ is None else environ
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog_seconds(environ)

    @property
    def active(self) -> bool:
        """Whether a service manager listens."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Start-up, or a reload, is complete."""
        return self._send("READY=1", _status(status))

    def reloading(self) -> bool:
        """A reload begins; `ready` ends it, also after a failed one."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str = "") -> bool:
        """An orderly end begins."""
        return self._send("STOPPING=1", _status(status))

    def watchdog(self) -> bool:
        """The agent is alive; due at least twice every `watchdog_seconds`."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(_status(text))

    def _send(self, *fields: str) -> bool:
        if self._address is None:
            return False
        message = "\n".join(field for field in fields if field).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
            try:
                channel.sendto(message, self._address)
            except OSError:  # no listener, or its queue is full: see the rules above
                return False
        return True


def _status(text: str) -> str:
    """The text as one line, so that it cannot hold another assignment."""
    return f"STATUS={' '.join(text.split())}" if text else ""


def _address(text: str) -> str | bytes | None:
    """A path, or a name in the abstract namespace (`@` stands for the zero byte)."""
    if text.startswith("/"):
        return text
    if text.startswith("@") and len(text) > 1:
        return b"\0" + text[1:].encode()
    return None


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """The limit between two pings, or None when none is expected of this process."""
    limit = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", "")
    if not limit.isdigit() or int(limit) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(limit) / MICROSECONDS
