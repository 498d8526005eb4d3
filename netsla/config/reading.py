"""Leaf readers: a scalar of the file to a value, with the traps of YAML caught first.

Rules: each type here is what a table of schema.py may hold, with its JSON Schema beside it. A reader gets a
node and raises :class:`Wrong`; pydantic collects. Texts stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from netsla.config import address as addresses
from netsla.config import quantity
from netsla.config.quantity import Wrong, meant, trap
from netsla.config.source import Map, Scalar, Seq
from netsla.model import SECOND, Bound, Span
from netsla.wire.labelling import OWN

T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_NOT_TEXT = re.compile(r"true|false|[-+]?(\d+\.\d*|\.\d+)(e[-+]?\d+)?|[-+]\d+|\d+e[-+]?\d+", re.ASCII | re.IGNORECASE)
_CURLY = tuple("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\xab\xbb")  # what an editor for prose makes of quotes
_ALSO = {
    "availability": "uptime", "packet_loss": "packet_delivery", "loss": "packet_delivery", "pdr": "packet_delivery",
    "delay": "latency", "rtt": "latency", "ipdv": "jitter", "mttr": "time_to_repair",
    "ping": "icmp", "echo": "icmp", "http": "tcp", "https": "tcp", "connect": "tcp",
    "1": "P1", "2": "P2", "3": "P3", "critical": "P1", "4": "ipv4", "6": "ipv6", "v4": "ipv4", "v6": "ipv6",
    "ola": "internal", "supplier": "vendor", "total": "sum", "alert": "immediate",
}  # fmt: skip  # words of other tools, and what they mean here
_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)

DSCP = {
    "be": 0, "cs0": 0, "le": 1, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56,
    "af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30,
    "af41": 34, "af42": 36, "af43": 38, "va": 44, "ef": 46,
}  # fmt: skip  # IANA DSCP registry


def text_of(node: Any) -> str:
    """The text of a scalar; a list, a mapping and the traps of YAML are wrong."""
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Seq) else "a group of keys" if isinstance(node, Map) else "nothing"
        remedy = 'put text with special characters in quotes: "…"'
        single = isinstance(node, Seq) and len(node) == 1
        raise Wrong(f"one value is expected here, not {kind}", "leave the brackets out" if single else remedy)
    if node.plain and (wrong := trap(node.text)):
        raise wrong
    return node.text.strip()


def reader(read: Callable[[str], T]) -> Callable[[Any], T]:
    """A validator for a node from a reader of text."""

    def read_node(node: Any) -> T:
        text = text_of(node)
        if text[:1] in _CURLY:
            raise Wrong(f"{text} begins with a typographic quote, which YAML does not know", 'write straight ones: "…"')
        return read(text)

    return read_node


def choice(words: Iterable[str]) -> Callable[[str], str]:
    """One of some words."""
    known = tuple(words)

    def read(text: str) -> str:
        if text not in known:
            other = _ALSO.get(text.casefold())
            raise Wrong(
                f"{text!r} is not known here", f"did you mean {other!r}?" if other in known else meant(text, known)
            )
        return text

    return read


def integer(low: int, high: int, unit: str = "") -> Callable[[str], int]:
    """A whole number within bounds, both included."""

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise Wrong(f"{text!r} is not a whole number", f"write a number from {low} to {high}{unit}")
        if not low <= int(text) <= high:
            raise Wrong(f"{text} is out of range", f"write a number from {low} to {high}{unit}")
        return int(text)

    return read


def lasting(low: int, high: int) -> Callable[[str], int]:
    """A duration within bounds (nanoseconds), both included."""

    def read(text: str) -> int:
        value = quantity.duration(text)
        if not low <= value <= high:
            lowest, highest = quantity.duration_text(low), quantity.duration_text(high)
            raise Wrong(f"{text} is out of range", f"write a duration from {lowest} to {highest}")
        return value

    return read


def read_text(node: Any) -> str:
    """Free text; a plain number other than a simple whole one must be quoted, for others read it as a number."""
    text = text_of(node)
    if isinstance(node, Scalar) and node.plain and _NOT_TEXT.fullmatch(text):
        raise Wrong(f"{text} is a number or a truth value, text is expected", f'write "{text}" in quotes')
    if not text:
        raise Wrong("empty text", "write something, or leave the key out")
    if any(ord(c) < 32 and c not in "\n\t" for c in text) or "\x7f" in text:
        raise Wrong("control characters in text", "remove them")
    return text


def read_id(node: Any) -> str:
    """An identifier that is safe in topics, labels, paths and commands."""
    text = read_text(node)
    if not _ID.fullmatch(text) or text in {".", ".."}:
        raise Wrong(f"{text!r} cannot be an id", "use letters, digits, dot, underscore and hyphen; at most 128")
    return text


def read_boolean(node: Any) -> bool:
    """Exactly true or false."""
    if isinstance(node, Scalar) and node.plain and node.text.casefold() in {"no", "off", "n"}:
        raise Wrong(f"{node.text} is not a truth value", "write false")
    if isinstance(node, Scalar) and node.plain and node.text.casefold() in {"yes", "on", "y"}:
        raise Wrong(f"{node.text} is not a truth value", "write true")
    text = text_of(node)
    if text not in {"true", "false"}:
        raise Wrong(f"{text!r} is not a truth value", "write true or false")
    return text == "true"


def read_decimal(text: str) -> Decimal:
    """Money: a number without sign or exponent, exact."""
    if not _DECIMAL.fullmatch(text):
        raise Wrong(f"{text!r} is not an amount", "write a number such as 900.00; the currency stands in credits")
    return Decimal(text)


def read_days(text: str) -> Fraction:
    """A positive number of days."""
    if not _DECIMAL.fullmatch(text) or not Fraction(text):
        raise Wrong(f"{text!r} is not a number of days", "write a number such as 1 or 0.5")
    return Fraction(text)


def read_dscp(text: str) -> int:
    """A DSCP name or number."""
    if text.casefold() in DSCP:
        return DSCP[text.casefold()]
    if _INTEGER.fullmatch(text) and 0 <= int(text) <= 63:
        return int(text)
    remedy = "a number is 0 to 63" if _INTEGER.fullmatch(text) else meant(text, DSCP)
    raise Wrong(f"{text!r} is not a DSCP", remedy)


def read_labels(node: Any) -> tuple[tuple[str, str], ...]:
    """Labels as sorted pairs; names as Prometheus has them."""
    if not isinstance(node, Map):
        raise Wrong("labels are a group of keys", "write labels: {name: value}")
    return tuple(sorted((label_name(node.keys_at[key]), _label_value(node, key)) for key in node.keys_at))


def label_name(node: Scalar) -> str:
    """A label's name."""
    if node.plain and (wrong := trap(node.text)):
        raise Wrong(wrong.problem, wrong.remedy, node.place)
    if not _LABEL.fullmatch(node.text) or node.text.startswith("__"):
        raise Wrong(
            f"{node.text!r} cannot be a label's name", "use letters, digits and _, not first a digit", node.place
        )
    if node.text in OWN:
        raise Wrong(f"label {node.text!r} has a meaning of its own in our metrics", "choose another name", node.place)
    return node.text


