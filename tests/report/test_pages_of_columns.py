"""The page of a run of several labels, and of one of numbers: its numbers, and how a browser draws them."""

import re

import numpy as np
import pytest
from dom import CHROMIUM, browsed, parsed

from cynet import runs
from cynet.core.tasks import MEASURES
from cynet.data import ArrayDataset
from cynet.report import columns, findings, gather, page, plots
from cynet.train import LabelEvaluation, NumberEvaluation, Settings

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (40, 3)).astype(np.float32)
ODDS = np.clip(LABELS * 0.6 + RNG.random((40, 3)) * 0.4, 0, 1)
NUMBERS = RNG.standard_normal((40, 2)).astype(np.float32)
VALUES = NUMBERS + RNG.standard_normal((40, 2)) * [0.1, 0.5]
PICTURES = ArrayDataset(RNG.integers(0, 256, (40, 1, 4, 5), np.uint8), LABELS)
WRONG = re.compile("NaN|Infinity|undefined|null")


def test_what_is_told_of_labels():
    found = LabelEvaluation(0.3, ODDS, LABELS)
    told = columns.tested(found, ["a", "b", "c"])
    assert told["ap"] == pytest.approx(found.ap, rel=1e-4) and told["count"] == 40
    assert told["each"]["f1"] == pytest.approx(found.label_f1, rel=1e-4)
    assert told["samples"] == LABELS.sum(axis=0).tolist()
    for curve, (place, best) in zip(told["f1_at"], told["best"], strict=True):
        assert best == max(curve) and curve[told["thresholds"].index(place)] == best


def test_the_worst_mistakes_have_a_wrong_label_each_the_surest_first():
    odds = LABELS * 0.8 + 0.1
    odds[5, 1], odds[7, 0] = 1 - LABELS[5, 1], 0.7 - 0.4 * LABELS[7, 0]
    found = columns.mistakes(LabelEvaluation(0.3, odds, LABELS), PICTURES)
    assert [each["index"] for each in found] == [5, 7]
    assert found[0]["truth"] == LABELS[5].tolist() and found[0]["picture"].startswith("data:image/png")


def test_what_is_told_of_numbers():
    found = NumberEvaluation(0.3, VALUES, NUMBERS)
    told = columns.tested(found, ["a", "b"])
    assert [told[name] for name in MEASURES["regress"].columns] == pytest.approx(
        [found.rmse, found.mae, found.r2], rel=1e-4
    )
    np.testing.assert_allclose(told["truth"][1], NUMBERS[:, 1], rtol=1e-4)
    np.testing.assert_allclose(told["given"][0], VALUES[:, 0], rtol=1e-4)
    assert told["bias"] == pytest.approx((VALUES - NUMBERS).mean(axis=0), rel=1e-4)
    assert told["unsure"] == 0 and told["classes"] == ["a", "b"] and told["loss"] == 0.3
    for each, errors in zip(told["errors"], (VALUES - NUMBERS).T, strict=True):
        assert sum(each["counts"]) == 40 and each["edges"][0] == pytest.approx(-abs(errors).max(), rel=1e-4)
        most = np.abs(errors).max()
        assert each["counts"] == np.histogram(errors, columns.BINS, (-most, most))[0].tolist()


def test_the_numbers_that_are_furthest_off_for_their_spread_come_first():
    values = NUMBERS.astype(float).copy()
    values[3, 0] += 1
    values[9, 1] -= 2
    rows = ArrayDataset(np.zeros((40, 3), np.float32), NUMBERS)
    found = columns.mistakes(NumberEvaluation(0.3, values, NUMBERS), rows)
    assert [each["index"] for each in found] == [9, 3] and found[0]["picture"] is None


