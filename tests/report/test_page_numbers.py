"""Every number that a browser shows on the page of a run, against what is true of the run."""

import json
import math

import numpy as np
import pytest
from dom import CHROMIUM, browsed, parsed
from uneven import CLASSES, COUNTS

import cynet

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip
NAMES, PICTURES = list(CLASSES), COUNTS["test"]


@pytest.fixture(scope="module")
def page(uneven_runs):
    """The page of run one as a browser shows it."""
    text, console = browsed(uneven_runs.one / "report.html", "--window-size=1400,900")
    assert console == []
    return parsed(text)


def section(page, name):
    return page.one("section", id=name)


def percent(part, digits=1):
    return "–" if part is None else f"{part * 100:.{digits}f} %"


def number(text):
    """A number as the page writes it."""
    return float(text.replace(",", "").replace("−", "-").removesuffix(" %").removesuffix(" s"))


def texts(node, tag, **attributes):
    return [found.text for found in node.all(tag, **attributes)]


# -- the head ---------------------------------------------------------------------------------------------
def test_the_tiles(page, truth):
    tiles = {
        label: [value, more]
        for label, value, more in (texts(tile, "div") for tile in page.all("div", class_="tile"))
    }
    metrics = truth.metrics
    assert tiles["Test accuracy"] == [percent(truth.accuracy, 2), "27 pictures"]
    best = max(metrics["test_accuracy"])
    epoch = metrics["epoch"][metrics["test_accuracy"].index(best)]
    assert tiles["Best on the way"] == [percent(best, 2), f"epoch {epoch:.0f}"]
    value, more = tiles["Calibration error"]
    assert value == percent(truth.calibration()[0], 2) and more.startswith("test loss ")
    assert number(more.removeprefix("test loss ")) == pytest.approx(truth.loss, rel=1e-3)
    assert tiles["Steps"] == ["20", "3 epochs"]
    value, more = tiles["Time"]
    seconds = metrics["seconds"][-1]
    assert number(value) == pytest.approx(seconds, rel=1e-2)
    assert number(more.removesuffix(" steps/s with evaluations")) == pytest.approx(20 / seconds, rel=1e-3)
    value, more = tiles["Parameters"]
    assert value == f"{sum(p.data.size for p in truth.model.parameters()):,}"
    assert more.endswith(" million MACs a picture")
    assert number(more.split()[0]) == pytest.approx(multiplications(truth.model) / 1e6, rel=1e-3)
    assert len(tiles) == 6


def multiplications(model):
    """Of one picture, summed over the layers."""
    total, x = 0, np.zeros((1, 32, 32, 3), np.float32)
    for layer in model.layers:
        x = layer(x)
        if isinstance(layer, (cynet.Conv2d, cynet.Linear)):
            total += layer.weight.data.size * int(np.prod(x.shape[1:-1]))
    return total


def test_the_head_and_the_foot(page):
    head = page.one("header")
    what = "uwnet2 with batch norm, trained on uneven · weights of last.safetensors"
    assert texts(head, "h1") == ["one"] and texts(head, "div", class_="lead") == [what]
    assert page.one("title").text == "one - cynet report"
    assert f"Written by cynet {cynet.__version__}." in page.one("footer").text


# -- the test set -----------------------------------------------------------------------------------------
def matrix(page):
    """(the confusion matrix's figure, the edges of its cells across and down, its numbers by row)."""
    figure = section(page, "confusion").one("div", class_="plot").one("svg")
    cells = figure.all("rect", class_="cell")
    across, down = (sorted({float(cell[name]) for cell in cells}) for name in "xy")
    found = [[0] * 3 for _ in NAMES]
    for text in figure.all("text", text_anchor="middle"):
        i = sum(edge < float(text["y"]) for edge in down) - 1
        j = sum(edge < float(text["x"]) for edge in across) - 1
        found[i][j] = int(text.text)
    return figure, across, down, found


def pressed(page):
    return texts(section(page, "confusion"), "button", aria_pressed="true")


