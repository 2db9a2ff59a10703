"""The figures of a run: what is drawn where, in which colour, and how large the files are."""

import struct

import numpy as np
import pytest
from hand_made import DOCUMENT, FIRST, TEST

pytest.importorskip("matplotlib")

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
