"""What can go wrong, as values the user can act on.

Rules: what the network does is an outcome, never an exception. What the operator wrote wrong is a
:class:`ConfigError`, what he asks for in vain a :class:`RequestError`; what the host forbids is a :class:`HostError`;
that the agent cannot answer is an :class:`AgentError`. Anything else is a bug and propagates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line; see docs/interface: they are promises."""

    OK = 0
    FAILED = 1
    BREACHED = 1
    CONFIG = 2
    HOST = 3
    UNREACHABLE = 3
    UNKNOWN = 4


class NetslaError(Exception):
    """Base of the errors that a user sees: a problem, and the remedy."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class HostError(NetslaError):
    """The host forbids something the agent needs (a socket, a port, a folder)."""


class AgentError(NetslaError):
    """The agent cannot be reached, or cannot answer now."""


class RequestError(NetslaError):
    """What was asked for is wrong, and will be so the next time: exit code 2."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake in a configuration file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    problem: str
    remedy: str = ""
    warning: bool = False

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: "
        text += f"{'warning: ' if self.warning else ''}{self.problem}"
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigError(NetslaError):
    """Every mistake found in a configuration, all at once."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