def test_the_cells_of_the_confusion_matrix(page, truth):
    figure, across, down, found = matrix(page)
    assert found == truth.counts and pressed(page) == ["Counts"]
    assert "rows: label, columns: prediction" in section(page, "confusion").text
    for cell in figure.all("rect", class_="cell"):  # blue is right; the deeper, the more of its row
        i, j = down.index(float(cell["y"])), across.index(float(cell["x"]))
        style = cell["style"].replace(" ", "")
        if truth.counts[i][j]:
            assert ("--blue-rgb" if i == j else "--orange-rgb") in style
            depth = float(style.split("/")[1].split(")")[0])
            assert depth == pytest.approx(0.1 + 0.9 * math.sqrt(truth.counts[i][j] / PICTURES[i]), abs=1e-3)


def test_the_names_beside_the_confusion_matrix(page):
    figure, *_ = matrix(page)
    rows = sorted(figure.all("text", text_anchor="end"), key=lambda text: float(text["y"]))
    turned = [text for text in figure.all("text") if "rotate" in text.attributes.get("transform", "")]
    across = sorted(turned, key=lambda text: float(text["transform"].split("(")[1].split()[0]))
    assert [text.text for text in rows] == [text.text for text in across] == NAMES


def test_the_cells_of_a_narrow_confusion_matrix_are_percents_of_their_rows(uneven_runs, truth):
    narrow = parsed(browsed(uneven_runs.one / "report.html", "--window-size=500,900")[0])
    wanted = [[math.floor(100 * n / PICTURES[i] + 0.5) for n in row] for i, row in enumerate(truth.counts)]
    assert matrix(narrow)[3] == wanted and pressed(narrow) == ["% of the label"]


def test_the_most_frequent_mistakes(page, truth):
    items = section(page, "confusion").one("ol", class_="pairs").all("li")
    found = [(*texts(item, "span", class_="wrong"), *texts(item, "b"), item.text) for item in items]
    assert found == [
        (NAMES[j], str(n), f"{NAMES[i]} taken for {NAMES[j]}{n}") for n, i, j in truth.mistakes()
    ]


def test_recall_precision_and_pictures_of_each_class(page, truth):
    heading, *rows = section(page, "classes").one("table").rows()
    assert heading == ["Class", "Recall", "Precision", "Pictures"]
    assert rows == [
        [name, percent(truth.recall(k)), percent(truth.precision(k)), str(PICTURES[k])]
        for k, name in enumerate(NAMES)
    ]
    bars = [bar["style"] for bar in section(page, "classes").all("i") if "style" in bar.attributes]
    widths = [float(style.split(":")[1].strip(" ;%")) for style in bars]
    wanted = [part(k) or 0 for k in range(3) for part in (truth.recall, truth.precision)]
    assert widths == pytest.approx([100 * part for part in wanted], abs=0.01)
    hint = texts(section(page, "classes"), "p", class_="hint")[0]
    assert hint.startswith("Recall: the part of a class's pictures that is recognised. Precision: the part")


def test_the_calibration(page, truth):
    error, filled = truth.calibration()
    terms = section(page, "calibration").one("dl")
    sure = truth.chances.max(axis=1).mean()
    assert dict(zip(texts(terms, "dt"), texts(terms, "dd"), strict=True)) == {
        "Mean confidence": percent(sure), "Accuracy": percent(truth.accuracy),
        "Expected calibration error": percent(error, 2),
    }  # fmt: skip
    gap = sure - truth.accuracy
    words = "as sure as" if abs(gap) < 0.02 else "surer than" if gap > 0 else "right more often"
    assert words in section(page, "calibration").text
    figure = section(page, "calibration").one("div", class_="plot").one("svg")
    diagonal = next(line for line in figure.all("line") if "dasharray" in line.attributes.get("style", ""))
    whole = float(diagonal["y1"]) - float(diagonal["y2"])
    heights = {
        color: [float(bar["height"]) for bar in figure.all("rect") if f"--{color}" in bar["style"]]
        for color in ("blue", "orange", "grey")
    }
    known = [each for each in filled if each[0]]
    assert np.array(heights["blue"]) / whole == pytest.approx([right for _, _, right in known], abs=1e-3)
    gaps = [abs(sure - right) for _, sure, right in known]
    assert np.array(heights["orange"]) / whole == pytest.approx(gaps, abs=1e-3)
    parts = np.array([n for n, _, _ in filled])
    assert np.array(heights["grey"]) / max(heights["grey"]) == pytest.approx(parts / parts.max(), abs=1e-3)


