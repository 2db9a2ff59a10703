"""The lab's charts: round numbers at the axes, and every point where its numbers say."""

from xml.etree import ElementTree

import pytest

from cynet.lab import charts, figures, roofline
from cynet.lab.charts import Chart, decades, short, ticks
from cynet.lab.contest import CYNET, NUMPY, OTHERS, TEXTBOOK, TORCH, YOURS
from cynet.lab.roofline import Times

LEFT, RIGHT, TOP, BOTTOM = 70, 570, 20, 334  # of the points, in a chart of 720 x 380


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((0, 3), [0, 0.5, 1, 1.5, 2, 2.5, 3]), ((0, 4), [0, 1, 2, 3, 4]), ((0, 200), [0, 50, 100, 150, 200]),
        ((0, 10), [0, 2, 4, 6, 8, 10]), ((0, 12), [0, 2, 4, 6, 8, 10, 12]), ((0, 19), [*range(0, 20, 2)]),
        ((3.5, 11.5), [4, 5, 6, 7, 8, 9, 10, 11]), ((-0.2, 0.2), [-0.2, -0.1, 0, 0.1, 0.2]),
        ((0, 0.3), [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
    ],
)  # fmt: skip
def test_an_axis_has_four_round_numbers_or_more(limits, wanted):
    assert ticks(limits, False) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((1, 100), [1, 10, 100]),
        ((0.02, 900), [0.1, 1, 10, 100]),
        ((0.01, 1000), [0.01, 0.1, 1, 10, 100, 1000]),
    ],
)
def test_a_logarithmic_axis_has_the_powers_of_ten(limits, wanted):
    assert ticks(limits, True) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([3, 20], (1, 100)), ([5], (1, 10)), ([10], (10, 100)), ([1, 10], (1, 10)), ([0.02, 0.5], (0.01, 1))],
)
def test_decades_are_around_the_values_and_one_at_least(values, wanted):
    assert decades(values) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.5, "999.5"), (1000, "1,000"), (-2500, "-2,500"), (12345.6, "12,346"), (9999999, "9,999,999"),
        (1e7, "1e+07"), (0.001, "0.001"), (0.123456, "0.1235"), (0, "0"), (100.0, "100"),
    ],
)  # fmt: skip
def test_numbers_at_an_axis_are_short(value, text):
    assert short(value) == text


def drawn(chart, title="t"):
    """(lines, texts, circles) of a chart: the paths' points, what is written where, circles' attributes."""
    root = ElementTree.fromstring(chart if isinstance(chart, str) else chart.svg(title))
    assert root.attrib == {"viewBox": "0 0 720 380", "width": "100%", "role": "img"}
    lines = [each.attrib for each in root.iter("path")]
    texts = {each.text: each.attrib for each in root.iter("text")}
    circles = [(each.attrib, each.findtext("title")) for each in root.iter("circle")]
    return root.findtext("title"), lines, texts, circles


def points(line):
    return [tuple(map(float, each.split())) for each in line["d"].removeprefix("M").split("L")]


def test_values_lie_between_the_ends_of_their_axis():
    chart = Chart((0, 10), (1, 100), ("a", "b"), (False, True))
    assert [chart.x(value) for value in (0, 5, 10)] == [LEFT, 320, RIGHT]
    assert [chart.y(value) for value in (1, 10, 100)] == pytest.approx([BOTTOM, 177, TOP])
    chart = Chart((1, 100), (0, 4), ("a", "b"), (True, False))
    assert [chart.x(value) for value in (1, 10, 100)] == pytest.approx([LEFT, 320, RIGHT])
    assert [chart.y(value) for value in (0, 1, 4)] == pytest.approx([BOTTOM, 255.5, TOP])
    assert Chart((3, 3), (0, 1), ("a", "b")).x(3) == LEFT  # of one value alone


