"""The figures of a run: what is drawn where, in which colour, and how large the files are."""

import struct

import numpy as np
import pytest
from hand_made import DOCUMENT, FIRST, TEST

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex

from cynet.report import plots

BLUE, ORANGE, GREY = "#2563b0", "#c2570c", "#6b7280"


def lines(axis):
    return [(line.get_color(), line.get_label(), *map(list, line.get_data())) for line in axis.get_lines()]


def test_the_curves_of_steps_and_evaluations():
    figure = plots._curves(FIRST)
    loss, accuracy, rate = figure.axes
    epochs, steps = FIRST["epochs"], FIRST["steps"]
    assert lines(loss) == [
        (BLUE, "training, by step", steps["step"], steps["loss"]),
        (BLUE, "training", epochs["step"], epochs["train_loss"]),
        (ORANGE, "test", epochs["step"], epochs["test_loss"]),
    ]
    (band,) = loss.collections
    vertices = band.get_paths()[0].vertices
    for step, low, high in zip(steps["step"], steps["low"], steps["high"], strict=True):
        heights = vertices[vertices[:, 0] == step, 1]
        assert (heights.min(), heights.max()) == pytest.approx((low, high))
    ((color, _, at, percents),) = lines(accuracy)
    assert (color, at, percents) == (ORANGE, [10, 20, 30], pytest.approx([20, 70, 60]))
    assert lines(rate)[0][0] == GREY and rate.get_lines()[0].get_drawstyle() == "steps-pre"
    assert lines(rate)[0][2:] == (steps["step"], steps["lr"])
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "test accuracy, %", "learning rate"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "step"]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "training, by step", "training", "test"
    ]  # fmt: skip


def test_without_steps_the_rates_are_those_of_the_evaluations():
    run = FIRST | {"steps": {}, "measure": "validation"}
    run["epochs"] = {"step": [1, 2], "lr": [0.2, 0.1], "validation_loss": [1.0, None]}
    loss, accuracy, rate = plots._curves(run).axes
    ((color, label, at, losses),) = lines(loss)
    assert (color, label, at) == (ORANGE, "validation", [1, 2]) and losses[0] == 1 and np.isnan(losses[1])
    assert lines(accuracy) == [] and accuracy.get_ylabel() == "validation accuracy, %"
    assert lines(rate)[0][2:] == ([1, 2], [0.2, 0.1])
    nothing = plots._curves(run | {"epochs": {"step": [1]}}).axes
    assert nothing[0].get_legend() is None and not any(map(lines, nothing))


def test_a_cell_of_the_confusion_matrix_is_its_part_of_its_row():
    (axis,) = plots._confusion(TEST).axes
    counts = np.array(TEST["confusion"])
    np.testing.assert_allclose(axis.images[0].get_array(), counts / counts.sum(axis=1, keepdims=True))
    assert axis.images[0].get_clim() == (0, 1)
    found = {text.get_position(): (text.get_text(), text.get_color()) for text in axis.texts}
    assert found == {
        (0, 0): ("3", "white"), (1, 0): ("2", "black"), (1, 1): ("2", "white"), (1, 2): ("1", "black"),
        (2, 2): ("2", "white"),
    }  # fmt: skip


@pytest.mark.parametrize(("classes", "named"), [(30, True), (31, False)])
def test_of_many_classes_no_name_and_no_count_is_written(classes, named):
    test = {"confusion": np.eye(classes, dtype=int).tolist(), "classes": ["c$"] * classes}
    (axis,) = plots._confusion(test).axes
    assert len(axis.texts) == (classes if named else 0)
    assert ("c$" in [label.get_text() for label in axis.get_xticklabels()]) is named
    assert axis.images[0].get_array()[0].tolist() == [1] + [0] * (classes - 1)


def test_a_class_without_pictures_is_a_row_of_nothing():
    (axis,) = plots._confusion({"confusion": [[0, 0], [1, 1]], "classes": ["a", "b"]}).axes
    assert axis.images[0].get_array().tolist() == [[0, 0], [0.5, 0.5]]


@pytest.mark.parametrize(("known", "files"), [
    (("epochs", "steps", "test"), ["curves.png", "confusion.png"]), (("epochs",), ["curves.png"]),
    (("steps",), ["curves.png"]), (("test",), ["confusion.png"]), ((), []),
])  # fmt: skip
def test_what_is_not_known_is_not_drawn(tmp_path, known, files):
    run = FIRST | {name: {} for name in ("epochs", "steps") if name not in known}
    document = DOCUMENT | {"runs": [run], "test": TEST if "test" in known else None}
    found = plots.write(document, tmp_path / "plots")
    assert found == [tmp_path / "plots" / name for name in files]
    sizes = [struct.unpack(">II", path.read_bytes()[16:24]) for path in found]
    wanted = {"curves.png": (960, 840), "confusion.png": (960, 864)}
    assert sizes == [wanted[name] for name in files]
    assert (tmp_path / "plots").exists() == bool(files)


