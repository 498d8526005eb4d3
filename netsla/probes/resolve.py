"""Names to addresses, with the time after which to ask again.

Rules: the system's resolver decides (hosts file, search domains, NSS), because that is what the operator tests with. It
tells no TTL, so that is asked of DNS beside it; a name that DNS does not know is asked again after a minute.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception

LEAST_S, MOST_S = 30.0, 3600.0  # bounds of a TTL
UNKNOWN_S = 60.0  # for names that DNS does not know
_DNS_S = 2.0  # patience for the TTL
_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_RECORDS = {"any": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name is now: its addresses in the system's order of preference, or the error in words."""

    addresses: tuple[str, ...]
    ttl: float  # seconds until it should be asked again
    error: str | None = None


Lookup = Callable[[str, int], Awaitable[list[str]]]
TimeToLive = Callable[[str, str], Awaitable[float | None]]


async def system_lookup(name: str, family: int) -> list[str]:
    """Addresses by getaddrinfo(3), without repeats."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, family=family, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(_text(entry[4]) for entry in found))


def _text(name: tuple[Any, ...]) -> str:
    """The address of a socket name; a link-local one keeps its interface, by number (`fe80::1%2`)."""
    scope = name[3] if len(name) == 4 else 0
    return f"{name[0]}%{scope}" if scope else str(name[0])


async def dns_ttl(name: str, record: str) -> float | None:
    """The TTL of a record in DNS, or of an alias on the way to it if that is shorter, in seconds; None if unknown."""
    try:
        answer = await dns.asyncresolver.resolve(name, record, lifetime=_DNS_S)
    except (dns.exception.DNSException, OSError):
        return None
    return float(answer.chaining_result.minimum_ttl) if answer.rrset is not None else None


class Resolver:
    """Asks, and says how long the answer holds."""

    def __init__(self, lookup: Lookup = system_lookup, ttl: TimeToLive = dns_ttl) -> None:
        self._lookup, self._ttl = lookup, ttl

    async def resolve(self, name: str, family: str = "any") -> Resolution:
        """The addresses of a name; never raises for what the network or the name is."""
        try:
            addresses = await self._lookup(name, _FAMILIES[family])
        except (OSError, UnicodeError) as error:
            return Resolution((), LEAST_S, str(getattr(error, "strerror", None) or error))
        lives = await asyncio.gather(*(self._ttl(name, record) for record in _RECORDS[family]))
        known = [life for life in lives if life is not None]
        ttl = min(known) if known else UNKNOWN_S
        return Resolution(tuple(addresses), min(max(ttl, LEAST_S), MOST_S))
