import socket

import pytest

from netsla.probes.resolve import LEAST_S, MOST_S, UNKNOWN_S, Resolver, system_lookup


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