@pytest.mark.parametrize("labels", [1, 3, 30])
def test_the_legend_of_the_labels_lies_beside_the_bars(labels):
    each = {"ap": [1.0] * labels, "f1": [0.9] * labels}
    figure = plots._labels({"classes": [f"label {k}" for k in range(labels)], "each": each})
    plots._drawn(figure)
    (axis,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["average precision", "F1"]
    assert not legend.get_window_extent().overlaps(axis.get_window_extent())
    assert axis.get_legend() is None


def bars(container):
    return [(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in container]


def test_a_label_has_a_bar_of_its_average_precision_above_that_of_its_f1():
    each = {"ap": [0.5, 0.25, None], "f1": [0.75, 1.0, 0.0]}
    figure = plots._labels({"classes": ["ant", "b$", "line\nend"], "each": each})
    (axis,) = figure.axes
    precision, f1 = axis.containers
    np.testing.assert_allclose(bars(precision), [(0, 50, -0.2), (0, 25, 0.8), (0, np.nan, 1.8)])
    np.testing.assert_allclose(bars(f1), [(0, 75, 0.2), (0, 100, 1.2), (0, 0, 2.2)])
    assert [bar.get_height() for bar in (*precision, *f1)] == pytest.approx([0.38] * 6)
    colours = [{to_hex(bar.get_facecolor()) for bar in container} for container in (precision, f1)]
    assert colours == [{BLUE}, {ORANGE}]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ant", "b$", "line\\nend"]
    assert axis.get_yticks().tolist() == [0, 1, 2] and axis.yaxis_inverted()  # the first at the top
    assert axis.get_xlim() == (0, 100) and axis.get_xlabel() == "%"
    assert tuple(figure.get_size_inches()) == pytest.approx((8, 1.5 + 3 * 0.35))


def test_of_many_labels_the_first_thirty_are_drawn():
    names = [f"label {k}" for k in range(31)]
    each = {name: [k / 31 for k in range(31)] for name in ("ap", "f1")}
    (axis,) = plots._labels({"classes": names, "each": each}).axes
    assert [len(container) for container in axis.containers] == [30, 30]
    assert [label.get_text() for label in axis.get_yticklabels()] == names[:30]


def test_what_is_given_for_what_is_true_is_a_dot_about_the_line_of_no_error():
    test = {
        "classes": ["width$", "height\n"], "truth": [[1.0, 2.0, 4.0], [-1.0, None, 3.0]],
        "given": [[1.5, 0.5, 9.0], [0.0, 2.0, None]],
    }  # fmt: skip
    figure = plots._scatter(test)
    for axis, truth, given, ends in zip(
        figure.axes, test["truth"], test["given"], [(0.5, 9.0), (-1.0, 3.0)], strict=True
    ):
        line, dots = axis.get_lines()
        assert (line.get_linestyle(), *map(tuple, line.get_data())) == ("--", ends, ends)
        np.testing.assert_array_equal(dots.get_xdata(), np.array(truth, float))
        np.testing.assert_array_equal(dots.get_ydata(), np.array(given, float))
        assert (dots.get_marker(), dots.get_linestyle(), dots.get_color()) == (".", "None", BLUE)
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("true", "given")
    assert [axis.get_title() for axis in figure.axes] == ["width$", "height\\n"]


@pytest.mark.parametrize(("numbers", "drawn", "places", "size"), [
    (1, 1, 1, (4.5, 4.3)), (2, 2, 2, (9, 4.3)), (3, 3, 4, (9, 8.6)), (6, 6, 6, (9, 12.9)),
    (7, 6, 6, (9, 12.9)),
])  # fmt: skip
def test_numbers_are_drawn_two_in_a_row_the_first_six(numbers, drawn, places, size):
    names = [f"n{k}" for k in range(numbers)]
    rows = [[k, k + 1.0] for k in range(numbers)]
    figure = plots._scatter({"classes": names, "truth": rows, "given": rows})
    assert tuple(figure.get_size_inches()) == pytest.approx(size) and len(figure.axes) == places
    assert [axis.get_title() for axis in figure.axes if axis.axison] == names[:drawn]


@pytest.mark.parametrize(("task", "file"), [
    ("classify", "confusion.png"), ("multilabel", "labels.png"), ("regress", "scatter.png"),
    ("language", None),
])  # fmt: skip
def test_each_task_has_its_figure_beside_the_curves(tmp_path, task, file):
    each = {"ap": [0.5, 0.5, 1], "f1": [0.5, 0.5, 1]}
    test = TEST | {"each": each, "truth": [[1.0, 2.0]] * 3, "given": [[1.0, 2.0]] * 3}
    found = plots.write(DOCUMENT | {"task": task, "test": test}, tmp_path / "plots")
    wanted = ["curves.png", *filter(None, [file])]
    assert [path.name for path in found] == wanted
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(wanted)


@pytest.mark.parametrize(("task", "column", "words", "factor"), [
    ("multilabel", "ap", "test average precision, %", 100), ("regress", "rmse", "test RMSE", 1),
    ("language", "perplexity", "test perplexity", 1),
])  # fmt: skip
def test_the_score_of_a_task_is_drawn_in_its_own_unit(task, column, words, factor):
    epochs = {"step": [1, 2], f"test_{column}": [0.25, 0.5]}
    _, score, _ = plots._curves(FIRST | {"task": task, "epochs": epochs}).axes
    assert lines(score)[0][2:] == ([1, 2], [0.25 * factor, 0.5 * factor]) and score.get_ylabel() == words


def test_a_name_in_letters_that_the_font_has_not_is_drawn_as_boxes():
    test = {"confusion": [[1, 0], [0, 1]], "classes": ["\u4e2d", "\u6587"]}
    assert plots._drawn(plots._confusion(test)).startswith(b"\x89PNG")
