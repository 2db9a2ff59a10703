"""What the figures of a study and of the search for a rate show: their lines, not their colours' pixels."""

from math import nan

import numpy as np
import pytest
from test_study_numbers import RUNS, run

from cynet.core import drawing
from cynet.study import study_figures
from cynet.study.study import ANNEAL
from cynet.train import lr_find

pytest.importorskip("matplotlib")
RED, BLUE = study_figures.COLORS.values()


@pytest.fixture
def drawn(monkeypatch):
    """Figures in place of their PNGs."""
    monkeypatch.setattr(study_figures, "_png", lambda figure: figure)


def lines(axis):
    """[(colour, x, y), ...] of an axis."""
    return [
        (line.get_color(), *(np.asarray(part, float).round(6).tolist() for part in line.get_data()))
        for line in axis.get_lines()
    ]


def test_the_losses_stand_in_a_panel_for_each_rate(drawn):
    first, second, annealing = study_figures.loss(RUNS).axes
    assert [axis.get_title() for axis in (first, second, annealing)] == ["rate 0.1", "rate 1", "annealing"]
    assert lines(first) == [(RED, [1, 2, 3], [2, 1.25, 0.75]), (BLUE, [1, 2, 3], [1, 0.5, 0.25])]
    assert lines(second) == [(RED, [1], [3.0]), (RED, [1], [2.0]), (RED, [1], [2.0])]  # one diverged: a cross
    assert [line.get_marker() for line in second.get_lines()] == ["None", "None", "x"]
    shown = lines(annealing)
    assert shown[:2] == [(RED, [1, 2], [2, 1]), (RED, [3, 4], [0.75, 0.5])]
    assert shown[2:4] == [(BLUE, [1], [9.0]), (BLUE, [1], [3.0])]  # cut off at the highest that is shown
    assert shown[4] == ("grey", [2, 2], [0, 1]) and len(shown) == 5
    assert [(text.get_text(), text.get_position()) for text in annealing.texts] == [
        ("0.1", (1.0, 0.97)), ("0.01", (3.0, 0.97))
    ]  # fmt: skip
    assert first.get_ylim()[0] == 0 and first.get_ylim()[1] <= 3
    assert [axis.get_ylabel() for axis in (first, second, annealing)] == ["training loss", "", ""]


def test_a_band_is_one_deviation_wide(drawn):
    axis = study_figures.loss(RUNS).axes[0]
    band = axis.collections[0].get_paths()[0].vertices
    heights = [np.ptp(band[band[:, 0] == step, 1]) for step in (1, 2, 3)]
    assert heights == pytest.approx([0, 2 * np.std([1.5, 1.0], ddof=1), 2 * np.std([1.0, 0.5], ddof=1)])


@pytest.mark.parametrize(("rates", "wanted"), [(1, 1), (4, 4), (5, 5), (9, 9)])
def test_there_are_as_many_panels_as_rates(drawn, rates, wanted):
    figure = study_figures.loss([run(lr=0.1 * n) for n in range(1, rates + 1)])
    assert len(figure.axes) == wanted
    assert [axis.get_ylabel() != "" for axis in figure.axes] == [n % 4 == 0 for n in range(wanted)]


def test_accuracies_stand_over_the_rates_with_chance_and_the_annealed(drawn):
    (axis,) = study_figures.accuracy(RUNS, 0.1).axes
    shown = lines(axis)
    assert (RED, [1.0], [0.1]) in shown  # a cross where one diverged
    assert (RED, [0.1, 1.0], [0.6, 0.15]) in shown and (BLUE, [0.1], [0.85]) in shown
    assert (RED, [0, 1], [0.65, 0.65]) in shown and ("grey", [0, 1], [0.1, 0.1]) in shown
    assert axis.get_xscale() == "log" and axis.get_ylim() == (0, 1)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "1"]
    assert {text for *_, text in [axis.get_legend_handles_labels()] for text in text} == {
        "without batch norm", "with batch norm", "annealed, without batch norm",
        "chance (a cross: runs diverged)",
    }  # fmt: skip


def test_what_was_annealed_is_that_of_the_last_round(drawn):
    runs = [run(0.1, 0.9, steps=2, phase=ANNEAL), run(0.01, 0.5, steps=4, phase=ANNEAL)]
    runs += [run(0.01, 0.7, seed=1, steps=4, phase=ANNEAL), run(0.1, nan, seed=2, steps=9, phase=ANNEAL)]
    (axis,) = study_figures.accuracy(runs, 0.1).axes
    assert (RED, [0, 1], [0.6, 0.6]) in lines(axis)
    band = axis.patches[0].get_extents().transformed(axis.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx(
        (0.6 - np.std([0.5, 0.7], ddof=1), 0.6 + np.std([0.5, 0.7], ddof=1))
    )


def test_the_search_for_a_rate_is_drawn_with_its_suggestion(monkeypatch, tmp_path):
    figures, figure = [], drawing.figure_class()

    class Kept(figure):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            figures.append(self)

    monkeypatch.setattr(lr_find, "figure_class", lambda: Kept)
    found = lr_find.Found(
        np.array([0.001, 0.01, 0.1]), np.array([3.0, 2.0, 9.0]), np.array([3.0, 2.5, 2.75]), 0.02
    )
    lr_find.plot(found, tmp_path / "x.png")
    (axis,) = figures[0].axes
    assert [(x, y) for _, x, y in lines(axis)] == [
        ([0.001, 0.01, 0.1], [3, 2, 9]), ([0.001, 0.01, 0.1], [3, 2.5, 2.75]), ([0.02, 0.02], [0, 1]),
    ]  # fmt: skip
    assert axis.get_xscale() == "log" and axis.get_ylim() == pytest.approx((2.25, 4.125))
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        "loss of each step", "smooth", "suggestion: 0.02",
    ]  # fmt: skip
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_the_extra_is_named_and_its_words_are_kept_to_itself(monkeypatch):
    import logging
    import sys

    log = logging.getLogger("matplotlib")
    before = log.level
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib, .*: pip install 'cynet\[plots\]'"):
        drawing.figure_class()
    assert log.level == before


@pytest.mark.parametrize(("rates", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (4, 4, 1), (5, 4, 2)])
def test_a_figure_is_as_large_as_its_panels(drawn, rates, columns, rows):
    figure = study_figures.loss([run(lr=0.1 * n) for n in range(1, rates + 1)])
    assert figure.get_size_inches().tolist() == pytest.approx([2.9 * columns + 0.6, 2.5 * rows + 0.8])
    assert study_figures.accuracy(RUNS, 0.1).get_size_inches().tolist() == pytest.approx([7.5, 4.6])


def test_a_figure_is_a_png_of_few_colours():
    image = pytest.importorskip("PIL.Image")
    import io

    with image.open(io.BytesIO(study_figures.accuracy(RUNS, 0.1))) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (600, 368), "P")
        assert 16 < len(picture.convert("RGB").getcolors()) <= 64
        levels = {color for _, color in picture.convert("RGB").getcolors()}
    assert (255, 255, 255) in levels


def test_the_axes_say_what_they_are(drawn):
    (axis,) = study_figures.accuracy(RUNS, 0.1).axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("learning rate", "test accuracy")
    losses = study_figures.loss(RUNS)
    assert {axis.get_xlabel() for axis in losses.axes} == {"step"}
    (legend,) = losses.legends
    assert [text.get_text() for text in legend.get_texts()] == ["without batch norm", "with batch norm"]
    assert [line.get_color() for line in legend.get_lines()] == [RED, BLUE]