def test_lines_of_the_axes_have_their_numbers_beside_them():
    title, lines, texts, _ = drawn(Chart((0, 4), (0, 200), ("steps & <rates>", "loss")), 'a < "b"')
    assert title == 'a < "b"'
    assert [line["d"] for line in lines[:5]] == [f"M{LEFT + 125 * n}.0 {TOP}V{BOTTOM}" for n in range(5)]
    heights = [BOTTOM - 78.5 * n for n in range(5)]
    assert [line["d"] for line in lines[5:]] == [f"M{LEFT} {y:.1f}H{RIGHT}" for y in heights]
    for n in (1, 2, 3, 4):
        label = texts[str(n)]
        assert (float(label["x"]), label["text-anchor"]) == (LEFT + 125 * n, "middle")
        assert BOTTOM < float(label["y"]) < 380 - 20
        label = texts[str(50 * n)]
        assert label["text-anchor"] == "end" and LEFT - 20 < float(label["x"]) < LEFT
        assert abs(float(label["y"]) - heights[n]) < 6
    across, up = texts["steps & <rates>"], texts["loss"]
    assert (float(across["x"]), across["text-anchor"]) == (320, "middle") and float(across["y"]) > 360
    assert up["transform"] == "translate(14 177) rotate(-90)" and up["text-anchor"] == "middle"


def test_a_line_goes_through_its_points_and_is_cut_off_at_the_edges():
    chart = Chart((0, 10), (0, 4), ("a", "b"))
    chart.line([(0, 4), (5, 2), (10, 0)], "red")
    chart.line([(-5, 9), (20, -3)], "blue", "6 4", 1)
    *_, plain, dashed = drawn(chart)[1]
    assert points(plain) == [(LEFT, TOP), (320, 177), (RIGHT, BOTTOM)]
    assert (plain["stroke"], plain["fill"], plain["stroke-width"]) == ("red", "none", "2")
    assert "stroke-dasharray" not in plain
    assert points(dashed) == [(LEFT, TOP), (RIGHT, BOTTOM)]
    assert (dashed["stroke"], dashed["stroke-dasharray"], dashed["stroke-width"]) == ("blue", "6 4", "1")


def test_names_stand_below_each_other_with_their_colours():
    chart = Chart((0, 10), (0, 4), ("a", "b"))
    chart.key("one & two", "red")
    chart.key("three", "blue", "6 4")
    _, lines, texts, _ = drawn(chart)
    heights = [float(texts[name]["y"]) for name in ("one & two", "three")]
    assert heights[1] - heights[0] == 20 and heights[0] > TOP
    for line, height, color in zip(lines[-2:], heights, ("red", "blue"), strict=True):
        place, _, length = line["d"].removeprefix("M").partition("h")
        x, y = map(float, place.split())
        assert line["stroke"] == color and x > RIGHT and 0 < height - y < 8
        assert x + float(length) < float(texts["three"]["x"]) < 720
    assert "stroke-dasharray" not in lines[-2] and lines[-1]["stroke-dasharray"] == "6 4"


def test_a_dot_lies_at_its_numbers_and_says_what_it_is():
    chart = Chart((1, 100), (1, 100), ("a", "b"), (True, True))
    chart.dot(10, 100, "red", "me & <you>")
    chart.dot(1, 1, "blue", "other", 3)
    (one, said), (other, _) = drawn(chart)[3]
    assert [float(one[key]) for key in ("cx", "cy", "r")] == [320, TOP, 5] and said == "me & <you>"
    assert [float(other[key]) for key in ("cx", "cy", "r")] == [LEFT, BOTTOM, 3]
    assert (one["fill"], other["fill"]) == ("red", "blue")


# -- the roofline -------------------------------------------------------------------------------------------
def row(who, seconds, flops, moved, n=8):
    told = {"holes": "step", "sizes": {"n": n}, "who": who}
    return told | {"seconds": seconds, "share": 1.0, "flops": flops, "bytes": moved}


# The ridge is at 10 operations a byte, where memory of 1 GB/s gives 10 GFLOP/s.
MACHINE = {"flops": 1e10, "bandwidth": 1e9, "threads": 2}
ROWS = [row(YOURS, 1e-3, 1e6, 1e7), row(NUMPY, 1e-3, 1e7, 1e5), row(CYNET, 0.1, 1e9, 1e8)]


