"""Every flag of `bench` and `data` reaches what does the work, with its default where it is not given."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny  # noqa: F401

from cynet import cli
from cynet.bench import choices, cutting, environment, kernels, loading, peak, per_layer, processes, speed
from cynet.core import threads
from cynet.data import checking, inspection
from cynet.data import loading as data_loading
from cynet.data.sets import download

pytestmark = pytest.mark.usefixtures("one_thread")
MIB = 2**20
ALL = ("uwnet1", "uwnet2", "resnet20", "vgg_small")


class Report(SimpleNamespace):
    def text(self):
        return f"text of {self.command}"

    def markdown(self):
        return f"markdown of {self.command}"


@pytest.fixture
def called(monkeypatch):
    """What is called, with its arguments but for the one that shows progress."""
    calls = []
    monkeypatch.setattr(environment, "describe", lambda peer: {"peer": peer})
    monkeypatch.setattr(
        environment, "headline", lambda facts: f"peer {facts['peer']}, {threads.get_num_threads()}"
    )

    def note(module, name):
        def noted(*given, **more):
            given = [each for each in given if not callable(each)]
            calls.append((f"{module.__name__.rpartition('.')[2]}.{name}", *given))
            return Report(command=name) if name != "chosen" else "cases"

        monkeypatch.setattr(module, name, noted)

    for module, *names in (
        (speed, "measure"), (processes, "memory", "imports"), (loading, "speed", "cost", "training"),
        (cutting, "speed"),
        (peak, "measure", "report"), (per_layer, "measure"), (kernels, "chosen", "measure"),
    ):  # fmt: skip
        for name in names:
            note(module, name)
    return calls


def plan(training, models, sizes, counts=(), norm=True, repeat=None):
    return speed.Setup(training, models, sizes, counts, norm, None, repeat)


ROOF = Report(command="measure")


@pytest.mark.parametrize(("words", "wanted"), [
    ("train", [("speed.measure", plan(True, ALL, (128,)))]),
    ("infer", [("speed.measure", plan(False, ALL, (128, 1)))]),
    ("train --model uwnet1 --model uwnet2,uwnet1 --batch-size 2,4 --threads 1,2 --repeat 3 --no-batch-norm",
     [("speed.measure", plan(True, ("uwnet1", "uwnet2"), (2, 4), (1, 2), False, 3))]),
    ("memory", [("processes.memory", plan(True, ALL, (128,)), 3, 10)]),
    ("memory --steps 4 --repeat 2 --batch-size 8",
     [("processes.memory", plan(True, ALL, (8,), repeat=2), 2, 4)]),
    ("import", [("processes.imports", None, 15)]), ("import --repeat 2", [("processes.imports", None, 2)]),
    ("loader",
     [("loading.speed", 128, None, None), ("cutting.speed", None, None),
      ("loading.cost", 128, None), ("loading.training", 128, None)]),
    ("loader --batch-size 9 --repeat 2",
     [("loading.speed", 9, None, 2), ("cutting.speed", None, 2),
      ("loading.cost", 9, 2), ("loading.training", 9, 2)]),
    ("profile --batch-size 9 --repeat 2 --no-batch-norm",
     [("peak.measure",), ("per_layer.measure", "uwnet2", ROOF, 9, False, 2, None)]),
    ("kernels", [("kernels.chosen", ["uwnet0", *ALL], 128, True, None), ("peak.measure",),
                 ("kernels.measure", "cases", ROOF, (), None)]),
    ("kernels --largest 2 --only conv,pool --model uwnet1 --batch-size 3 --repeat 4",
     [("kernels.chosen", ["uwnet1"], 3, True, 2 * MIB), ("peak.measure",),
      ("kernels.measure", "cases", ROOF, ["conv", "pool"], 4)]),
    ("kernels --largest 0", [("kernels.chosen", ["uwnet0", *ALL], 128, True, 0), ("peak.measure",),
                             ("kernels.measure", "cases", ROOF, (), None)]),
    ("peak", [("peak.measure", None, choices.REPEATS["peak"]), ("peak.report", ROOF)]),
    ("peak --array-size 1.5 --repeat 2", [("peak.measure", 3 * MIB // 2, 2), ("peak.report", ROOF)]),
])  # fmt: skip
def test_what_is_measured_is_what_was_asked_for(called, capsys, words, wanted):
    assert cli.main(["bench", *words.split()]) == 0
    assert called == wanted
    out = capsys.readouterr().out
    assert out.startswith("text of " if len(wanted) < 3 or "kernels" in words else "speed\n\ntext of speed\n")
    assert out.endswith(f"\n\npeer None, {2 if '--threads' in words else 1}\n") and "markdown" not in out


def test_markdown_is_for_those_who_ask_and_has_a_heading_where_there_are_several(called, capsys):
    assert cli.main(["bench", "import", "--markdown"]) == 0
    assert capsys.readouterr().out == "markdown of imports\n\npeer None, 1\n"
    assert cli.main(["bench", "loader", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith(
        "### speed\n\nmarkdown of speed\n\n### speed\n\nmarkdown of speed\n\n### cost\n\nmarkdown of cost\n"
    )


# -- data --------------------------------------------------------------------------------------------------
@pytest.fixture
def drawn(monkeypatch):
    """What a mosaic is asked for, and with which pictures."""
    asked, load = [], data_loading.load

    def mosaic(dataset, transforms, columns, classes, seed, epoch):
        kinds = [
            (type(each).__name__, getattr(each, "padding", getattr(each, "size", None)))
            for each in transforms
        ]
        asked.append((len(dataset), kinds, columns, classes, seed, epoch))
        return np.zeros((10, 20, 3), np.uint8)

    def loaded(name, root=None, split="train", **more):
        asked.append((name, root, split, more))
        return load(name, root, split)

    monkeypatch.setattr(inspection, "mosaic", mosaic)
    monkeypatch.setattr(data_loading, "load", loaded)
    return asked


def test_what_is_drawn_is_what_was_asked_for(drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plain = {"split_seed": 0, "skip_damaged": False}
    assert cli.main(["data", "show", "tiny"]) == 0
    assert drawn == [
        ("tiny", None, "train", plain),
        (64, [("RandomCrop", 4), ("RandomFlip", None)], 10, 20, 0, 0),
    ]
    assert capsys.readouterr().out == "tiny-train.png: 40 x 20; rows from the top: a, b, c\n"
    del drawn[:]
    words = "--split test --columns 3 --classes 2 --padding 7 --cutout 5 --seed 8 --epoch 9 --split-seed 6"
    assert cli.main(["data", "show", "tiny", *words.split(), "--output", "x.png"]) == 0
    transforms = [("RandomCrop", 7), ("RandomFlip", None), ("Cutout", 5)]
    assert drawn == [("tiny", None, "test", plain | {"split_seed": 6}), (20, transforms, 3, 2, 8, 9)]
    assert capsys.readouterr().out == "x.png: 40 x 20; rows from the top: a, b\n"
    del drawn[:]
    assert cli.main(["data", "show", "tiny", "--no-augment", "--cutout", "5", "--output", "x.png"]) == 0
    assert drawn[1][1] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny-train.png", "x.png"]


@pytest.mark.parametrize(("words", "splits"), [
    ([], ["train", "test"]), (["--split", "train"], ["train"]), (["--split", "test"], ["test"])
])  # fmt: skip
def test_the_parts_that_are_checked(drawn, capsys, words, splits):
    assert cli.main(["data", "check", "tiny", "--split-seed", "4", *words]) == 0
    assert [(name, split, more["split_seed"]) for name, _, split, more in drawn] == [
        ("tiny", s, 4) for s in splits
    ]
    out = capsys.readouterr().out
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == splits


@pytest.mark.parametrize(("words", "variable", "wanted"), [
    ([], None, ("mnist", "data", None)), ([], "http://a/", ("mnist", "data", "http://a/")),
    (["--mirror", "https://b/"], "http://a/", ("mnist", "data", "https://b/")),
    (["--data-dir", "there"], None, ("mnist", "there", None)),
])  # fmt: skip
def test_what_is_fetched_comes_from_where_it_was_asked_for(monkeypatch, capsys, words, variable, wanted):
    calls = []
    monkeypatch.setattr(download, "fetch", lambda *given: calls.append(given) or [Path(__file__)])
    if variable is None:
        monkeypatch.delenv("CYNET_MIRROR", raising=False)
    else:
        monkeypatch.setenv("CYNET_MIRROR", variable)
    assert cli.main(["data", "fetch", "mnist", *words]) == 0
    assert calls == [wanted]


@pytest.mark.parametrize("words", [
    "evaluate gone", "predict gone a.npy", "export gone --onnx a.onnx",
    "language_model generate gone --prompt a",
])  # fmt: skip
def test_threads_are_those_that_were_asked_for_before_anything_is_read(capsys, words):
    before = threads.get_num_threads()
    try:
        for count in (3, 2):
            assert cli.main([*words.split(), "--threads", f"{count}"]) == 2
            assert threads.get_num_threads() == count
        assert cli.main(words.split()) == 2 and threads.get_num_threads() == 2
    finally:
        threads.set_num_threads(before)
    assert "cannot read gone" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["", "ftp://a/", "a"])
def test_an_address_that_is_none_is_refused_and_no_other_one_taken(monkeypatch, capsys, address):
    monkeypatch.setattr(download, "fetch", lambda *given: pytest.fail(f"fetched from {given}"))
    monkeypatch.setenv("CYNET_MIRROR", "http://a/")
    assert cli.main(["data", "fetch", "mnist", "--mirror", address]) == 2
    assert capsys.readouterr().err == (
        f"cynet data: error: --mirror: wanted an address with http:// or https://, got {address!r}\n"
    )


def test_a_verdict_on_a_number():
    assert checking._verdict(3, None) == "" and checking._verdict(3000, 3000) == ", as published"
    assert checking._verdict(3, 4000) == ", wanted 4,000"
