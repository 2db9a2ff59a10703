"""Predictor: the same pictures give the same bytes, in whatever form, batch, thread or process they come."""

import copy
import json
import multiprocessing
import pickle
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import environment_of, run_python

import cynet
from cynet import cli
from cynet.core import png
from cynet.data.images import kinds
from cynet.runs.facts import Facts
from cynet.runs.predictor import Predicted
from cynet.train import save_weights

RNG = np.random.default_rng(0)
CLASSES = ("a", "b", "c")


def saved(path, shape=(32, 32, 3), resize="crop", seed=1):
    """A weights file of a resnet20 that knows nothing."""
    channels = shape[2]
    facts = Facts("resnet20", True, "x", CLASSES, (0.5,) * channels, (0.2,) * channels, shape, resize)
    cynet.seed(seed)
    save_weights(path, facts.create(), facts)
    return path


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return cynet.Predictor(saved(tmp_path_factory.mktemp("w") / "w.safetensors"))


@pytest.fixture(scope="module")
def arrays():
    return RNG.integers(0, 256, (7, 32, 32, 3), np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """A folder with 5 pictures of several sizes, and what is none."""
    pytest.importorskip("PIL")
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / ".thumbs").mkdir()
    names = "b.png", "a.png", "deep/c.png", "d.PNG", "e.png", ".hidden.png", ".thumbs/x.png"
    for i, name in enumerate(names):
        (folder / name).write_bytes(png.encode(RNG.integers(0, 256, (30 + i, 40, 3), np.uint8)))
    (folder / "note.txt").write_text("none")
    (folder / "gone.png").symlink_to("nowhere")
    return folder


SORTED = "a.png", "b.png", "d.PNG", "deep/c.png", "e.png"


def test_probabilities_are_those_of_the_model(predictor, arrays):
    found = predictor(arrays)
    x = ((arrays / 255 - 0.5) / 0.2).astype(np.float32)
    with cynet.no_grad():
        logits = predictor.model(x).astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-5)
    assert (found.probabilities.dtype, found.probabilities.shape) == (np.float64, (7, 3))
    assert found.classes == predictor.classes == CLASSES and len(found) == 7
    assert found.labels.tolist() == wanted.argmax(axis=1).tolist()
    assert found.predicted == tuple(CLASSES[k] for k in found.labels)
    assert found.names == tuple(f"picture {i}" for i in range(7))
    assert [name for name, _ in found.top(0)] == [CLASSES[k] for k in np.argsort(-wanted[0])]
    assert found.top(0, 1) == [(found.predicted[0], found.probabilities[0].max())]


def test_no_probability_depends_on_the_batch(predictor, arrays):
    whole = predictor(arrays).probabilities
    for size in (1, 3, 7):
        other = cynet.Predictor(predictor.path, batch_size=size)
        np.testing.assert_array_equal(other(arrays).probabilities, whole)
    np.testing.assert_array_equal(predictor(arrays[3]).probabilities, whole[3:4])
    np.testing.assert_array_equal(predictor([arrays[4], arrays[:2]]).probabilities, whole[[4, 0, 1]])


