"""The document of an agreement as Markdown and HTML: nothing in it can break out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from netsla import config
from netsla.model import Agreement
from netsla.wire.document_page import html, markdown
from tests.sla.contracts import at

NOW = at("2026-03-01")


@pytest.fixture(scope="module")
def acme() -> Agreement:
    plan, _ = config.load(Path("config/netsla.yaml"))
    return next(one for one in plan.agreements if one.id == "acme-dia-42")


def test_html_is_one_file_and_nothing_in_it_can_break_out(acme: Agreement) -> None:
    evil = replace(acme, document={**acme.document, "title": "<script>alert(1)</script>", "changes": "a | b <b>"})
    page = html(evil, NOW, "1.0")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="', page)
    assert page.count("<h2>") == 12
    assert "a | b &lt;b&gt;" in page


def test_a_bar_does_not_break_a_markdown_table(acme: Agreement) -> None:
    (party, *rest) = acme.parties
    assert "A \\| B" in markdown(replace(acme, parties=(replace(party, name="A | B"), *rest)), NOW)


def test_code_is_code_in_html_too_and_a_lone_backtick_is_itself(acme: Agreement) -> None:
    page = html(
        replace(acme, document={**acme.document, "changes": "by <i> `fax` & mail", "review": "never`"}), NOW, "1.0"
    )
    assert "<code>netsla report acme-dia-42</code>" in page
    assert "Changes: by &lt;i&gt; <code>fax</code> &amp; mail." in page
    assert "To be reviewed by never`." in page
