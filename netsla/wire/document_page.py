"""The document of an agreement as Markdown or as one self-contained HTML file: one structure, two renderings."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from netsla.model import Agreement
from netsla.wire.blocks import Block, Row
from netsla.wire.document import sections, title


def markdown(agreement: Agreement, now_ns: int) -> str:
    """The document as Markdown."""
    lines = [f"# {title(agreement)}", ""]
    for number, section in enumerate(sections(agreement, now_ns), 1):
        lines += [f"## {number}. {section.title}", ""]
        for block in section.blocks:
            lines += [*_markdown_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_block(block: Block) -> list[str]:
    if isinstance(block, str):
        return [block]
    if isinstance(block, list):
        return [f"- {line}" for line in block]
    return [_markdown_row(block.head), "|" + "---|" * len(block.head), *(_markdown_row(row) for row in block.rows)]


def _markdown_row(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def html(agreement: Agreement, now_ns: int, version: str) -> str:
    """The document as one self-contained HTML file."""
    folder = resources.files("netsla.wire") / "templates"
    style = (folder / "report.css").read_text(encoding="utf-8")
    text = (folder / "document.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    return page.render(
        title=title(agreement),
        agreement=agreement,
        sections=[(one.title, [_html_block(block) for block in one.blocks]) for one in sections(agreement, now_ns)],
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=version,
    )


def _html_block(block: Block) -> Markup:
    if isinstance(block, str):
        return Markup("<p>{}</p>").format(_html_text(block))
    if isinstance(block, list):
        return Markup("<ul>{}</ul>").format(
            Markup("").join(Markup("<li>{}</li>").format(_html_text(line)) for line in block)
        )
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(cell) for cell in block.head)
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(escape(cell)) for cell in row))
        for row in block.rows
    )
    return Markup('<div class="wide"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, rows
    )


def _html_text(text: str) -> Markup:
    """A paragraph; what stands between backticks is code, as in Markdown. One that has no partner is a backtick."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(parts)
    )
