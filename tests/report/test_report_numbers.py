"""Every number in the document of a run's page, against what is true of the run; and in its PNG files."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from uneven import CLASSES, COUNTS

import cynet
from cynet.report.curves import curves


# -- the test set -----------------------------------------------------------------------------------------
def test_the_test_set(document, truth):
    test = document["test"]
    assert test["classes"] == list(CLASSES) and test["samples"] == list(COUNTS["test"])
    assert test["confusion"] == truth.counts and test["unsure"] == 0
    assert test["accuracy"] == pytest.approx(truth.accuracy)
    assert test["loss"] == pytest.approx(truth.loss, rel=1e-4)
    for name, part in (("recall", truth.recall), ("precision", truth.precision)):
        wanted = [part(k) for k in range(3)]
        assert [value is None for value in test[name]] == [value is None for value in wanted]
        assert [value or 0 for value in test[name]] == pytest.approx([each or 0 for each in wanted], abs=1e-5)
    assert test["confused"] == [[i, j, n] for n, i, j in truth.mistakes()]


def test_the_calibration(document, truth):
    error, filled = truth.calibration()
    found = document["test"]["calibration"]
    assert found["error"] == pytest.approx(error, abs=1e-5)
    assert found["counts"] == [n for n, _, _ in filled]
    assert found["edges"] == pytest.approx([k / 15 for k in range(16)], abs=1e-5)
    for place, name in ((1, "confidence"), (2, "accuracy")):
        for value, row in zip(found[name], filled, strict=True):
            assert value is None if row[place] is None else value == pytest.approx(row[place], abs=1e-4)


def test_the_worst_mistakes(document, truth):
    wrong = [i for i, label in enumerate(truth.labels) if truth.chances[i].argmax() != label]
    wrong.sort(key=lambda i: -truth.chances[i].max())
    assert [each["index"] for each in document["mistakes"]] == wrong[:24]
    for each in document["mistakes"]:
        row = truth.chances[each["index"]]
        assert each["label"] == truth.labels[each["index"]]
        assert [k for k, _ in each["top"]] == list(np.argsort(-row))
        assert [p for _, p in each["top"]] == pytest.approx(sorted(row, reverse=True), abs=1e-4)


# -- curves and settings ----------------------------------------------------------------------------------
def test_the_rows_of_the_tables(document, truth, other_truth):
    assert [run["name"] for run in document["runs"]] == ["one", "other"]
    for run, true in zip(document["runs"], (truth, other_truth), strict=True):
        assert run["measure"] == "test" and list(run["epochs"]) == list(true.metrics)
        for name, values in true.metrics.items():
            assert run["epochs"][name] == pytest.approx(values, rel=1e-5), name
        assert run["steps"]["step"] == list(range(1, len(true.steps["step"]) + 1))
        for name in ("loss", "lr", "seconds"):
            assert run["steps"][name] == pytest.approx(true.steps[name], rel=1e-5, abs=1e-9), name
        assert run["steps"]["low"] == run["steps"]["high"] == run["steps"]["loss"]


def test_many_steps_are_means_between_their_least_and_greatest_that_end_at_the_last(tmp_path):
    from cynet.report.curves import curves
    from cynet.runs import contents

    losses = [(7 * k) % 1000 / 8 for k in range(1000)]
    rows = [f"{k + 1},1,{k / 1000},{loss},0.5,{k / 4}" for k, loss in enumerate(losses)]
    (tmp_path / "steps.csv").write_text("\n".join(["step,epoch,lr,loss,accuracy,seconds", *rows, ""]))
    (tmp_path / "metrics.csv").write_text("step,epoch\n")
    curve = curves(contents.read(tmp_path))["steps"]
    assert len(curve["step"]) == 400 and curve["step"][-1] == 1000 and curve["step"][0] == 2
    begin = 0
    for i, end in enumerate(curve["step"]):
        part = losses[begin:end]
        assert curve["loss"][i] == pytest.approx(sum(part) / len(part), rel=1e-5)
        assert (curve["low"][i], curve["high"][i]) == (min(part), max(part))
        assert curve["lr"][i] == pytest.approx((end - 1) / 1000) and curve["seconds"][i] == (end - 1) / 4
        begin = end


def test_the_settings_and_the_model(document, truth, uneven_runs):
    config = {name: (value, origin) for name, value, origin in document["config"]}
    assert config["lr"] == ("0.02", "flag") and config["batch_norm"] == ("yes", "default")
    model = document["model"]
    assert (model["name"], model["batch_norm"], model["data"]) == ("uwnet2", True, "uneven")
    assert model["parameters"] == sum(p.data.size for p in truth.model.parameters())
    assert model["macs"] == 16**2 * 8 * 27 + 8**2 * 16 * 72 + 4**2 * 32 * 144 + 512 * 3
    environment = json.loads((uneven_runs.one / "env.json").read_text())
    assert dict(document["environment"])["numpy"] == environment["numpy"]
    assert document["file"] == "last.safetensors" and document["cynet"] == cynet.__version__


# -- inside the model -------------------------------------------------------------------------------------
def test_the_batch_norms(document, truth):
    found = {row["path"]: row for row in document["norms"]}
    layers = {str(i): layer for i, layer in enumerate(truth.model.layers) if hasattr(layer, "running_var")}
    assert list(found) == list(layers)
    for path, layer in layers.items():
        values = {
            "mean": layer.running_mean, "deviation": layer.running_var**0.5, "gamma": layer.weight.data,
            "beta": layer.bias.data,
        }  # fmt: skip
        assert found[path]["channels"] == len(layer.running_mean)
        for name, value in values.items():
            five = [value.min(), *np.percentile(value.astype(float), (25, 50, 75)), value.max()]
            assert found[path][name] == pytest.approx(five, rel=1e-4, abs=1e-6), (path, name)


def test_the_filters_are_pictures_of_the_weights(document, truth):
    image = pytest.importorskip("PIL.Image")
    cynet.seed(0)
    first, last = cynet.models.create("uwnet2", classes=3)[0].weight.data, truth.model[0].weight.data
    shown = document["filters"]
    assert (shown["layer"], shown["count"], shown["shape"]) == ("0", 8, [3, 3, 3])
    scale = np.quantile(np.abs(np.concatenate([last, first])), 0.999)
    assert shown["scale"] == pytest.approx(float(scale), rel=1e-4)
    change = [np.linalg.norm(new - old) / np.linalg.norm(old) for new, old in zip(last, first, strict=True)]
    assert shown["change"] == pytest.approx(change, rel=1e-4)
    for name, weights in (("before", first), ("after", last)):
        for address, weight in zip(shown[name], weights, strict=True):
            with image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
                pixels = np.asarray(picture).astype(float)
            wanted = 127.5 + 127.5 * np.clip(weight.transpose(1, 2, 0) / scale, -1, 1)
            np.testing.assert_allclose(pixels, wanted, atol=0.6)


def test_the_times(document, truth):
    layers = document["layers"]
    assert layers["batch"] == 128 and layers["threads"] == 1
    x = np.zeros((1, 32, 32, 3), np.float32)
    for i, (layer, row) in enumerate(zip(truth.model.layers, layers["rows"], strict=True)):
        x = layer(x)
        assert row["path"] == str(i) and row["output"] == list(x.shape[1:])
        assert row["layer"].startswith(type(layer).__name__) and 0 <= row["forward"] < 60


# -- PNG files --------------------------------------------------------------------------------------------
def test_the_picture_of_the_confusion_matrix(document, truth):
    pytest.importorskip("matplotlib")
    from cynet.report import plots

    (axes,) = plots._confusion(document["test"]).axes
    found = [[0] * 3 for _ in CLASSES]
    for text in axes.texts:
        x, y = text.get_position()
        found[y][x] = int(text.get_text())
    assert found == truth.counts
    shares = [[n / sum(row) for n in row] for row in truth.counts]
    np.testing.assert_allclose(axes.images[0].get_array(), shares)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("prediction", "label")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == list(CLASSES)


def test_the_picture_of_the_curves(document, truth):
    pytest.importorskip("matplotlib")
    from cynet.report import plots

    loss, accuracy, rate = plots._curves(document["runs"][0]).axes
    metrics, steps = truth.metrics, truth.steps
    found = {line.get_label(): line.get_xydata().T for line in loss.lines}
    assert list(found) == ["training, by step", "training", "test"]
    for label, wanted in (
        ("training, by step", (steps["step"], steps["loss"])),
        ("training", (metrics["step"], metrics["train_loss"])),
        ("test", (metrics["step"], metrics["test_loss"])),
    ):
        np.testing.assert_allclose(found[label], wanted, rtol=1e-5)
    percents = [100 * value for value in metrics["test_accuracy"]]
    np.testing.assert_allclose(accuracy.lines[0].get_xydata().T, (metrics["step"], percents), rtol=1e-5)
    np.testing.assert_allclose(rate.lines[0].get_xydata().T, (steps["step"], steps["lr"]), rtol=1e-5)
    labels = [axes.get_ylabel() for axes in (loss, accuracy, rate)]
    assert labels == ["loss", "test accuracy, %", "learning rate"]


@pytest.mark.parametrize("count", [1, 399, 400, 401, 402, 1000, 4001])
def test_a_curve_of_many_evaluations_has_the_first_and_the_last(count):
    values = [float(i) for i in range(1, count + 1)]
    run = SimpleNamespace(epochs={"step": values, "test_accuracy": values}, steps={})
    thin = curves(run)["epochs"]
    assert thin["step"] == thin["test_accuracy"] and len(thin["step"]) == min(count, 400)
    assert (thin["step"][0], thin["step"][-1]) == (1, count) and thin["step"] == sorted(set(thin["step"]))


@pytest.mark.parametrize(("task", "plain", "wanted"), [
    ("language", {"label_smoothing": 0.0}, [round(np.e, 5), 1, None, None]),
    ("language", {"label_smoothing": 0.1}, None), ("language", {}, None),
    ("language", {"label_smoothing": None}, None), ("classify", {"label_smoothing": 0.0}, None),
])  # fmt: skip
def test_the_perplexity_of_training_is_told_of_a_text_known_to_be_learnt_without_smoothing(
    task, plain, wanted
):
    epochs = {"step": [1, 2, 3, 4], "train_loss": [1.0, 0.0, None, 700.5]}
    run = SimpleNamespace(epochs=epochs, steps={}, task=task, plain=plain)
    assert curves(run)["epochs"].get("train_perplexity") == (wanted and pytest.approx(wanted))


@pytest.mark.parametrize(("value", "shown"), [
    (1.23456789, 1.23457), (123456789.0, 123457000), (3.0, 3), (-0.000123456789, -0.000123457),
    (1e16, 1e16), (None, None),
])  # fmt: skip
def test_a_point_of_a_curve_has_six_digits(value, shown):
    run = SimpleNamespace(epochs={}, steps={"step": [1], "loss": [value]})
    found = curves(run)["steps"]
    assert found["loss"] == found["low"] == found["high"] == [shown]
    assert type(found["loss"][0]) is type(shown)