def _label_value(node: Map, key: str) -> str:
    try:
        return read_text(node.get(key) or Scalar("", True, *node.at(key)))
    except Wrong as wrong:
        raise Wrong(wrong.problem, wrong.remedy, wrong.place or node.at(key)) from wrong


@dataclass(frozen=True, eq=False)
class Leaf:
    """How pydantic reads a leaf, and what editors are told of it."""

    read: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


@dataclass(frozen=True, eq=False)
class Short:
    """A short form of a table: how it expands, and what editors are told of it."""

    expand: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [self.schema, handler(schema)]}


def lookup(*words: str) -> Leaf:
    """One of some words; numbers among them may stand without quotes."""
    kinds = [int(word) for word in words if word.isdigit()]
    return Leaf(reader(choice(words)), {"enum": [*words, *kinds]})


def whole(low: int, high: int, unit: str = "") -> Leaf:
    """A whole number within bounds."""
    return Leaf(reader(integer(low, high, unit)), {"type": "integer", "minimum": low, "maximum": high})


def _text(read: Callable[[str], Any], **schema: Any) -> Leaf:
    return Leaf(reader(read), {"type": "string", **schema})


_LASTING = r"(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?(\d+us)?"
_DURATION = {"pattern": f"^{_LASTING}$", "examples": ["500ms", "5m", "1h30m"]}
_SHARE = r"(100(\.0+)?|\d{1,2}(\.\d+)?) ?%"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d|24:00"
_DATE = r"\d{4}-\d{2}-\d{2}"
_WEEKDAY = "|".join("".join(f"[{c}{c.upper()}]" for c in name) for name in quantity.WEEKDAYS)
_HOST = r"^([A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+(%\S{1,15})?)$"  # neither URL nor network, no port