def test_how_far_off_a_number_is_counts_by_the_spread_of_the_labels():
    """Millimetres beside metres: an error of 900 of the wide ones is less than one of 0.5 of the narrow."""
    labels = np.stack([np.arange(-4000, 4000, 1000), np.linspace(-1, 1, 8)], axis=1).astype(np.float32)
    values = labels.astype(float)
    values[2, 0] += 900
    values[5, 1] -= 0.5
    values[6, 1] = np.nan
    rows = ArrayDataset(np.zeros((8, 3), np.float32), labels)
    found = columns.mistakes(NumberEvaluation(0.3, values, labels), rows)
    assert [each["index"] for each in found] == [5, 2]
    assert found[1]["given"] == [-1100, pytest.approx(-0.42857)] and found[1]["truth"][0] == -2000


def test_no_sample_that_is_right_and_no_more_than_asked_for_are_mistakes():
    values = NUMBERS.astype(float)
    values[:30] += 1 + np.arange(30)[:, None]
    rows = ArrayDataset(np.zeros((40, 3), np.float32), NUMBERS)
    found = NumberEvaluation(0.3, values, NUMBERS)
    assert [each["index"] for each in columns.mistakes(found, rows)] == list(range(29, 5, -1))
    assert [each["index"] for each in columns.mistakes(found, rows, 2)] == [29, 28]
    assert len(columns.mistakes(found, rows, 40)) == 30


def test_a_sample_without_a_prediction_is_no_mistake():
    odds = LABELS * 0.8 + 0.1
    odds[5, 1], odds[9] = 1 - LABELS[5, 1], [np.nan, 0.9, 0.1]
    labels = LABELS.copy()
    labels[9] = 0, 0, 1
    found = columns.mistakes(LabelEvaluation(0.3, odds, labels), PICTURES)
    assert [each["index"] for each in found] == [5]


def test_errors_that_are_all_nothing_lie_in_the_middle_of_one_to_either_side():
    values = np.zeros((6, 2))
    values[:, 1] = 0, 0, 2, -4, np.nan, np.inf
    told = columns.tested(NumberEvaluation(0.3, values, np.zeros((6, 2), np.float32)), ["a", "b"])
    none, some = told["errors"]
    assert (none["edges"][0], none["edges"][-1], len(none["counts"])) == (-1, 1, 41)
    assert {k: n for k, n in enumerate(none["counts"]) if n} == {20: 6}
    assert (some["edges"][0], some["edges"][-1]) == (-4, 4)
    assert {k: n for k, n in enumerate(some["counts"]) if n} == {0: 1, 20: 2, 30: 1}


