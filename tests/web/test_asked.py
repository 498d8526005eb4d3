"""What a page was asked for."""

import pytest

from netsla.web.asked import Asked


def test_what_is_odd_is_as_if_it_were_not_there() -> None:
    odd = {"page": "-1", "standing": "good", "search": " " * 300, "span": "century", "refresh": "1"}
    assert Asked.of(odd) == Asked.of({}) == Asked()


def test_a_link_keeps_the_rest() -> None:
    asked = Asked.of({"page": "3", "standing": "breached", "search": "a&b=c", "refresh": "30"})
    assert asked.link(page=4) == "?page=4&standing=breached&search=a%26b%3Dc&refresh=30"
    assert asked.link(page=1, standing="", search="", refresh=0) == "?"


@pytest.mark.parametrize(("standing", "search", "found"), [
    ("", "", True), ("met", "", True), ("breached", "", False), ("", "SITE", True), ("", "straße", True),
    ("met", "hamburg", False),
])  # fmt: skip
def test_standing_and_search_go_together(standing: str, search: str, found: bool) -> None:
    assert Asked(standing=standing, search=search).wants("met", "site-1", "STRASSE") is found
