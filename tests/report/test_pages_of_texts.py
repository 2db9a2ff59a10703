"""The page of a run on a text: curves of perplexity and accuracy, and nothing of pictures."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from dom import CHROMIUM, browsed, parsed

from cynet import runs
from cynet.data.text import Text, TokenSet, Vocabulary
from cynet.nn.passes import no_grad
from cynet.report import gather, page, plots, texts, writing
from cynet.report.curves import curves
from cynet.report.writing import _times
from cynet.runs import contents
from cynet.runs.weights import load_weights
from cynet.train import Settings

CONTENT = "the quick brown fox jumps over the lazy dog. " * 30
WRONG = re.compile(r"NaN|undefined|null|Infinity|\[object")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("text")
    (place / "own.txt").write_text(CONTENT)
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
    assert document["mistakes"] is None and document["filters"] is None and "classes" not in test
    assert document["model"]["batch_norm"] is False
    assert "test_perplexity" in document["runs"][0]["epochs"]


def test_training_has_a_perplexity_where_its_loss_is_that_of_the_tokens(run, tmp_path):
    found = runs.open(run)
    epochs = curves(found)["epochs"]
    assert epochs["train_perplexity"] == pytest.approx(np.exp(epochs["train_loss"]), rel=1e-4)
    assert all(1 < value < 40 for value in epochs["train_perplexity"])
    found.epochs["train_loss"][0] = 1e6
    assert curves(found)["epochs"]["train_perplexity"][0] is None
    smoothed = shutil.copytree(run, tmp_path / "run")
    config = (smoothed / "config.toml").read_text()
    assert "label_smoothing = 0.0\n" in config
    (smoothed / "config.toml").write_text(config.replace("label_smoothing = 0.0", "label_smoothing = 0.1"))
    assert "train_perplexity" not in curves(runs.open(smoothed))["epochs"]


def test_the_passage_is_the_beginning_of_the_text_for_testing_by_the_last_weights(run, document):
    model, facts = load_weights(run)
    vocabulary = Vocabulary.from_dict(facts.vocabulary)
    passage, tokens = document["passage"], Text.of(CONTENT).test
    assert passage["level"] == "character" and len(passage["tokens"]) == len(tokens) == 270
    assert "".join(shown for shown, *_ in passage["tokens"]) == vocabulary.decode(tokens) == CONTENT[1080:]
    with no_grad():  # by itself, in one piece
        logits = model(tokens[None, :-1])[0].astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    given = odds[np.arange(269), tokens[1:]]
    (_, called, first, likeliest), *others = passage["tokens"]
    assert (called, first, likeliest) == ("“t”", None, [])
    np.testing.assert_allclose([p for _, _, p, _ in others], given, rtol=1e-4)
    assert passage["bits"] == pytest.approx(-np.log2(given).mean(), rel=1e-4)
    for (_, _, _, found), row in zip(others, odds, strict=True):
        assert [p for _, p in found] == pytest.approx(np.sort(row)[:-4:-1].tolist(), rel=1e-4)
    names = {" ": "space"} | {letter: f"“{letter}”" for letter in vocabulary.entries if letter != " "}
    assert [found[0][0] for *_, found in others] == [
        names[vocabulary.entries[k]] for k in odds.argmax(axis=1)
    ]
    assert [called for _, called, *_ in others] == [names[letter] for letter in CONTENT[1081:]]


def test_a_passage_is_of_600_characters_at_most(run):
    model, facts = load_weights(run)
    vocabulary = Vocabulary.from_dict(facts.vocabulary)
    for there, wanted in ((599, 599), (600, 600), (601, 600), (900, 600)):
        found = texts.passage(model, TokenSet(np.arange(there) % 28, 10, vocabulary))["tokens"]
        assert len(found) == wanted and sum(p is not None for _, _, p, _ in found) == wanted - 1


def test_the_samples_are_those_of_the_run(run, document):
    columns = contents.read(run).samples
    assert [row["epoch"] for row in document["samples"]] == [1, 2]
    assert [row["sample"] for row in document["samples"]] == columns["sample"]


def test_of_many_samples_the_first_the_last_and_some_between_are_shown():
    names = "step", "epoch", "prompt", "max", "sample", "beam"
    columns = {name: list(range(1, 101)) for name in names[:2]} | {name: ["x"] * 100 for name in names[2:]}
    assert [row["epoch"] for row in texts.samples(columns)] == [1, 15, 29, 43, 58, 72, 86, 100]
    short = {name: values[:8] for name, values in columns.items()}
    assert [row["epoch"] for row in texts.samples(short)] == list(range(1, 9))
    assert texts.samples({}) is None and texts.samples({name: [] for name in names}) is None


def test_what_cannot_be_shown_is_spelled():
    row = {"step": [1], "epoch": [1], "prompt": ["a\u202eb\n\x00"], "max": ["\ud800"], "sample": [""],
           "beam": ["é"]}  # fmt: skip
    (found,) = texts.samples(row)
    assert (found["prompt"], found["max"], found["beam"]) == ("a\\u202eb\n\\x00", "\\ud800", "é")
    vocabulary = Vocabulary("\t\n ab\u202e", unknown=True)
    told = [texts._told(TokenSet(np.arange(7), 2, vocabulary), k) for k in range(7)]
    assert told == [
        ("⇥", "tab"), ("↵\n", "line end"), (" ", "space"), ("a", "“a”"), ("b", "“b”"),
        ("\\u202e", "“\\u202e”"), ("\ufffd", "an unknown character"),
    ]  # fmt: skip
    words = TokenSet(np.arange(2), 2, Vocabulary(["<b>"], "word", True))
    assert [texts._told(words, k) for k in range(2)] == [("<b>", "“<b>”"), ("<unk>", "an unknown word")]
    assert texts._told(TokenSet(np.arange(9), 2), 12) == ("12", "token 12")


def test_what_the_unknown_token_is_is_told_where_there_is_one(document):
    assert document["unknown"] is None
    rare = "in place of each that is not in the text for training, or too rare there to be learnt"
    for entries, level, shown, written in (
        ("ab", "character", "\ufffd", ""),
        (["a", "b"], "word", "<unk>", " Where most words are, max and beam write little else."),
    ):
        told = Vocabulary(entries, level, unknown=True).to_dict()
        found = texts.unknown(SimpleNamespace(vocabulary=told))
        assert found == {"shown": shown, "means": f"the unknown {level}, {rare}.", "written": written}
        assert texts.unknown(SimpleNamespace(vocabulary=Vocabulary(entries, level).to_dict())) is None
    assert texts.unknown(SimpleNamespace(vocabulary=None)) is None


def test_a_page_without_the_text_keeps_its_samples_and_says_why(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    found = gather.gather(runs.open(other), data_dir=str(tmp_path / "gone.txt"))
    assert found["passage"] is None and len(found["samples"]) == 2
    assert "The test set could not be read: " in found["missing"]["test"] and "Errno" not in str(
        found["missing"]
    )
    (other / "samples.jsonl").unlink()
    found = gather.gather(runs.open(other))
    assert found["samples"] is None and found["notes"] == [] and found["passage"] is not None
    assert found["missing"]["samples"].startswith("There are none: samples.jsonl holds no row. Nets of ")
    (other / "samples.jsonl").write_text("odd\n")
    found = gather.gather(runs.open(other))
    assert found["notes"] == ["samples.jsonl: lines that are no rows are left out: 1"]
    (other / "samples.jsonl").unlink()
    (other / "samples.jsonl").symlink_to("nowhere")
    found = gather.gather(runs.open(other))
    assert "samples.jsonl cannot be read: wanted a regular file, got a link" in found["notes"][0]


def test_its_layers_are_timed_with_tokens(run):
    model, facts = load_weights(run)
    rows = _times(model, facts.picture_shape, 8)["rows"]
    assert [row["output"] for row in rows] == [[10, 4], [10, 6], [10, 28]]


@pytest.mark.parametrize(("task", "own", "wanted"), [
    ("language", 8, 8), ("language", 1, 1), ("language", 127, 127), ("language", 256, 128),
    ("language", None, 128), ("language", "8", 128), ("language", 0, 128), (None, 8, 128),
])  # fmt: skip
def test_its_layers_are_timed_in_batches_as_those_of_the_run(run, monkeypatch, task, own, wanted):
    monkeypatch.setattr(writing, "REPEAT", 1)
    timed = writing._timed(SimpleNamespace(plain={"task": task, "batch_size": own}))
    model, facts = load_weights(run)
    assert timed(model, facts.picture_shape)["batch"] == wanted


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_page_without_an_error(document, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page.render(document))
    dom, console = browsed(path)
    assert console == []
    shown = parsed(dom)
    sections = [each["id"] for each in shown.all("section")]
    assert sections == ["curves", "passage", "samples", "layers", "compare", "configuration"]
    for word in ("picture", "image", "class", "NaN", "undefined"):  # of which a text has none
        assert not re.search(rf"\b{word}", shown.one("main").text), word
    drawn = shown.all("section", id="curves")[0]
    charts = {
        chart.one("h3").text: chart.one("svg")["aria-label"] for chart in drawn.all("div", class_="chart")
    }
    assert "training: last " in charts["Perplexity"] and "test: last " in charts["Perplexity"]
    assert "training: last " in charts["Accuracy"]
    assert "268 tokens" in shown.text and not WRONG.search(drawn.text)


def test_the_picture_file_is_that_of_the_curves(document, tmp_path):
    pytest.importorskip("matplotlib")
    assert [path.name for path in plots.write(document, tmp_path / "plots")] == [plots.CURVES]