def test_the_worst_mistakes(page, truth):
    wrong = [i for i, label in enumerate(truth.labels) if truth.chances[i].argmax() != label]
    wrong.sort(key=lambda i: -truth.chances[i].max())
    items = section(page, "mistakes").all("li")
    assert len(items) == min(24, len(wrong))
    for i, item in zip(wrong, items, strict=False):
        order = np.argsort(-truth.chances[i])
        taken, real = NAMES[order[0]], NAMES[truth.labels[i]]
        assert item.one("img")["alt"] == f"Test picture {i}: {real}, taken for {taken}"
        assert texts(item, "span", class_="wrong") == [taken]
        assert texts(item, "span", class_="truth") == [f"in truth {real}"]
        odds = texts(item.one("div", class_="odds"), "span")
        assert odds[::2] == [NAMES[k] for k in order]
        wanted = [100 * truth.chances[i][k] for k in order]
        assert list(map(number, odds[1::2])) == pytest.approx(wanted, abs=0.0501)


# -- curves -----------------------------------------------------------------------------------------------
def charts(page):
    return {chart.one("h3").text: chart for chart in section(page, "curves").all("div", class_="chart")}


def places(chart):
    """Functions from a value to its place, across and down, by the numbers at the axes."""
    figure, found = chart.one("svg"), []
    height = float(figure["viewbox"].split()[3])
    for name, anchor, lift in (("x", "middle", 0), ("y", "end", 4)):
        ticks = [text for text in figure.all("text", text_anchor=anchor) if "class" not in text.attributes]
        ticks = [text for text in ticks if (float(text["y"]) == height - 6) == (name == "x")]
        values, at = [number(text.text) for text in ticks], [float(text[name]) - lift for text in ticks]
        assert len(values) > 1
        found.append(np.poly1d(np.polyfit(values, at, 1)))
    return found


@pytest.mark.parametrize(
    ("title", "color", "name", "scale"),
    [
        ("Loss", "blue", "train_loss", 1), ("Loss", "orange", "test_loss", 1),
        ("Accuracy", "blue", "train_accuracy", 100), ("Accuracy", "orange", "test_accuracy", 100),
    ],
)  # fmt: skip
def test_the_dots_of_the_curves_lie_at_their_numbers(page, truth, title, color, name, scale):
    chart, steps = charts(page)[title], truth.metrics["step"]
    across, down = places(chart)
    dots = [
        (float(dot["cx"]), float(dot["cy"])) for dot in chart.one("svg").all("circle")
        if f"fill:var(--{color})" in dot.attributes.get("style", "").replace(" ", "")
    ]  # fmt: skip
    wanted = np.transpose([across(steps), down(np.multiply(scale, truth.metrics[name]))])
    assert np.array(dots) == pytest.approx(wanted, abs=0.6) and steps == [8, 16, 20]


def test_the_legends_tell_the_last_values(page, truth):
    metrics, steps = truth.metrics, truth.steps
    legends = {
        title: [span.text.rpartition(" ") for span in chart.one("div", class_="legend").children]
        for title, chart in charts(page).items()
    }
    *losses, _ = legends["Loss"]
    assert [name for name, _, _ in losses] == ["training, step by step", "training", "test"]
    wanted = [steps["loss"][-1], metrics["train_loss"][-1], metrics["test_loss"][-1]]
    assert [number(value) for _, _, value in losses] == pytest.approx(wanted, rel=1e-3)
    accuracies = ["".join(each) for each in legends["Accuracy"]]
    wanted = [percent(metrics[f"{name}_accuracy"][-1], 2) for name in ("train", "test")]
    assert accuracies == [f"training {wanted[0]}", f"test {wanted[1]}", "last values"]
    (name, _, value), _ = legends["Learning rate"]
    assert name == "learning rate" and float(value) == pytest.approx(steps["lr"][-1], rel=1e-3)


# -- inside the model -------------------------------------------------------------------------------------
def test_the_batch_norms_have_their_titles(page):
    titles = [title.partition(" – ")[0] for title in texts(section(page, "norms"), "h3")]
    assert titles == ["Running mean", "Running standard deviation", "γ, the scale", "β, the shift"]