def test_the_roof_rises_to_its_ridge_and_dots_lie_by_their_work():
    """Of 0.1 to 100 operations a byte, 1 to 100 (a decade at least) GFLOP/s."""
    title, lines, texts, circles = drawn(roofline.picture(Times(**MACHINE, rows=ROWS)))
    assert title.startswith("Roofline: ")
    assert {"operations per byte", "GFLOP/s", "the roof", YOURS, NUMPY, CYNET} <= set(texts)
    assert not {TEXTBOOK, TORCH} & set(texts)
    roof = next(points(line) for line in lines if line["stroke"] == "var(--ink)")
    third = (RIGHT - LEFT) / 3
    assert [x for x, _ in roof] == pytest.approx([LEFT, LEFT + 2 * third, RIGHT], abs=0.06)
    up = {float(text): float(place["y"]) for text, place in texts.items()
          if text in ("1", "10") and place["text-anchor"] == "end"}  # fmt: skip
    assert roof[0][1] == BOTTOM and roof[1][1] == roof[2][1] == pytest.approx(up[10] - 4)
    found = {said.partition(":")[0]: (circle, said) for circle, said in circles}
    assert [said.partition(":")[0] for _, said in circles] == [NUMPY, CYNET, YOURS]  # yours is on top
    places = {who: (float(circle["cx"]), float(circle["cy"])) for who, (circle, _) in found.items()}
    assert places[YOURS] == pytest.approx((LEFT, up[1] - 4), abs=0.06)
    assert places[NUMPY] == pytest.approx((RIGHT, up[10] - 4), abs=0.06)
    assert places[CYNET] == pytest.approx((LEFT + 2 * third, up[10] - 4), abs=0.06)
    assert found[CYNET][1] == f"{CYNET}: step, n 8: 100 ms, 10 GFLOP/s"
    assert float(found[YOURS][0]["r"]) > float(found[CYNET][0]["r"])


def test_each_contestant_has_a_colour_of_its_own_in_its_dots_and_its_name():
    rows = [row(who, 1e-3, 1e6, 1e6) for who in (YOURS, *OTHERS)]
    _, lines, texts, circles = drawn(roofline.picture(Times(**MACHINE, rows=rows)))
    colors = dict(zip((YOURS, *OTHERS), charts.COLORS, strict=True))
    assert len(set(colors.values())) == 5
    assert {said.partition(":")[0]: circle["fill"] for circle, said in circles} == colors
    keys = {
        line["d"].split()[1].partition("h")[0]: line["stroke"] for line in lines if line["d"].endswith("h18")
    }
    for who, color in colors.items():
        assert keys[str(int(float(texts[who]["y"]) - 4))] == color


def test_the_roofline_is_drawn_with_matplotlib_as_well(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(figures, "_png", lambda figure: figure)
    (axis,) = figures.roofline(Times(**MACHINE, rows=ROWS)).axes
    (roof,) = axis.get_lines()
    x, y = (list(each) for each in roof.get_data())
    assert x == pytest.approx([0.05, 10, 400])  # beyond the dots of both sides
    assert y == pytest.approx([0.05, 10, 10])
    dots = {each.get_label(): each.get_offsets().tolist() for each in axis.collections}
    assert dots == {YOURS: [pytest.approx([0.1, 1])], NUMPY: [pytest.approx([100, 10])],
                    CYNET: [pytest.approx([10, 10])]}  # fmt: skip
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("operations per byte", "GFLOP/s")
    assert [each.get_text() for each in axis.get_legend().get_texts()] == ["the roof", YOURS, NUMPY, CYNET]
    few = figures.roofline(Times(**MACHINE, rows=[row(YOURS, 1e-3, 1e6, 1e6)])).axes[0].get_lines()[0]
    assert list(few.get_xdata()) == pytest.approx([0.5, 10, 40])  # the ridge is in it


def test_curves_have_a_panel_each_with_steps_from_1(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(figures, "_png", lambda figure: figure)
    figure = figures.curves(
        [("one", [("a", "#b24c08", [3.0, 2.0], False)]), ("two", [("b", "#1d5fb0", [1.0], True)])]
    )
    one, other = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["one", "two"]
    (line,) = one.get_lines()
    assert (line.get_label(), line.get_color()) == ("a", "#b24c08")
    assert [list(each) for each in line.get_data()] == [[1, 2], [3, 2]]
    assert (one.get_ylabel(), other.get_ylabel()) == ("training loss", "")
    assert {axis.get_xlabel() for axis in figure.axes} == {"step"}
    assert one.get_ylim() == other.get_ylim() and figure.get_size_inches().tolist() == [8, 3.6]
    assert [each.get_text() for each in other.get_legend().get_texts()] == ["b"]


def test_figures_are_png():
    pytest.importorskip("matplotlib")
    assert figures.roofline(Times(**MACHINE, rows=ROWS))[:4] == b"\x89PNG"
