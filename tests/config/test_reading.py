from __future__ import annotations

from decimal import Decimal

import pytest

from netsla.config import reading
from netsla.config.quantity import Wrong
from netsla.config.source import Faults, Map, Node, Place, Scalar, parse
from netsla.model import SECOND


def plain(text: str) -> Scalar:
    return Scalar(text, True, "f", 1, 1)


def quoted(text: str) -> Scalar:
    return Scalar(text, False, "f", 1, 1)


def node(text: str) -> Node:
    found = parse(text, "f", Faults())
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["no", "1.10", "true", "1e3", "010", "+5", "-3", "a\x07", "", " "])
def test_text_refuses_what_others_would_read_differently(text: str) -> None:
    with pytest.raises(Wrong):
        reading.read_text(plain(text))


@pytest.mark.parametrize("text", ["north", "4711", "0", "2026-02-01", "10.0.0.1", "24x7", "3.1.1"])
def test_plain_text(text: str) -> None:
    assert reading.read_text(plain(text)) == text


@pytest.mark.parametrize("text", ["no", "1.10", "true", "010"])
def test_quotes_make_text(text: str) -> None:
    assert reading.read_text(quoted(text)) == text


def test_id() -> None:
    assert reading.read_id(plain("acme-dia_4.2")) == "acme-dia_4.2"
    for text in ("a b", "a/b", "ä", ".", "..", "a" * 129, "a+", "a#"):
        with pytest.raises(Wrong):
            reading.read_id(plain(text))


def test_boolean() -> None:
    assert reading.read_boolean(plain("true")) is True
    assert reading.read_boolean(plain("false")) is False
    for text, remedy in (("no", "write false"), ("ON", "write true"), ("1", "write true or false")):
        with pytest.raises(Wrong) as caught:
            reading.read_boolean(plain(text))
        assert caught.value.remedy == remedy


def test_integer_and_amounts() -> None:
    assert reading.integer(1, 255)("255") == 255
    for text in ("0", "256", "1.0", "x", ""):
        with pytest.raises(Wrong):
            reading.integer(1, 255)(text)
    assert reading.read_decimal("900.00") == Decimal("900.00")
    for text in ("-1", "1e3", "9,50"):
        with pytest.raises(Wrong):
            reading.read_decimal(text)
    with pytest.raises(Wrong):
        reading.read_days("0")


def test_lasting_names_its_bounds() -> None:
    with pytest.raises(Wrong) as caught:
        reading.lasting(SECOND, 60 * SECOND)("2m")
    assert caught.value.remedy == "write a duration from 1s to 1m"


def test_dscp() -> None:
    assert [reading.read_dscp(text) for text in ("ef", "AF41", "cs1", "0", "63", "be")] == [46, 34, 8, 0, 63, 0]
    for text in ("64", "-1", "af44", "gold"):
        with pytest.raises(Wrong):
            reading.read_dscp(text)


def test_labels_are_sorted_pairs() -> None:
    assert reading.read_labels(node("{b: x, a: 1}")) == (("a", "1"), ("b", "x"))
    for text in ("{1a: x}", "{a-b: x}", "{__a: x}", "{a: [x]}", "{a: no}", "{no: x}", "[a]", "{a: }"):
        with pytest.raises(Wrong):
            reading.read_labels(node(text))


def test_label_faults_know_their_place() -> None:
    with pytest.raises(Wrong) as caught:
        reading.read_labels(node("ok: x\nsite: no\n"))
    assert caught.value.place == Place("f", 2, 7)


def test_a_group_where_a_value_belongs() -> None:
    with pytest.raises(Wrong):
        reading.text_of(Map(Place("f")))
    with pytest.raises(Wrong):
        reading.text_of(None)
