"""YAML that remembers where every value stood.

Rules: this file knows YAML, not netsla. It composes parser events itself, because that is ten times faster
than PyYAML's nodes, because duplicate keys must be found, and because scalars must stay text: what
`no`, `1:30` or `010` mean is decided by the reader of a key, which knows what it expects.
Nothing but `contents` raises: mistakes go into :class:`Faults`. No value is repeated in a message: it may be a secret.
"""

from __future__ import annotations

import errno
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from netsla.errors import Fault

MAX_DEPTH = 40  # levels of nesting; the deepest sensible configuration has 9
MAX_NODES = 4_000_000  # values after aliases are followed: 50,000 endpoints are about 400,000
LARGEST = 64 << 20  # bytes of a file: a CSV of a million endpoints; what is larger is not the file that was meant

_NO_KEY = "\0"  # stands for a key that cannot be one; YAML text holds no NUL


class Place(NamedTuple):
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1


class Faults:
    """Every mistake found so far. Repeats are kept once; `files` remembers the order of reading."""

    def __init__(self) -> None:
        self._found: dict[Fault, None] = {}
        self.files: dict[str, int] = {}

    def add(self, place: Place, problem: str, remedy: str = "", *, warning: bool = False) -> None:
        """Note a mistake, or something worth a warning."""
        self._found[Fault(*place, problem=problem, remedy=remedy, warning=warning)] = None

    def opened(self, file: str) -> None:
        """Note that `file` was read."""
        self.files.setdefault(file, len(self.files))

    def any_in(self, file: str) -> bool:
        """Whether there is an error in this file."""
        return any(fault.file == file and not fault.warning for fault in self._found)

    def sorted(self, *, warnings: bool) -> list[Fault]:
        """Errors, or warnings, in the order of files read, then lines."""
        chosen = (fault for fault in self._found if fault.warning is warnings)
        return sorted(chosen, key=lambda f: (self.files.get(f.file, len(self.files)), f))


class Scalar:
    """A leaf: its text, and whether it stood there without quotes (`plain`)."""

    __slots__ = ("column", "file", "line", "plain", "text")

    def __init__(self, text: str, plain: bool, file: str, line: int, column: int) -> None:
        self.text = text
        self.plain = plain
        self.file = file
        self.line = line
        self.column = column

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, self.line, self.column)

    @property
    def is_null(self) -> bool:
        """Whether YAML reads it as nothing."""
        return self.plain and self.text in {"", "~", "null", "Null", "NULL"}


class Map(dict[str, Any]):
    """A mapping; `keys_at` holds each key as the scalar it was written as.

    `cut`: something directly in it was wrong, was reported, and was taken out.
    """

    __slots__ = ("cut", "keys_at", "place")

    def __init__(self, place: Place, *, cut: bool = False) -> None:
        super().__init__()
        self.cut = cut
        self.place = place
        self.keys_at: dict[str, Scalar] = {}

    def at(self, key: str) -> Place:
        """Where the value of `key` stands, or the mapping itself when it has no such key."""
        if key in self.keys_at:
            value = self.get(key)
            return self.keys_at[key].place if value is None else Place(*value.place)
        return self.place


class Seq(list[Any]):
    """A sequence and its place; `cut` as in a mapping."""

    __slots__ = ("cut", "place")

    def __init__(self, place: Place, *, cut: bool = False) -> None:
        super().__init__()
        self.cut = cut
        self.place = place


Node: TypeAlias = Scalar | Map | Seq


def shown(key: str) -> str:
    """A key as messages show it: after a colon in it (`{password:secret}`) stands what was meant as its value."""
    name, colon, _ = key.partition(":")
    return repr(f"{name}:…") if colon else repr(key)


def contents(path: Path, *, piped: bool = False) -> bytes:
    """The bytes of a file, a pipe only where `piped`; OSError too of what never ends, for who reads it never ends."""
    kind = path.stat().st_mode
    if not piped and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MiB")
    return raw


def read_text(path: Path, place: Place, faults: Faults, remedy: str = "", *, piped: bool = False) -> str | None:
    """The text of a UTF-8 file; on failure a fault at `place` (who asked for it), or in the file itself."""
    faults.opened(str(path))
    try:
        raw = contents(path, piped=piped)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        faults.add(place, f"cannot read {path}: {why}", remedy or "check the path and the rights of the file")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        faults.add(Place(str(path), line, column), "not valid UTF-8", "save the file as UTF-8")
        return None


def parse(text: str, file: str, faults: Faults) -> Node | None:
    """The one document in `text`, or None when it is empty or broken (then there is a fault)."""
    composer = _Composer(file, faults)
    try:
        return composer.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        problem = error.problem or error.context or "not valid YAML"
        faults.add(place, f"not valid YAML: {problem}", _yaml_remedy(problem, text, place, composer.long))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        faults.add(place, f"not valid YAML: {error.reason}", "remove the control character")
    except UnicodeEncodeError:
        faults.add(Place(file), "not valid YAML: half a surrogate pair", "save the file as UTF-8")
    except _StopComposingError:
        pass  # the fault was noted where it happened
    return None