Text = Annotated[str, Leaf(read_text, {"type": ["string", "integer"]})]
Id = Annotated[str, Leaf(read_id, {"type": ["string", "integer"], "pattern": "^[A-Za-z0-9._-]{1,128}$"})]
Boolean = Annotated[bool, Leaf(read_boolean, {"type": "boolean"})]
Duration = Annotated[int, _text(lasting(0, quantity.LONGEST_NS), **_DURATION)]
PositiveDuration = Annotated[int, _text(lasting(1_000, quantity.LONGEST_NS), **_DURATION)]
ProbeInterval = Annotated[int, _text(lasting(SECOND // 100, 900 * SECOND), **_DURATION)]
ProbeTimeout = Annotated[int, _text(lasting(SECOND // 1_000, 60 * SECOND), **_DURATION)]
WebhookTimeout = Annotated[int, _text(lasting(SECOND // 10, 60 * SECOND), **_DURATION)]
Percent = Annotated[Fraction, _text(quantity.percent, pattern=f"^{_SHARE}$", examples=["99.9%"])]
Target = Annotated[
    Bound, _text(quantity.target, pattern=rf"^(>=|<=)\s*({_SHARE}|{_LASTING})$", examples=[">= 99.9%", "<= 50ms"])
]
Window = Annotated[
    Span,
    Leaf(reader(quantity.span), {"anyOf": [{"enum": list(quantity.CALENDAR)}, {"type": "string", **_DURATION}]}),
]
Clock = Annotated[int, _text(quantity.clock, pattern=f"^({_CLOCK})$")]
ClockRange = Annotated[
    tuple[int, int],
    _text(quantity.clock_range, pattern=rf"^({_CLOCK})\s*-\s*({_CLOCK})$", examples=["00:00-06:00"]),
]
Day = Annotated[date, _text(quantity.day, format="date", pattern=f"^{_DATE}$")]
Moment = Annotated[
    date | datetime,
    _text(
        quantity.moment,
        pattern=rf"^{_DATE}([T ]\d{{2}}.*)?$",
        examples=["2026-02-01", "2026-02-01T02:00", "2026-02-01T02:00+01:00"],
    ),
]
Weekdays = Annotated[
    list[int], _text(quantity.weekdays, pattern=f"^({_WEEKDAY})(-({_WEEKDAY}))?$", examples=["mon", "mon-fri"])
]
_AMOUNT = {"type": ["number", "string"], "minimum": 0, "pattern": r"^\d{1,15}(\.\d{1,9})?$"}
Amount = Annotated[Decimal, Leaf(reader(read_decimal), _AMOUNT)]
Days = Annotated[Fraction, Leaf(reader(read_days), _AMOUNT)]
Dscp = Annotated[
    int,
    Leaf(reader(read_dscp), {"anyOf": [{"enum": list(DSCP)}, {"type": "integer", "minimum": 0, "maximum": 63}]}),
]
Labels = Annotated[
    tuple[tuple[str, str], ...],
    Leaf(
        read_labels,
        {
            "type": "object",
            "propertyNames": {"pattern": "^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$", "not": {"enum": sorted(OWN)}},
            "additionalProperties": {"type": ["string", "integer"]},
        },
    ),
]
Host = Annotated[str, _text(addresses.host, pattern=_HOST, examples=["192.0.2.1", "2001:db8::1", "h.example"])]
Numeric = Annotated[str, _text(addresses.literal, examples=["192.0.2.10", "2001:db8::10"])]
Listen = Annotated[
    tuple[str, int],
    _text(
        addresses.listen,
        pattern=r"^(\[[0-9A-Fa-f:.]+(%\S+)?\]|[^:\[\]]+):\d{1,5}$",
        examples=["127.0.0.1:9469", "[::]:9469"],
    ),
]
