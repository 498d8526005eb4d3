"""Every example of docs/agreements.md, read as `netsla check` reads it: taken without a warning, or as it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from netsla import config
from netsla.errors import ConfigError
from netsla.wire.document import sections

PAGE = Path(__file__).parents[2] / "docs" / "agreements.md"
_BLOCK = re.compile(
    r"^```yaml\n# (?P<name>[^\n]+)\n(?P<text>.*?)^```\n(?:```text\n(?P<said>.*?)\n```)?", re.DOTALL | re.MULTILINE
)
_PROBES = "  https: {type: tcp, port: 443, interval: 10s}\n"  # what an example names beside `ping`


@dataclass(frozen=True)
class Example:
    """One section's files by name, and what is said of them."""

    title: str
    files: dict[str, str]
    said: str


def examples() -> list[Example]:
    """Files of one section belong together; a fragment is put over the shortest agreement, each for itself."""
    page = PAGE.read_text("utf-8")
    assert page.count("```yaml") == len(_BLOCK.findall(page)), "a block says what it is in its first line"
    head, shortest = (found["text"] for found in list(_BLOCK.finditer(page))[:2])
    base = {"netsla.yaml": head.replace("plans:\n", f"{_PROBES}plans:\n"), "agreements.d/acme.yaml": shortest}
    found = []
    for section in page.split("\n## ")[1:]:
        title, whole = section.split("\n", 1)[0], dict(base)
        for block in _BLOCK.finditer(section):
            said = block["said"] or ""
            if block["name"] == "in an agreement":
                over = yaml.safe_load(shortest) | yaml.safe_load(block["text"])
                files = base | {"agreements.d/acme.yaml": yaml.safe_dump(over, sort_keys=False)}
                found.append(Example(f"{title}: {block['text'].split(':')[0]}", files, said))
            elif block["name"] != "netsla.yaml":
                whole[block["name"]] = block["text"]
        if whole != base or title == "The shortest one":
            found.append(Example(title, whole, ""))
    return found


def written(example: Example, folder: Path) -> Path:
    """Its configuration, on the disk."""
    for name, text in example.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "netsla.yaml"


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.title)
def test_it_is_as_the_page_says(example: Example, tmp_path: Path) -> None:
    try:
        _, warnings = config.load(written(example, tmp_path))
        told = [f"warning: {one.problem}" for one in warnings]
    except ConfigError as error:
        told = [f"error: {one.problem}" for one in error.faults]
    assert told == ([example.said] if example.said else [])


def test_the_document_has_the_sections_that_the_page_lists(tmp_path: Path) -> None:
    rows = re.findall(r"^\| (\d+) ([a-z ]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 13))
    plan, _ = config.load(written(examples()[0], tmp_path))
    assert [name for _, name in rows] == [one.title.lower() for one in sections(plan.agreements[0], 0)]