def test_the_command_gives_the_same_bytes(predictor, pictures, capsys):
    assert cli.main(["predict", str(predictor.path), str(pictures), "--json", "--top", "3"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    found = predictor(pictures)
    assert [result["file"] for result in results] == list(found.names)
    for result, row in zip(results, found.probabilities, strict=True):
        told = {each["class"]: each["probability"] for each in result["classes"]}
        assert [told[name] for name in CLASSES] == row.tolist()


def test_a_folder_is_its_pictures_by_name_without_hidden_ones(predictor, pictures, capsys):
    found = predictor(pictures)
    assert found.names == tuple(str(pictures / name) for name in SORTED)
    assert predictor([str(pictures / "b.png"), pictures]).names == (str(pictures / "b.png"), *found.names)
    assert cli.main(["predict", str(predictor.path), str(pictures)]) == 0
    assert "that are not read as pictures are left out: 1 .txt\n" in capsys.readouterr().err


def test_files_arrays_and_pillows_pictures_are_the_same(predictor, pictures):
    image = pytest.importorskip("PIL.Image")
    path = pictures / "a.png"
    wanted = predictor(path).probabilities
    with image.open(path) as picture:
        for form in (str(path), [path], picture, np.asarray(picture), [np.asarray(picture)]):
            np.testing.assert_array_equal(predictor(form).probabilities, wanted)
        clear = picture.convert("RGBA")
        np.testing.assert_array_equal(predictor(np.asarray(clear)).probabilities, wanted)
    assert predictor([]).probabilities.shape == (0, 3)
    assert predictor(iter([path, path])).names == (str(path), str(path))


def test_grey_and_colour_go_into_each_other(tmp_path, predictor):
    pytest.importorskip("PIL")
    grey = RNG.integers(0, 256, (32, 32), np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(predictor(grey).probabilities, predictor(colour).probabilities)
    np.testing.assert_array_equal(predictor(grey[..., None]).probabilities, predictor(colour).probabilities)
    of_grey = cynet.Predictor(saved(tmp_path / "g", (32, 32, 1)))
    wanted = of_grey(grey).probabilities
    for form in (colour, grey[..., None], grey[None, ..., None], np.stack([grey] * 5)):
        np.testing.assert_array_equal(of_grey(form).probabilities[-1:], wanted)


def test_arrays_of_the_models_own_size_take_no_pillow(tmp_path, arrays, predictor, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert len(predictor(arrays)) == 7
    odd = cynet.Predictor(saved(tmp_path / "five", (20, 24, 5)))
    assert len(odd(np.zeros((2, 20, 24, 5), np.uint8))) == 2
    with pytest.raises(ValueError, match="picture 0: wanted an array of 20 x 24 with 5 channels"):
        odd(np.zeros((9, 24, 5), np.uint8))
    with pytest.raises(ImportError, match=r"cynet\[images\]"):
        predictor(arrays[:, :9])


@pytest.mark.parametrize(
    ("shape", "resize"), [((48, 48, 3), "crop"), ((48, 24, 3), "stretch"), ((9, 9, 1), "crop")]
)
def test_a_model_of_another_size_sees_pictures_at_its_own(tmp_path, pictures, shape, resize):
    from cynet.data.images.pictures import Fit, read

    predictor = cynet.Predictor(saved(tmp_path / "w", shape, resize))
    height, width, channels = shape
    pixels = read(pictures / "a.png", Fit((height, width), resize, channels))
    wanted = predictor(np.ascontiguousarray(pixels.transpose(1, 2, 0))).probabilities
    np.testing.assert_array_equal(predictor(pictures / "a.png").probabilities, wanted)


def test_which_weights_of_a_run(tmp_path):
    saved(tmp_path / "last.safetensors")
    saved(tmp_path / "best.safetensors", seed=2)
    picture = np.full((32, 32, 3), 99, np.uint8)
    last, best = (cynet.Predictor(tmp_path, which)(picture).probabilities for which in (None, "best"))
    assert not np.array_equal(last, best)
    with pytest.raises(FileNotFoundError, match=r"no best\.safetensors"):
        cynet.Predictor(tmp_path / "..", "best")


# -- what is no picture ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (None, TypeError, "pictures: wanted paths, uint8 arrays or Pillow's pictures, or a sequence of them"),
        (3, TypeError, "got int"),
        (b"a.png", TypeError, "got bytes"),
        ([3.5], TypeError, "got float 3.5"),
        ([[1, 2]], TypeError, "got list"),
        (np.zeros((32, 32, 3)), TypeError, "wanted arrays of uint8, 0 to 255, got float64 from 0.0 to 0.0"),
        (np.zeros((0, 32, 3), np.uint8), ValueError, r"got \(0, 32, 3\)"),
        (np.zeros((3, 32, 32), np.uint8), ValueError, r"got \(3, 32, 32\)"),
        (np.zeros((5, 3, 32, 32), np.uint8), ValueError, r"got \(5, 3, 32, 32\)"),
        (np.zeros(5, np.uint8), ValueError, r"got \(5,\)"),
        (np.array(5, np.uint8), ValueError, r"got \(\)"),
        ("nowhere.png", FileNotFoundError, "nowhere.png"),
    ],
)
def test_what_is_no_picture_is_named(predictor, given, kind, words):
    pytest.importorskip("PIL")
    with pytest.raises(kind, match=words):
        predictor(given)


def test_broken_files_are_named_together(predictor, pictures, tmp_path):
    (pictures / "a.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"a.png: wanted a picture"):
        predictor(pictures)
    (pictures / "e.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"2 of 5 pictures: .*a.png: wanted .*; .*e.png: wanted"):
        predictor(pictures)
    answers = list(predictor.answers(pictures))
    assert [answer.error is None for answer in answers] == [False, True, True, True, False]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: wanted a folder with pictures, got none"):
        predictor(tmp_path / "empty")


def test_a_model_that_gives_nan_is_told(tmp_path, arrays):
    predictor = cynet.Predictor(saved(tmp_path / "w"))
    predictor.model = copy.deepcopy(predictor.model)
    for parameter in predictor.model.parameters():
        parameter.data[...] = np.nan
    with pytest.raises(ValueError, match="picture 0: the model gives NaN"):
        predictor(arrays[0])


def test_one_number_that_is_nan_is_told_of_several(tmp_path, monkeypatch, arrays):
    predictor = cynet.Predictor(saved(tmp_path / "w"))
    rows = np.array([[0.5, 0.25, 0.25], [0.5, np.nan, 0.25], [np.nan] * 3])
    monkeypatch.setattr(predictor, "_probabilities", lambda images: rows)
    answers = list(predictor.answers(arrays[:3]))
    assert [answer.error is None for answer in answers] == [True, False, False]
    assert str(answers[1].error) == "picture 1: the model gives NaN"


def test_the_weights_cannot_change_here_and_in_another_process(predictor):
    for one in (predictor, pickle.loads(pickle.dumps(predictor))):
        parameters = one.model.parameters()
        assert parameters and all(parameter.is_sealed for parameter in parameters)
        with pytest.raises(
            ValueError, match=r"wanted a parameter that can change, got a sealed one \(set its"
        ):
            cynet.SGD(parameters, lr=0.1)


@pytest.mark.parametrize("given", [lambda net: net, lambda net: lambda input_shape, classes: net])
def test_a_net_that_somebody_gave_is_not_sealed(tmp_path, given, arrays):
    facts = Facts("resnet20", True, "x", CLASSES, (0.5,) * 3, (0.2,) * 3, (32, 32, 3), "crop")
    net, files = facts.create(), [saved(tmp_path / "a", seed=1), saved(tmp_path / "b", seed=2)]
    first, second = (cynet.Predictor(file)(arrays[:2]).probabilities for file in files)
    for file, wanted in zip(files, (first, second), strict=True):
        predictor = cynet.Predictor(file, model=given(net))
        assert np.array_equal(predictor(arrays[:2]).probabilities, wanted)
    cynet.SGD(net.parameters(), lr=0.1)


# -- threads and processes ---------------------------------------------------------------------------------
def test_many_threads_may_use_one(predictor, arrays):
    wanted = [predictor(arrays[: 1 + i % 7]).probabilities for i in range(16)]
    start, wrong = threading.Barrier(16), []

    def use(i):
        start.wait()
        for _ in range(10):
            if not np.array_equal(predictor(arrays[: 1 + i % 7]).probabilities, wanted[i]):
                wrong.append(i)

    threads = [threading.Thread(target=use, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_another_process_can_be_given_one(predictor, arrays):
    predictor(arrays)  # used, it holds what no other process can be given
    again = pickle.loads(pickle.dumps(predictor))
    np.testing.assert_array_equal(again(arrays).probabilities, predictor(arrays).probabilities)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
def test_a_child_by_fork_does_not_wait_for_its_parents_threads(tmp_path):
    saved(tmp_path / "w")
    script = tmp_path / "fork.py"
    script.write_text(FORKED)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "w"], env=environment_of(OMP_NUM_THREADS="1"),
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr


FORKED = """
import os, sys
import numpy as np
import cynet

predictor, picture = cynet.Predictor(sys.argv[1]), np.full((32, 32, 3), 99, np.uint8)
wanted = predictor(picture).probabilities
with predictor._lock():  # as while another thread predicts
    child = os.fork()
    if not child:
        os._exit(not np.array_equal(predictor(picture).probabilities, wanted))
print("same" if os.waitpid(child, 0)[1] == 0 else "differs")
"""


def test_the_package_has_it(predictor):
    assert cynet.Predictor is cynet.train.Predictor and "Predictor" in dir(cynet)
    assert repr(predictor) == f"Predictor({str(predictor.path)!r})"


def test_a_folder_of_what_takes_a_package_names_it(predictor, tmp_path, capsys, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.setattr(kinds, "PLUG_INS", (("pillow-heif", "no_such_module", (".heic",)),))
    place = tmp_path / "photos"
    (place / "@eaDir").mkdir(parents=True)
    for name in ("a.HEIC", "b.heic", "c.txt", "@eaDir/d.png"):
        (place / name).touch()
    words = "got none in it, but 2 .heic (pip install pillow-heif reads them), 1 .txt"
    with pytest.raises(ValueError, match=re.escape(words)):
        predictor(place)
    assert cli.main(["predict", str(predictor.path), str(place)]) == 1
    assert capsys.readouterr().err.count("pillow-heif") == 1
    (place / "e.png").write_bytes(png.encode(np.zeros((4, 4, 3), np.uint8)))
    assert cli.main(["predict", str(predictor.path), str(place)]) == 0
    assert "left out: 2 .heic (pip install pillow-heif reads them), 1 .txt\n" in capsys.readouterr().err


def test_nothing_that_loads_data_is_imported_before_it_is_needed():
    """Whoever ships a predictor waits for its import."""
    done = run_python("-c", "import sys, cynet; cynet.Predictor; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert "cynet.runs.predictor" in done.stdout.split()
    assert not {"cynet.data.loader", "cynet.data.images.decode"} & set(done.stdout.split())


def test_what_is_predicted_is_told_by_the_task():
    rows = np.array([[0.25, 0.5, 0.25], [0.5, 0.125, 0.5]])
    found = Predicted(("a", "b", "c"), rows, ("x", "y"))
    assert (found.labels.tolist(), found.predicted) == ([1, 0], ("b", "a"))
    assert found.top(0) == [("b", 0.5), ("a", 0.25), ("c", 0.25)]  # of equal ones the first
    assert found.top(1, 2) == [("a", 0.5), ("c", 0.5)] and len(found) == 2
    assert repr(found) == "Predicted(2 pictures, 3 classes)"
    many = Predicted(("a", "b", "c"), rows, ("x", "y"), "multilabel")
    assert many.labels.tolist() == [[False, True, False], [True, False, True]]
    assert many.predicted == (("b",), ("a", "c")) and repr(many) == "Predicted(2 samples, 3 labels)"
    numbers = Predicted(("a", "b", "c"), -rows, ("x", "y"), "regress")
    assert numbers.values is numbers.labels is numbers.probabilities
    assert numbers.predicted == ((-0.25, -0.5, -0.25), (-0.5, -0.125, -0.5))
    assert repr(numbers) == "Predicted(2 samples, 3 numbers)"
    six = Predicted(tuple("abcdef"), np.array([[0.1, 0.2, 0.3, 0.05, 0.25, 0.1]]), ("x",))
    assert [name for name, _ in six.top(0)] == ["c", "e", "b", "a", "f"]
