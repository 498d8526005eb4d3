"""What all pages are made of."""

from __future__ import annotations

from dataclasses import replace

from netsla.sla.snapshot import STANDINGS
from netsla.web import page
from netsla.web.asked import Asked
from tests.synthetic import changed, snapshot
from tests.web.test_overview import rows


def test_a_standing_is_a_word_and_a_sign() -> None:
    badges = [page.badge(standing) for standing in (*STANDINGS, "good", "bad", "unknown")]
    assert len(set(badges)) == len(badges)
    assert page.badge("no_data") == '<span class="badge no_data"><span aria-hidden="true">-</span> no data</span>'
    assert set(page.WORST) == set(STANDINGS)


def test_problems_of_the_agent_stand_above_everything() -> None:
    base = snapshot(1)
    troubled = changed(base, agent=replace(base.agent, problems=("isolated: <b>",)))
    text = page.frame("Agreements", troubled, "CONTENT", Asked(), "breached")
    assert text.index('role="alert"') < text.index("<main")
    assert "<li>isolated: &lt;b&gt;</li>" in text
    assert "<title>✗ Agreements · netsla</title>" in text, "also seen in a row of tabs"
    assert 'role="alert"' not in page.frame("Agreements", base, "CONTENT", Asked())


def test_it_looks_again_only_if_asked() -> None:
    shown, asked = snapshot(1), Asked(search="a b", refresh=60)
    text = page.frame("t", shown, "", asked)
    assert '<meta http-equiv="refresh" content="60">' in text
    assert 'href="?search=a+b">stop</a>' in text
    assert 'http-equiv="refresh"' not in page.frame("t", shown, "", Asked())


def test_a_search_keeps_the_standing_that_was_chosen() -> None:
    text = page.chooser(Asked(standing="met", search='"x"'), "Endpoint")
    assert '<input type="hidden" name="standing" value="met">' in text
    assert 'value="&quot;x&quot;"' in text
    assert 'href="?">show all</a>' in text


def test_an_empty_table_says_so() -> None:
    assert rows(page.table("Breaches in this time", ("A", "B"), []))[1] == ["none"]