@pytest.fixture(scope="module", params=["multilabel", "regress"])
def document(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    images = RNG.integers(0, 256, (40, 32, 32, 1), np.uint8)
    labels = LABELS if request.param == "multilabel" else NUMBERS
    names = ["cat & <b>", "dog", "$x_1$"][: labels.shape[1]]
    np.savez(place / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels, classes=names)
    settings = Settings(
        model="uwnet0", data=str(place / "a.npz"), batch_size=10, epochs=2, lr=0.001, workers=0
    )
    runs.start(settings, place / "run", report=False, say=None)
    return gather.gather(runs.open(place / "run"))


def test_the_document_is_of_the_task(document):
    task = document["task"]
    assert document["runs"][0]["task"] == task and document["missing"].keys() == {"layers"}
    assert MEASURES[task].score in document["test"] and document["notes"] == []
    assert document["mistakes"] and document["filters"]


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_page_without_an_error(document, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page.render(document))
    dom, console = browsed(path)
    assert console == []
    shown = parsed(dom)
    sections = [each["id"] for each in shown.all("section")]
    if document["task"] == "multilabel":
        assert sections[:4] == ["curves", "labels", "thresholds", "mistakes"]
        rows = shown.all("section", id="labels")[0].all("tr")
        assert [row.all("th")[0].text for row in rows[1:]] == ["cat & <b>", "dog", "$x_1$"]
        assert "Average precision" in shown.all("section", id="curves")[0].text
    else:
        assert sections[:5] == ["curves", "numbers", "scatter", "residuals", "mistakes"]
        assert len(shown.all("section", id="scatter")[0].all("circle", class_="dot")) == 40
        assert len(shown.all("section", id="residuals")[0].all("rect", class_="bin")) == columns.BINS
        assert "RMSE" in shown.all("section", id="curves")[0].text
    for section in shown.all("section"):
        assert not WRONG.search(section.text)


def test_the_picture_files_are_those_of_the_task(document, tmp_path):
    pytest.importorskip("matplotlib")
    names = [path.name for path in plots.write(document, tmp_path / "plots")]
    last = plots.LABELS if document["task"] == "multilabel" else plots.SCATTER
    assert names == [plots.CURVES, last]
    assert all((tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in names)


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize(("size", "wanted"), [((48, 64), 0.75), ((64, 48), 64 / 48), ((8, 8), 1.0)])
def test_pictures_keep_their_proportions(document, tmp_path, size, wanted):
    picture = findings.shown(RNG.integers(0, 256, (*size, 3), np.uint8))
    mistakes = [each | {"picture": picture} for each in document["mistakes"][:1]]
    images = "document.querySelectorAll('.pictures img')"
    told = f"{images}.forEach((e) => (e.dataset.box = e.clientHeight / e.clientWidth))"
    text = page.render(document | {"mistakes": mistakes})
    (tmp_path / "page.html").write_text(
        text.replace("</body>", f"<script>addEventListener('load', () => {told})</script></body>")
    )
    (image,) = parsed(browsed(tmp_path / "page.html")[0]).one("ul", class_="pictures").all("img")
    assert float(image["data-box"]) == pytest.approx(wanted, abs=0.02)


def test_the_best_threshold_is_in_the_middle_of_those_that_do_as_well():
    labels = np.array([[1.0], [1], [0], [0]], np.float32)
    told = columns.tested(LabelEvaluation(0.1, np.array([[0.9], [0.8], [0.2], [0.1]]), labels), ["a"])
    assert told["best"] == [[0.51, 1.0]]  # of 0.21 to 0.8


def test_a_label_is_wrong_on_the_page_where_it_counts_as_wrong():
    """From a half on it is said."""
    labels, odds = np.float32([[0], [1], [0], [1], [1]]), np.array([[0.5], [0.5], [0.49], [0.49], [np.nan]])
    found = LabelEvaluation(0.3, odds, labels)
    rows = ArrayDataset(np.zeros((5, 3), np.float32), labels)
    assert [each["index"] for each in columns.mistakes(found, rows)] == [3, 0] and found.accuracy == 0.4


def test_so_much_is_shown_of_many_samples():
    """From the first to the last; errors in bins of which one is about 0."""
    labels = np.arange(4000, dtype=np.float32)[:, None]
    told = columns.tested(NumberEvaluation(0.3, labels + np.linspace(-1, 1, 4000)[:, None], labels), ["a"])
    (truth,), (errors,) = told["truth"], told["errors"]
    assert len(truth) == 1500 and (truth[0], truth[-1]) == (0, 3999) and np.diff(truth).max() <= 3
    assert len(errors["counts"]) == 41 and errors["edges"][20] == -errors["edges"][21] != 0
    rows = ArrayDataset(np.zeros((4000, 3), np.float32), labels)
    assert len(columns.mistakes(NumberEvaluation(0.3, labels + 1.0, labels), rows)) == 24


def test_errors_that_are_no_numbers_are_in_no_bin_and_come_last():
    labels = np.zeros((5, 1), np.float32) + np.float32([[0], [1], [2], [3], [4]])
    values = labels + np.array([[np.nan], [0.5], [np.inf], [-1], [0]])
    found = NumberEvaluation(0.3, values, labels)
    told = columns.tested(found, ["a"])
    (errors,) = told["errors"]
    assert sum(errors["counts"]) == 3 and errors["edges"][-1] == 1 and told["unsure"] == 1
    assert told["bias"] == [None] and told["given"][0][:3] == [None, 1.5, None]
    rows = ArrayDataset(np.zeros((5, 3), np.float32), labels)
    assert [each["index"] for each in columns.mistakes(found, rows)] == [2, 3, 1]
