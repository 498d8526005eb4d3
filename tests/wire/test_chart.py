"""Charts: gaps stay gaps, and nothing in them can break out."""

from xml.etree import ElementTree as ET

from netsla.wire.chart import Band, Chart, draw

TIMES = [0.0, 10.0, 20.0, 30.0]


def chart(values: list[float | None], **more: object) -> Chart:
    return Chart("Delivery (%)", TIMES, 10.0, values, " %", [(0.0, "start")], **more)  # type: ignore[arg-type]


def test_a_gap_splits_the_line() -> None:
    drawn = ET.fromstring(draw(chart([99.0, None, 98.0, 97.0], high=100.0)))
    assert len(drawn.findall("polyline")) == 2


def test_nothing_measured_is_said() -> None:
    assert "nothing was measured" in draw(chart([None] * 4))


def test_limit_and_bands_are_drawn_inside() -> None:
    band = Band(-50.0, 15.0, "breach", "down <script>")
    drawn = ET.fromstring(draw(chart([99.0, 98.0, 98.0, 97.0], limit=98.5, bands=[band], high=100.0)))
    (rect,) = drawn.findall("rect")
    assert float(rect.attrib["x"]) == 64
    assert rect.find("title").text == "down <script>"  # type: ignore[union-attr]
    assert [line.attrib["class"] for line in drawn.findall("line")][-1] == "limit"


def test_one_value_throughout_still_has_an_axis() -> None:
    for value in (0.0, 100.0):
        drawn = ET.fromstring(draw(chart([value] * 4)))
        assert "nan" not in ET.tostring(drawn, "unicode")
    assert "100.00" in draw(chart([100.0] * 4, high=100.0))


def test_no_style_attribute_for_a_strict_policy() -> None:
    assert "style=" not in draw(chart([99.0, 98.0, None, 97.0], limit=98.5, high=100.0))