def _yaml_remedy(problem: str, text: str, place: Place, long: tuple[int, int] | None) -> str:
    """What to do; `long` are the first and last line of the last quoted text over several lines."""
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if long and long[1] == place.line:
        return f"quotes were opened on line {long[0]} and end here: is one missing there?"
    if "unexpected end of stream" in problem:
        return "quotes or brackets were opened here and never closed"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    if unquoted := re.search(r":\s+(>=?\s*\d[\d.]*\s?[%a-z]*)", line):
        return f'put the target in quotes: "{unquoted[1].strip()}"'
    if "cannot start any token" in problem:
        return "put text that begins with a special character in quotes"
    if "mapping values are not allowed" in problem:
        return "put text that holds ': ' in quotes, and check the indentation"
    if "expected ','" in problem and re.search(r"[:,\[]\s*\$\{", line):
        return 'inside { } and [ ] put ${NAME} in quotes: "${NAME}"'
    if "undefined alias" in problem:
        return "define the anchor with & before it is used"
    return "check indentation, brackets and quotes here and on the line before"


class _StopComposingError(Exception):
    """The document cannot be composed any further."""


class _Composer:
    """Builds nodes from events, without recursion."""

    def __init__(self, file: str, faults: Faults) -> None:
        self.file = file
        self.faults = faults
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.open: list[tuple[Node, Scalar | None, str | None, int]] = []  # container, key due, anchor, count before
        self.count = 0
        self.long: tuple[int, int] | None = None  # lines of the last quoted text that runs over several

    def compose(self, text: str) -> Node | None:
        root: Node | None = None
        documents = 0
        loader = yaml.CSafeLoader(text)
        try:
            while loader.check_event():
                event = loader.get_event()
                kind = type(event)
                if kind is yaml.DocumentStartEvent:
                    documents += 1
                    if documents > 1:
                        self._fail(event, "a second YAML document", "one file holds one document: remove the '---'")
                    continue
                node = self._node(event, kind)
                if node is not None and not self.open:
                    root = node
        finally:
            loader.dispose()
        return None if isinstance(root, Scalar) and root.is_null else root

    def _node(self, event: Any, kind: type) -> Node | None:
        """The node that this event completes, if any; it is already placed in its container."""
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            if event.tag is not None:
                self._tagged(event)
            plain = not event.style
            if not plain and event.end_mark.line > mark.line and event.style in "'\"":
                self.long = (mark.line + 1, event.end_mark.line + 1)
            scalar = Scalar(event.value, plain, self.file, mark.line + 1, mark.column + 1)
            self.count += 1
            if event.anchor:
                self.anchors[event.anchor] = (scalar, 1)
            return self._placed(scalar, event)
        if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if event.tag is not None:
                self._tagged(event)
            if len(self.open) >= MAX_DEPTH:
                self._fail(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
            place = self._place(event)
            node: Node = Map(place) if kind is yaml.MappingStartEvent else Seq(place)
            self.open.append((node, None, event.anchor, self.count))
            self.count += 1
            return None
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            node, _, anchor, before = self.open.pop()
            if anchor:
                self.anchors[anchor] = (node, self.count - before)
            return self._placed(node, event)
        return self._alias(event) if kind is yaml.AliasEvent else None

    def _alias(self, event: Any) -> Node:
        found = self.anchors.get(event.anchor)
        if found is None or any(anchor == event.anchor for _, _, anchor, _ in self.open):
            inside = any(anchor == event.anchor for _, _, anchor, _ in self.open)
            problem = (
                "an alias that stands inside itself"
                if inside
                else "YAML reads *… as an alias, and knows none by this name"
            )
            self._fail(
                event, problem, "put text that begins with * in quotes, or define the anchor with & before it is used"
            )
        assert found is not None
        self.count += found[1]
        return self._placed(found[0], event)

    def _placed(self, node: Node, event: Any) -> Node:
        """Put a complete node into the container that is open."""
        if self.count > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES} values", "aliases multiply: write the parts as plans")
        if not self.open:
            return node
        holder, key, anchor, before = self.open[-1]
        if isinstance(holder, Seq):
            holder.append(node)
        elif key is None:
            self.open[-1] = (holder, self._key(node, event), anchor, before)
        else:
            assert isinstance(holder, Map)
            self._put(holder, key, node)
            self.open[-1] = (holder, None, anchor, before)
        return node

    def _put(self, holder: Map, key: Scalar, node: Node) -> None:
        if key.text == _NO_KEY:
            return
        first = holder.keys_at.get(key.text)
        if first is not None:
            where = f"line {first.line}, column {first.column}"
            self.faults.add(key.place, f"duplicate key {shown(key.text)}, first at {where}", "remove one of them")
            return
        if key.text == "<<" and key.plain:
            self.faults.add(key.place, "merge keys (<<) are not supported", "write the shared part as a plan")
            return
        holder.keys_at[key.text] = key
        holder[key.text] = None if isinstance(node, Scalar) and node.is_null else node

    def _key(self, node: Node, event: Any) -> Scalar:
        if not isinstance(node, Scalar):
            self.faults.add(node.place, "a key must be a plain word", "quote text that begins with [ or {")
            place = self._place(event)
            return Scalar(_NO_KEY, False, self.file, place.line, place.column)
        return node

    def _tagged(self, event: Any) -> None:
        if event.tag != "!":
            remedy = "put text that begins with ! in quotes, or remove the tag"
            self.faults.add(self._place(event), "YAML reads !… as a tag, and tags are not supported", remedy)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _fail(self, event: Any, problem: str, remedy: str) -> None:
        self.faults.add(self._place(event), problem, remedy)
        raise _StopComposingError
