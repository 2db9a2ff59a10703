"""`cynet predict`: its lines and its JSON, field by field; its status."""

import json

import numpy as np
import pytest

import cynet
from cynet import cli
from cynet.core import png
from cynet.runs.facts import Facts
from cynet.train import load_weights, save_weights

pytest.importorskip("PIL")
pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES = ("zebra", "ant", "bumblebee")


@pytest.fixture
def weights(tmp_path):
    facts = Facts("uwnet2", True, "tiny", CLASSES, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    cynet.seed(2)
    save_weights(tmp_path / "w.safetensors", facts.create(), facts)
    return tmp_path / "w.safetensors"


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(3)
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        path.write_bytes(png.encode(rng.integers(0, 256, (32, 32, 3), np.uint8)))
    paths[1].write_bytes(b"none")
    return [str(path) for path in paths]


def said(capsys, *arguments):
    status = cli.main(["predict", *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


def wanted(weights, path):
    row = cynet.Predictor(weights)(path).probabilities[0]
    return sorted(zip(CLASSES, row.tolist(), strict=True), key=lambda pair: -pair[1])


def test_json_has_every_field(weights, pictures, capsys):
    status, out, err = said(capsys, weights, *pictures, "--json")
    found = json.loads(out)
    assert (status, err.count("\n")) == (1, 1) and err.startswith(f"error: {pictures[1]}: wanted a picture")
    assert list(found) == ["weights", "model", "data", "results"]
    assert (found["weights"], found["model"], found["data"]) == (str(weights), "uwnet2", "tiny")
    assert [list(each) for each in found["results"]] == [
        ["file", "classes"],
        ["file", "error"],
        ["file", "classes"],
    ]
    for result, path in zip(found["results"], pictures, strict=True):
        assert result["file"] == path
        if "classes" in result:
            assert [(each["class"], each["probability"]) for each in result["classes"]] == wanted(
                weights, path
            )
        else:
            assert err == f"error: {result['error']}\n"


@pytest.mark.parametrize("top", [1, 2, 5])
def test_the_lines_have_the_most_probable_classes(weights, pictures, capsys, top):
    status, out, err = said(capsys, weights, pictures[2], pictures[0], "--top", top)
    assert (status, err) == (0, "")
    lines = [f"{weights}: uwnet2 with batch norm, trained on tiny"]
    for path in (pictures[2], pictures[0]):
        pairs = wanted(weights, path)[:top]
        width = max(len(name) for name, _ in pairs)
        lines += [f"{path}:", *(f"  {name:<{width}}  {part:.4f}" for name, part in pairs)]
    assert out.splitlines() == lines


def test_the_five_best_are_shown_where_nobody_says_how_many(tmp_path, pictures, capsys):
    facts = Facts("uwnet2", False, "tiny", tuple("abcdefg"), (0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    save_weights(tmp_path / "w.safetensors", facts.create(), facts)
    status, out, _ = said(capsys, tmp_path / "w.safetensors", pictures[0])
    assert status == 0 and len(out.splitlines()) == 2 + 5
    assert out.startswith(f"{tmp_path / 'w.safetensors'}: uwnet2, trained on tiny\n")


def test_all_that_is_broken_is_told_and_the_status_says_so(weights, pictures, capsys):
    status, out, err = said(capsys, weights, pictures[1], "nowhere.png")
    assert status == 1 and out.count("\n") == 1 and err.count("\n") == 2
    assert err.splitlines()[1] == "error: nowhere.png: No such file or directory"
    assert said(capsys, weights, pictures[0], "--top", 0)[0] == 2


def test_threads_are_those_that_were_asked_for(weights, pictures, capsys):
    assert said(capsys, weights, pictures[0], "--threads", 2)[0] == 0
    assert cynet.get_num_threads() == 2
    assert load_weights(weights)[1].classes == CLASSES
