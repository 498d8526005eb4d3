"""Addresses as text: numeric ones, host names, `host:port`, and the CSV file that lists thousands.

Rules: nothing is resolved here. Numeric addresses are recognised by the system's own `inet_pton`, so that
`010.0.0.1` is refused rather than read as octal.
"""

from __future__ import annotations

import csv
import re
import socket
from collections.abc import Callable
from typing import NamedTuple

from netsla.config.quantity import Wrong, meant
from netsla.config.source import Faults, Place
from netsla.wire.labelling import OWN

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII)
_ZONE = re.compile(r"[^\s/%]{1,15}")  # an interface's name: IFNAMSIZ less the NUL
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_COLUMNS = ("id", "address", "labels")
_ALSO = {"ip": "address", "host": "address", "hostname": "address", "name": "id", "endpoint": "id"}
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def family_of(address: str) -> str:
    """`ipv4`, `ipv6`, or `any` for a host name."""
    for name, family in (("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)):
        try:
            socket.inet_pton(family, address.partition("%")[0] if name == "ipv6" else address)
        except (OSError, ValueError):
            continue
        return name
    return "any"


def literal(text: str) -> str:
    """A numeric address."""
    family = family_of(text)
    if family == "any":
        raise Wrong(f"{text!r} is not an IP address", "write a numeric IPv4 or IPv6 address")
    if family == "ipv6":
        _check_zone(text)
    return text


def host(text: str) -> str:
    """A numeric address of one host, or a host name."""
    family = family_of(text)
    if family == "any":
        return _host_name(text)
    if _is_group(text, family):
        raise Wrong(f"{text} is not the address of one host", "write a unicast address")
    if family == "ipv6":
        _check_zone(text)
    return text


def _check_zone(text: str) -> None:
    """A link-local address means nothing without its link, and no other address has one (RFC 4007)."""
    number, percent, zone = text.partition("%")
    packed = socket.inet_pton(socket.AF_INET6, number)
    local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    if local and not _ZONE.fullmatch(zone):
        raise Wrong(f"{text!r} is link-local: the same on every link", f'name the interface: "{number}%eth0"')
    if percent and not local:
        raise Wrong(f"{text!r}: only a link-local address has an interface", f"write {number}")


def _is_group(text: str, family: str) -> bool:
    """Unspecified, multicast or broadcast."""
    if family == "ipv4":
        return text == "0.0.0.0" or 224 <= int(text.split(".", 1)[0]) <= 239 or text == "255.255.255.255"  # noqa: S104 - refused, not bound
    packed = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    return packed[0] == 0xFF or not any(packed)


def _host_name(text: str) -> str:
    if "://" in text:
        shown = re.sub(r"//[^@]*@", "//…@", text)  # what stands before @ is a secret
        raise Wrong(f"{shown!r} is a URL", "write the host alone; the probe says port and type")
    if "/" in text:
        raise Wrong(f"{text!r} is a network", "an endpoint is one host; list many in an addresses_file")
    if re.fullmatch(r"[^:]+:\d+|\[.*\](:\d+)?", text):
        raise Wrong(f"{text!r}: an address without port or brackets is expected", "the port belongs to the probe")
    if re.fullmatch(r"[\d.]+", text) or (":" in text and re.fullmatch(r"[0-9A-Fa-f:.%]+", text)):
        raise Wrong(f"{text!r} is not a valid IP address", "check its parts; no leading zeros")
    if not _NAME.fullmatch(text) or len(text) > 253:
        raise Wrong(f"{text!r} is neither an IP address nor a host name", "letters, digits, hyphens and dots only")
    return text


def listen(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9469`, `[::]:9469` or `localhost:9469`."""
    match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})", text, re.ASCII)
    if match is None:
        what = f'"127.0.0.1:{text}"' if text.isdigit() else '"127.0.0.1:9469" or "[::]:9469"'
        raise Wrong(f"{text!r} is not host:port", f"write {what}")
    name, port = match[1] if match[2] is None else match[2], int(match[3])
    if not name:
        raise Wrong(f"{text!r} names no address", f'write "127.0.0.1:{port}", or "0.0.0.0:{port}" and "[::]:{port}"')
    if not 1 <= port <= 65535:
        raise Wrong(f"port {port} is out of range", "write a port from 1 to 65535")
    if match[2] is None and family_of(name) != "ipv6":
        raise Wrong(f"[{name}] is not an IPv6 address", 'write "[::1]:9469"')
    return name if family_of(name) != "any" else _host_name(name), port


class Row(NamedTuple):
    """One line of an addresses_file."""

    id: str
    address: str
    labels: tuple[tuple[str, str], ...]
    line: int
    column: int


def rows(text: str, file: str, faults: Faults) -> list[Row]:
    """The endpoints of a CSV with the header `id,address[,labels]`; labels are `k=v;k=v`."""
    reading = csv.reader(text.splitlines(keepends=True), strict=True)
    found: list[Row] = []
    try:
        header = [name.strip() for name in next(reading, [])]
        columns = _columns(header, file, faults)
        if columns is None:
            return []
        for fields in reading:
            if fields and any(fields) and not fields[0].startswith("#"):
                row = _row(fields, columns, Place(file, reading.line_num), faults)
                if row is not None:
                    found.append(row)
    except csv.Error as error:
        faults.add(Place(file, max(1, reading.line_num)), f"not valid CSV: {error}", "check the quotes of this line")
    return found


def _columns(header: list[str], file: str, faults: Faults) -> dict[str, int] | None:
    place = Place(file)
    unknown = [name for name in header if name not in _COLUMNS]
    if len(unknown) == len(header):
        other = next((mark for mark in (";", "\t", "|") if any(mark in name for name in header)), "")
        problem = (
            f"columns are separated by commas, not by {other!r}"
            if other
            else "the first line does not name the columns"
        )
        faults.add(place, problem, "write: id,address or id,address,labels")
        return None
    for name in unknown:
        at = Place(file, 1, 1 + sum(len(n) + 1 for n in header[: header.index(name)]))
        faults.add(at, f"unknown column {name!r}", _meant_column(name))
    if not {"id", "address"} <= set(header) or len(set(header)) < len(header):
        if not unknown:
            faults.add(place, "the first line does not name the columns", "write: id,address or id,address,labels")
        return None
    return None if unknown else {name: i for i, name in enumerate(header)}


def _meant_column(name: str) -> str:
    guess = _ALSO.get(name.casefold(), "")
    guess = f"did you mean {guess!r}?" if guess else meant(name, _COLUMNS)
    return guess if guess.startswith("did") else f"{guess}; more about an endpoint is a label: {name or 'city'}=…"


def _row(fields: list[str], columns: dict[str, int], place: Place, faults: Faults) -> Row | None:
    def at(index: int) -> Place:
        """The column in characters; quotes are counted, doubled quotes inside are not."""
        return place._replace(column=1 + sum(len(f) + 1 + (2 if _quoted(f) else 0) for f in fields[:index]))

    if len(fields) != len(columns):
        count = f"{len(fields)} column{'s' if len(fields) != 1 else ''}, the header has {len(columns)}"
        end = at(len(fields))
        place = at(len(columns)) if len(fields) > len(columns) else end._replace(column=end.column - 1)
        faults.add(place, f"this line has {count}", "quote fields that hold a comma")
        return None
    problems = 0

    def checked(name: str, read: Callable[[str], str]) -> str:
        nonlocal problems
        try:
            return read(fields[columns[name]].strip())
        except Wrong as wrong:
            problems += 1
            faults.add(at(columns[name]), wrong.problem, wrong.remedy)
            return ""

    identity, address = checked("id", _identity), checked("address", host)
    labels: tuple[tuple[str, str], ...] = ()
    if "labels" in columns and fields[columns["labels"]]:
        try:
            labels = _labels(fields[columns["labels"]])
        except Wrong as wrong:
            problems += 1
            faults.add(at(columns["labels"]), wrong.problem, wrong.remedy)
    return None if problems else Row(identity, address, labels, place.line, at(columns["id"]).column)


def _quoted(field: str) -> bool:
    return "," in field or '"' in field


def _identity(text: str) -> str:
    if not _ID.fullmatch(text) or text in {".", ".."}:
        raise Wrong(f"{text!r} cannot be an id", "use letters, digits, dot, underscore and hyphen; at most 128")
    return text


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs = {}
    for part in text.split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals or not _LABEL.fullmatch(name) or not value or name in pairs:
            raise Wrong(f"{part.strip()!r} is not a label", "write labels as k=v;k=v, each name once")
        if name in OWN or name.startswith("__"):
            raise Wrong(f"label {name!r} has a meaning of its own in our metrics", "choose another name")
        pairs[name] = value
    return tuple(sorted(pairs.items()))
