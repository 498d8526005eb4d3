from __future__ import annotations

import os
from pathlib import Path

import pytest

from netsla.config.source import LARGEST, Faults, Map, Place, Scalar, Seq, parse, read_text


def parsed(text: str) -> tuple[object, list[str]]:
    faults = Faults()
    node = parse(text, "f", faults)
    return node, [str(fault) for fault in faults.sorted(warnings=False)]


def test_places_of_keys_and_values() -> None:
    node, faults = parsed("a: 1\nb:\n  - x\n  - {é: [y], c: z}\n")
    assert not faults
    assert isinstance(node, Map)
    assert node.keys_at["b"].place == Place("f", 2, 1)
    assert node.at("a") == Place("f", 1, 4)
    inner = node["b"][1]
    assert isinstance(inner, Map)
    assert inner.place == Place("f", 4, 5)
    assert inner["é"][0].place == Place("f", 4, 10)
    assert inner.keys_at["c"].place == Place("f", 4, 14)


def test_scalars_stay_text_and_know_their_quotes() -> None:
    node, _ = parsed("[no, 'no', 010, 1:30]")
    assert isinstance(node, Seq)
    assert [(s.text, s.plain) for s in node] == [("no", True), ("no", False), ("010", True), ("1:30", True)]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~", "null\n", "\ufeff"])
def test_nothing(text: str) -> None:
    assert parsed(text) == (None, [])


def test_key_without_value_is_known_and_none() -> None:
    node, _ = parsed("a:\nb: ~\nc: ''\n")
    assert isinstance(node, Map)
    assert node["a"] is None
    assert node["b"] is None
    assert isinstance(node["c"], Scalar)
    assert node.at("a") == Place("f", 1, 1)


def test_anchor_and_alias_share_a_node() -> None:
    node, faults = parsed("a: &x {b: 1}\nc: *x\n")
    assert not faults
    assert isinstance(node, Map)
    assert node["a"] is node["c"]


def test_every_duplicate_is_told() -> None:
    _, faults = parsed("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [fault.split(" (")[0] for fault in faults] == [
        "f:2:1: duplicate key 'a', first at line 1, column 1",
        "f:3:11: duplicate key 'c', first at line 3, column 5",
    ]


def test_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    node, faults = parsed("\n".join(lines))
    assert node is None
    assert len(faults) == 1
    assert "more than" in faults[0]


def test_depth_is_bounded() -> None:
    node, faults = parsed("[" * 5000)
    assert node is None
    assert "nested deeper than 40" in faults[0]


def test_control_character_has_its_place() -> None:
    _, faults = parsed("a: b\nc: \x07\n")
    assert faults[0].startswith("f:2:4: not valid YAML")


def test_faults_are_kept_once_in_the_order_of_files_and_lines() -> None:
    faults = Faults()
    faults.opened("z")
    faults.opened("a")
    faults.add(Place("a", 1, 1), "third")
    faults.add(Place("z", 10, 1), "second")
    faults.add(Place("z", 9, 2), "first")
    faults.add(Place("z", 9, 2), "first")
    faults.add(Place("z", 1, 1), "advice", warning=True)
    assert [fault.problem for fault in faults.sorted(warnings=False)] == ["first", "second", "third"]
    assert [fault.problem for fault in faults.sorted(warnings=True)] == ["advice"]
    assert faults.any_in("a")
    assert not faults.any_in("b")


def test_read_text_takes_a_byte_order_mark_off(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_text(path, Place("f"), Faults()) == "a: 1\n"


def test_read_text_of_a_folder_or_an_impossible_path(tmp_path: Path) -> None:
    faults = Faults()
    assert read_text(tmp_path, Place("f"), faults) is None
    assert read_text(Path("a\0b"), Place("f"), faults) is None
    assert len(faults.sorted(warnings=False)) == 2


def test_a_pipe_is_not_waited_for_and_a_device_is_not_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    faults = Faults()
    assert read_text(pipe, Place("f"), faults) is None
    assert read_text(Path("/dev/zero"), Place("f"), faults) is None
    assert read_text(Path("/dev/zero"), Place("f"), faults, piped=True) is None
    assert [fault.problem for fault in faults.sorted(warnings=False)] == [
        "cannot read /dev/zero: it is larger than 64 MiB",
        "cannot read /dev/zero: not a regular file",
        f"cannot read {pipe}: not a regular file",
    ]


def test_a_file_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(LARGEST + 1)
    faults = Faults()
    assert read_text(tmp_path / "sparse", Place("f"), faults) is None
    assert "larger than 64 MiB" in faults.sorted(warnings=False)[0].problem
