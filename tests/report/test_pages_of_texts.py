"""The page of a run on a text: curves of perplexity and accuracy, and nothing of pictures."""

import re

import pytest
from dom import CHROMIUM, browsed, parsed

from cynet import runs
from cynet.report import gather, page, plots
from cynet.report.writing import _times
from cynet.runs.weights import load_weights
from cynet.train import Settings

WRONG = re.compile(r"NaN|undefined|null|Infinity|\[object")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("text")
    (place / "own.txt").write_text("the quick brown fox jumps over the lazy dog. " * 30)
    settings = Settings(
        model="language_model", model_option='{"embedding": 4, "hidden": 6}', data="text",
        data_dir=str(place / "own.txt"), batch_size=8, sequence_length=10, epochs=2, optimizer="adam",
    )  # fmt: skip
    runs.start(settings, place / "run", report=False, say=None)
    return place / "run"


@pytest.fixture(scope="module")
def document(run):
    return gather.gather(runs.open(run))


def test_the_document_is_of_the_task(document):
    assert document["task"] == document["runs"][0]["task"] == "language" and document["notes"] == []
    test = document["test"]
    assert test["count"] == 268 and 1 < test["perplexity"] < 40 and 0 <= test["accuracy"] <= 1
    assert document["mistakes"] is None and document["filters"] is None
    assert document["model"]["batch_norm"] is False
    assert "test_perplexity" in document["runs"][0]["epochs"]


def test_its_layers_are_timed_with_tokens(run):
    model, facts = load_weights(run)
    rows = _times(model, facts.picture_shape)["rows"]
    assert [row["output"] for row in rows] == [[10, 4], [10, 6], [10, 28]]


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_page_without_an_error(document, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page.render(document))
    dom, console = browsed(path)
    assert console == []
    shown = parsed(dom)
    sections = [each["id"] for each in shown.all("section")]
    assert sections == ["curves", "layers", "compare", "configuration"]
    curves = shown.all("section", id="curves")[0].text
    assert "Perplexity" in curves and "Accuracy" in curves
    assert "268 tokens" in shown.text and not WRONG.search(curves)


def test_the_picture_file_is_that_of_the_curves(document, tmp_path):
    pytest.importorskip("matplotlib")
    assert [path.name for path in plots.write(document, tmp_path / "plots")] == [plots.CURVES]
