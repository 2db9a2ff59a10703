"""Where on the page of a hand-made document its figures' parts stand, in a real browser."""

import pytest
from dom import CHROMIUM

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip


def heights(tree):
    return [float(svg["viewbox"].split()[3]) for svg in tree.one("section", id="curves").all("svg")]


def test_the_frame_of_a_chart(used):
    assert heights(used[1]) == [280, 280, 130]
    for figure in used[1].one("section", id="curves").all("svg"):
        _, _, width, height = map(float, figure["viewbox"].split())
        *ticks, line = ([float(each[name]) for name in ("x1", "x2", "y1", "y2")]
                        for each in figure.all("line", class_="axis"))  # fmt: skip
        assert line == [52, width - 14, height - 24, height - 24]
        assert (
            all((x1, y1, y2) == (x2, height - 24, height - 20) for x1, x2, y1, y2 in ticks) and len(ticks) > 4
        )
        for each in figure.all("line", class_="grid"):
            assert (each["x1"], float(each["x2"]), each["y1"]) == ("52", width - 14, each["y2"])


def test_the_cells_of_the_matrix_stand_side_by_side(used):
    figure = used[1].one("section", id="confusion").one("svg")
    left, size = 3 * 6.7 + 10, 52
    top = 0.8 * left + 14
    cells = figure.all("rect", class_="cell")
    for k, cell in enumerate(cells):
        found = [float(cell[name]) for name in ("x", "y", "width", "height", "rx")]
        assert found == pytest.approx([left + k % 3 * size + 0.5, top + k // 3 * size + 0.5, 51, 51, 2])
    assert len(cells) == 9 and float(figure["viewbox"].split()[3]) == pytest.approx(top + 3 * size + 4)
    labels = figure.all("text", text_anchor="end")
    assert [(label.text, float(label["x"]), float(label["y"])) for label in labels] == [
        (name, pytest.approx(left - 8), pytest.approx(top + (k + 0.5) * size + 4))
        for k, name in enumerate(("ant", "bee", "cow"))
    ]
    counts = {text.text: text["style"] for text in figure.all("text", text_anchor="middle")}
    assert "--card" in counts["100"] and "font-size: 13px" in counts["100"].replace(
        "font-size:13", "font-size: 13"
    )


def test_the_boxes_of_the_norms_stand_at_their_numbers(used):
    figure = used[1].one("section", id="norms").all("svg")[0]
    width = float(figure["viewbox"].split()[2])
    left = 16 + 6.8  # names of one letter
    ticks = figure.all("text", text_anchor="middle")
    assert [text.text for text in ticks][:2] == ["−1", "0"]
    places = [(float(text["x"]), float(text.text.replace("−", "-"))) for text in ticks]
    scale = (width - left - 16) / 5  # from -1, the least, to 4, the greatest

    def x(value):
        return pytest.approx(left + (value + 1) * scale)

    assert all(at == x(value) for at, value in places)
    for five, row in zip(((-1, -0.5, 0, 0.5, 2), (0, 1, 2, 3, 4)), figure.all("g"), strict=True):
        (whole, median), (box,) = row.all("line"), row.all("rect")
        assert [float(whole["x1"]), float(whole["x2"])] == [x(five[0]), x(five[4])]
        assert float(box["x"]) == x(five[1]) and float(box["width"]) == pytest.approx(
            (five[3] - five[1]) * scale
        )
        assert float(median["x1"]) == float(median["x2"]) == x(five[2])
        assert (float(median["y2"]) - float(median["y1"]), float(box["height"])) == (12, 10)