def test_the_filters(page, truth, document):
    cynet.seed(0)
    first, last = cynet.models.create("uwnet2", classes=3)[0].weight.data, truth.model[0].weight.data
    items = section(page, "filters").all("li")
    for k, (item, new, old) in enumerate(zip(items, last, first, strict=True)):
        change = np.linalg.norm(new - old) / np.linalg.norm(old)
        text, part = item.one("div", class_="under").text.split(": ")
        assert text == str(k) and abs(number(part) - 100 * change) <= 0.5 + 1e-3
        before, after = item.all("img")
        assert (before["alt"], after["alt"]) == (f"Filter {k} before training", f"Filter {k} after training")
        assert before["src"] == document["filters"]["before"][k]
        assert after["src"] == document["filters"]["after"][k] != before["src"]


def test_the_times_are_milliseconds_forward_before_backward(page, truth, document):
    heading, *rows, last = section(page, "layers").one("table").rows()
    assert heading == ["Layer", "Output", "Forward", "Backward", ""]
    known, x = document["layers"]["rows"], np.zeros((1, 32, 32, 3), np.float32)
    for i, (layer, row, values) in enumerate(zip(truth.model.layers, rows, known, strict=True)):
        x = layer(x)
        assert row[0].startswith(f"{i} {type(layer).__name__}(")
        assert row[1] == " × ".join(map(str, x.shape[1:]))
        assert row[2:4] == [f"{1000 * values[name]:.3f}" for name in ("forward", "backward")]
    totals = [sum(1000 * row[name] for row in known) for name in ("forward", "backward")]
    assert last[0] == "All layers" and list(map(float, last[2:4])) == pytest.approx(totals, abs=0.01)
    assert "Milliseconds of a training step over 128 pictures" in section(page, "layers").text
    key = section(page, "layers").one("div", class_="legend").children
    assert [(span.text, "--blue" in span.one("span")["style"]) for span in key] == [
        ("forward", True), ("backward", False)
    ]  # fmt: skip


# -- two runs, settings -----------------------------------------------------------------------------------
def test_the_two_runs_are_compared_each_in_its_column(page, truth, other_truth):
    results, settings = (table.rows() for table in section(page, "compare").all("table"))
    assert results[0] == ["Result", "one", "other"] and settings[0][1:] == ["one", "other"]
    found = {row[0]: row[1:] for row in results[1:]}
    both = [truth.metrics, other_truth.metrics]
    assert found["Best test accuracy"] == [percent(max(each["test_accuracy"]), 2) for each in both]
    assert found["Last test accuracy"] == [percent(each["test_accuracy"][-1], 2) for each in both]
    for title, name in (
        ("Last test loss", "test_loss"), ("Last training loss", "train_loss"), ("Time", "seconds")
    ):  # fmt: skip
        assert list(map(number, found[title])) == pytest.approx([each[name][-1] for each in both], rel=5e-3)
    assert found["Steps"] == ["20", "12"] and len(found) == 6
    differ = {row[0]: row[1:] for row in settings[1:]}
    assert differ == {
        "batch_norm": ["True", "False"], "steps": ["20", "12"], "lr": ["0.02", "0.01"], "seed": ["0", "3"],
    }  # fmt: skip


def test_the_settings_and_the_environment(page, uneven_runs):
    settings, around = (table.rows() for table in section(page, "configuration").all("table"))
    assert settings[0] == ["Setting", "Value", "From"] and around[0] == ["What", "Value"]
    found = {row[0]: row[1:] for row in settings[1:]}
    assert found["lr"] == ["0.02", "flag"] and found["momentum"] == ["0.9", "default"]
    assert found["steps"] == ["20", "flag"] and found["batch_norm"] == ["yes", "default"]
    environment = json.loads((uneven_runs.one / "env.json").read_text())
    assert dict(around[1:])["numpy"] == environment["numpy"] == np.__version__
    command = "cynet train --data uneven --batch-size 8 --steps 20 --lr 0.02"
    assert texts(section(page, "configuration"), "pre") == [command]


def test_names_that_are_markup_are_text(page):
    assert "a" not in texts(page, "b") and len(page.all("script")) == 2
