from __future__ import annotations

import pytest

from netsla.config import address
from netsla.config.quantity import Wrong
from netsla.config.source import Faults


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("192.0.2.1", "ipv4"),
        ("2001:db8::1", "ipv6"),
        ("fe80::1%eth0", "ipv6"),
        ("a.example", "any"),
        ("192.0.02.1", "any"),
    ],
)
def test_family(text: str, family: str) -> None:
    assert address.family_of(text) == family


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "::1", "localhost", "dr.acme.example", "a_b.example.", "xn--mnchen-3ya.de", "1.de", "fe80::1%eth0"],
)
def test_host(text: str) -> None:
    assert address.host(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "ff02::1", "::", "192.0.2.256", "192.0.2", "010.0.0.1", "1:2:3",
        "http://a", "192.0.2.0/24", "a:80", "[::1]:80", "-a.example", "a..b", "a b", "", "x" * 64, "a." * 130, "ü.de",
        "fe80::1", "fe80::1%", "fe80::1%an-interface-name", "fe80::1%a/b", "2001:db8::1%eth0",
    ],
)  # fmt: skip
def test_not_a_host(text: str) -> None:
    with pytest.raises(Wrong) as caught:
        address.host(text)
    assert caught.value.remedy


def test_literal() -> None:
    assert address.literal("192.0.2.10") == "192.0.2.10"
    assert address.literal("fe80::1%eth0") == "fe80::1%eth0"
    for wrong in ("a.example", "fe80::1", "fd00::1%eth0"):
        with pytest.raises(Wrong):
            address.literal(wrong)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("127.0.0.1:9469", ("127.0.0.1", 9469)),
        ("[::]:9469", ("::", 9469)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_listen(text: str, pair: tuple[str, int]) -> None:
    assert address.listen(text) == pair


@pytest.mark.parametrize(
    "text", ["9469", ":9469", "::1:9469", "[::]", "a", "a:0", "a:65536", "[a]:1", "[]:1", "", "a b:1"]
)
def test_not_listen(text: str) -> None:
    with pytest.raises(Wrong):
        address.listen(text)


def rows(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    faults = Faults()
    found = address.rows(text, "e.csv", faults)
    return [(row.id, row.address) for row in found], [str(f).split(" (")[0] for f in faults.sorted(warnings=False)]


def test_rows() -> None:
    text = 'id,address,labels\r\na,192.0.2.1,k=v;l=w\r\n\r\n# comment\r\n"b","::1",\r\n'
    faults = Faults()
    first, second = address.rows(text, "e.csv", faults)
    assert (first.id, first.address, first.labels, first.line) == ("a", "192.0.2.1", (("k", "v"), ("l", "w")), 2)
    assert (second.id, second.address, second.labels, second.line) == ("b", "::1", (), 5)
    assert not faults.sorted(warnings=False)


def test_rows_in_another_order_of_columns() -> None:
    assert rows("address,id\n192.0.2.1,a\n") == ([("a", "192.0.2.1")], [])


def test_every_wrong_row_is_told_and_the_others_are_kept() -> None:
    found, faults = rows('id,address,labels\na,192.0.2.1,\nb b,192.0.2.x,k\nc\n"d,d",192.0.2.4,\ne,192.0.2.5,k=v\n')
    assert found == [("a", "192.0.2.1"), ("e", "192.0.2.5")]
    assert faults == [
        "e.csv:3:1: 'b b' cannot be an id",
        "e.csv:3:15: 'k' is not a label",
        "e.csv:4:2: this line has 1 column, the header has 3",
        "e.csv:5:1: 'd,d' cannot be an id",
    ]


@pytest.mark.parametrize("text", ["", "a,192.0.2.1\n", "id\na\n", "id,address,id\n", "id,address,more\n"])
def test_wrong_header(text: str) -> None:
    found, faults = rows(text)
    assert found == []
    assert len(faults) >= 1
    assert faults[0].startswith("e.csv:1:")


def test_broken_quotes() -> None:
    _, faults = rows('id,address\n"a,192.0.2.1\n')
    assert faults == ["e.csv:2:1: not valid CSV: unexpected end of data"]
