"""Charts: gaps stay gaps, marks have shapes, and nothing in them can break out."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from netsla.wire.chart import EXCLUSION, OUTAGE, UNKNOWN, Band, Chart, draw

EDGES = [0.0, 10.0, 20.0, 30.0, 40.0]


def chart(values: list[float | None], **more: Any) -> Chart:
    given: Any = {"percent": True, "unit": " %"} | more
    return Chart("c", "Delivery", EDGES, values, labels=[(0.0, "start")], **given)


def drawn(values: list[float | None], **more: Any) -> ET.Element:
    return ET.fromstring(draw(chart(values, **more)))


def test_a_gap_splits_the_line() -> None:
    assert len(drawn([99.0, None, 98.0, 97.0]).findall("polyline")) == 2


def test_nothing_measured_is_said() -> None:
    assert "nothing was measured" in draw(chart([None] * 4))


def test_a_band_is_drawn_inside_and_cannot_break_out() -> None:
    group = drawn([99.0] * 4, bands=[Band(-50.0, 15.0, OUTAGE, "down <script>")]).find("g[@class='outage']")
    assert group is not None
    assert float(group.find("rect").attrib["x"]) == 66  # type: ignore[union-attr] # it is there
    assert group.findtext("title") == "down <script>"


@pytest.mark.parametrize(("kind", "mark"), [(EXCLUSION, "E"), (UNKNOWN, "?")])
def test_kinds_are_told_apart_without_colour(kind: str, mark: str) -> None:
    group = drawn([99.0] * 4, bands=[Band(5.0, 15.0, kind, "t")]).find(f"g[@class='{kind}']")
    assert group is not None
    assert group.findtext("text") == mark
    assert group.find("rect").attrib["fill"] == f"url(#c-{kind})"  # type: ignore[union-attr] # it is there


def test_an_outage_has_a_triangle() -> None:
    assert drawn([99.0] * 4, bands=[Band(5.0, 15.0, OUTAGE, "t")]).find("g[@class='outage']/path") is not None


def test_what_would_touch_on_paper_is_one_mark() -> None:
    bands = [Band(5.0 + n / 1000, 5.0005 + n / 1000, OUTAGE, f"t{n}") for n in range(100)]
    (group,) = drawn([99.0] * 4, bands=[*bands, Band(60.0, 70.0, OUTAGE, "outside")]).findall("g[@class='outage']")
    assert group.findtext("title") == "t0, and 99 more"


def test_the_limit_is_on_the_axis_and_named() -> None:
    picture = drawn([99.0] * 4, limit=98.5, limit_text="target >= 98.5%")
    assert picture.findtext("text[@class='limit']") == "target >= 98.5%"
    assert "target >= 98.5%" in (picture.findtext("desc") or "")


def test_one_value_throughout_still_has_an_axis() -> None:
    for value in (0.0, 100.0):
        for percent in (True, False):
            assert "nan" not in draw(chart([value] * 4, percent=percent))
    assert "100.000 %" in draw(chart([100.0] * 4))
    assert [text.text for text in drawn([13.0] * 4, percent=False, unit=" ms").findall("text[@class='tick']")] == [
        "0 ms", "10 ms", "20 ms"
    ]  # fmt: skip


def test_no_style_attribute_for_a_strict_policy() -> None:
    assert "style=" not in draw(chart([99.0, 98.0, None, 97.0], limit=98.5))


def test_the_last_label_ends_at_the_edge_instead_of_sticking_out() -> None:
    one = replace(chart([99.0] * 4), labels=[(0.0, "01:00"), (20.0, "13:00"), (39.0, "01:00")])
    labels = [text for text in ET.fromstring(draw(one)).findall("text") if "time" in text.attrib["class"]]
    assert [("last" in text.attrib["class"], float(text.attrib["x"])) for text in labels] == [
        (False, 66.0), (False, 388.0), (True, 720.0),
    ]  # fmt: skip
