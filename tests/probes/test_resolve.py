import asyncio
import socket
from typing import cast

import dns.asyncresolver
import dns.message
import dns.rrset
import pytest

from netsla.probes.resolve import LEAST_S, MOST_S, UNKNOWN_S, Resolver, dns_ttl, system_lookup


async def two_addresses(name: str, family: int) -> list[str]:
    if family == socket.AF_INET6:
        return ["2001:db8::1"]
    return ["192.0.2.1", "2001:db8::1"] if family == socket.AF_UNSPEC else ["192.0.2.1"]


async def unknown(name: str, family: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("lives", "ttl"),
    [({"A": 300.0, "AAAA": 120.0}, 120), ({"A": 5.0}, LEAST_S), ({"A": 86_400.0}, MOST_S), ({}, UNKNOWN_S)],
)
async def test_the_shortest_ttl_counts_within_bounds(lives: dict[str, float], ttl: float) -> None:
    async def life(name: str, record: str) -> float | None:
        return lives.get(record)

    answer = await Resolver(two_addresses, life).resolve("dr.acme.example")
    assert (answer.addresses, answer.ttl, answer.error) == (("192.0.2.1", "2001:db8::1"), ttl, None)


async def test_a_family_is_asked_for_alone() -> None:
    asked = []

    async def life(name: str, record: str) -> float | None:
        asked.append(record)
        return None

    answer = await Resolver(two_addresses, life).resolve("dr.acme.example", "ipv6")
    assert (answer.addresses, asked) == (("2001:db8::1",), ["AAAA"])


async def test_a_name_that_does_not_exist_is_an_answer_in_words_and_asked_again_soon() -> None:
    answer = await Resolver(unknown).resolve("nowhere.example")
    assert answer.addresses == ()
    assert answer.error == "Name or service not known"
    assert answer.ttl == LEAST_S


async def test_the_hosts_file_counts() -> None:
    assert "127.0.0.1" in await system_lookup("localhost", socket.AF_INET)


class NameServer(asyncio.DatagramProtocol):
    """Answers every question with the same records."""

    def __init__(self, *records: tuple[str, int, str, str, str]) -> None:
        self._records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.answer += [dns.rrset.from_text(*record) for record in self._records]
        self._transport.sendto(answer.to_wire(), address)


@pytest.mark.parametrize(("alias", "record", "ttl"), [(45, 3600, 45), (3600, 60, 60)])
async def test_an_alias_that_lives_shorter_is_asked_again_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, alias: int, record: int, ttl: float
) -> None:
    """A failover moves the CNAME; the record behind it may live for hours."""
    server = NameServer(
        ("x.example.", alias, "IN", "CNAME", "y.example."), ("y.example.", record, "IN", "A", "192.0.2.1")
    )
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr("dns.asyncresolver.default_resolver", resolver)
    assert await dns_ttl("x.example", "A") == ttl
    transport.close()
