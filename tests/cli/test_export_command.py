"""`cynet export`: what it writes is the net; what does not go together is refused."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

import cynet
from cynet import cli, data
from cynet.cli import export
from cynet.data.text import Vocabulary
from cynet.interop.int8.running import run
from cynet.runs import exporting
from cynet.runs.facts import Facts
from cynet.train import load_weights, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a small net, and statistics of which none is 0 or 1."""
    path = tmp_path_factory.mktemp("net") / "w.safetensors"
    facts = Facts("uwnet2", True, "tiny", tiny.CLASSES, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    cynet.seed(2)
    model, rng = facts.create(), np.random.default_rng(2)
    for _, layer in model.walk():
        if "running_mean" in layer.buffers:
            layer.running_mean += rng.standard_normal(layer.running_mean.shape).astype(np.float32)
            layer.running_var *= 1 + rng.random(layer.running_var.shape, np.float32)
    save_weights(path, model, facts)
    return path


def said(capsys, *arguments):
    status = cli.main(["export", *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


def pictures():
    """The data set "tiny" for testing, as pixels (n, H, W, C)."""
    return np.ascontiguousarray(np.moveaxis(tiny.tiny(split="test").images, 1, -1))


def outputs(folder, samples):
    """What the program in a folder prints of samples."""
    subprocess.run(["cc", *STRICT, "-o", "main", "main.c", "net.c", "-lm"], cwd=folder, check=True)
    (folder / "samples").write_bytes(samples.tobytes())
    done = subprocess.run(
        ["./main", "--outputs", "samples"], cwd=folder, check=True, capture_output=True, text=True
    )
    return np.array([line.split() for line in done.stdout.splitlines()], np.float64)


def logits(weights):
    model, facts = load_weights(weights)
    with exporting.test_loader(tiny.tiny(split="test"), facts, 20) as batches:
        return model(next(iter(batches))[0])


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_c_of_pictures_takes_their_bytes(weights, tmp_path, capsys):
    status, out, err = said(capsys, weights, "--c", tmp_path / "net")
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == f"{tmp_path / 'net'}: net.c, net.h, main.c, Makefile"
    np.testing.assert_allclose(outputs(tmp_path / "net", pictures()), logits(weights), atol=1e-5)
    told = subprocess.run(["./main", "samples"], cwd=tmp_path / "net", capture_output=True, text=True).stdout
    best = [line.split()[0] for line in told.splitlines()]
    assert best == [tiny.CLASSES[k] for k in logits(weights).argmax(axis=1)]


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_eight_bits_are_the_same_in_c_and_in_evaluate(weights, tmp_path, capsys):
    status, _, err = said(capsys, weights, "--c", tmp_path / "net", "--int8", "--samples", "30")
    assert (status, err) == (0, "")
    model, facts = load_weights(weights)
    whole = exporting.in_eight_bits(model, facts, tiny.tiny(), 30)
    wanted = run(exporting.of_bytes(whole, facts), pictures())
    np.testing.assert_array_equal(outputs(tmp_path / "net", pictures()), wanted)
    arguments = ["evaluate", str(weights), "--int8", "--samples", "30", "--json", "-"]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["int8"] is True
    assert found["accuracy"] == pytest.approx(
        (wanted.argmax(axis=1) == tiny.tiny(split="test").labels).mean()
    )
    assert np.abs(whole.answer.real(wanted) - logits(weights)).max() < 0.1 * np.ptp(logits(weights))


def test_an_evaluation_in_eight_bits_says_so(weights, capsys):
    assert cli.main(["evaluate", str(weights), "--int8", "--samples", "30"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("trained on tiny, in eight bits")
    assert cli.main(["evaluate", str(weights), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["int8"] is False


def test_a_page_shows_the_middle_of_pictures_that_are_kept_larger(tmp_path, capsys):
    facts = Facts("uwnet2", True, "tiny", tiny.CLASSES, (0.5,) * 3, (0.2,) * 3, (28, 28, 3), kept=(32, 32))
    images = tiny.tiny(split="test")
    few = exporting.chosen(images, 5)
    middle = np.moveaxis(few.images[:, :, 2:30, 2:30], 1, -1)
    np.testing.assert_array_equal(exporting._bytes(few, facts), middle)
    cynet.seed(1)
    assert exporting.to_html(facts.create(), facts, tmp_path / "x.html", images) > 10_000
    assert '"kept":[32,32]' in (tmp_path / "x.html").read_text().replace(" ", "")


def test_onnx_and_a_page_are_files_of_their_kinds(weights, tmp_path, capsys):
    status, out, err = said(
        capsys, weights, "--onnx", tmp_path / "net.onnx", "--pixels", "--html", tmp_path / "net.html"
    )
    assert (status, err) == (0, "")
    onnx, page = (tmp_path / name for name in ("net.onnx", "net.html"))
    assert out.splitlines()[1:] == [f"{path}: {path.stat().st_size:,} bytes" for path in (onnx, page)]
    content = onnx.read_bytes()
    for text in (b'["a", "b", "c"]', b"uwnet2", b"tiny", b"[0.5, 0.4, 0.3]"):
        assert text in content
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.onnxruntime
@pytest.mark.parametrize("more", [(), ("--fold", "--layout", "nhwc")])
@pytest.mark.parametrize("pixels", [(), ("--pixels",)])
def test_onnx_runtime_gives_the_net(weights, tmp_path, capsys, more, pixels):
    runtime = pytest.importorskip("onnxruntime")
    assert said(capsys, weights, "--onnx", tmp_path / "net.onnx", *more, *pixels)[0] == 0
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = pictures()
    if not pixels:
        x = ((x / 255 - (0.5, 0.4, 0.3)) / (0.1, 0.2, 0.3)).astype(np.float32)
    x = x if more else np.ascontiguousarray(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(session.run(None, {"input": x})[0], logits(weights), atol=2e-5)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ([], "wanted --onnx, --c or --html, got none"),
        (["--c", "x", "--fold"], "--fold: wanted --onnx beside it, got none"),
        (["--c", "x", "--layout", "nhwc"], "--layout: wanted --onnx beside it, got none"),
        (["--onnx", "x", "--layout", "chwn"], "--layout: wanted one of nchw, nhwc, got 'chwn'"),
        (["--onnx", "x", "--int8"], "--int8: wanted --c beside it, got none"),
        (["--c", "x", "--samples", "3"], "--samples: wanted --int8 beside it, got none"),
        (["--c", "x", "--data", "tiny"], "--data: wanted --int8 or --html beside it, got neither"),
        (["--c", "x", "--data-dir", "d"], "--data-dir: wanted --int8 or --html beside it, got neither"),
        (["--c", "x", "--pixels"], "--pixels: wanted --onnx beside it, got none"),
        (["--html", "x", "--data-dir", "none such"], "--data-dir: "),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_written(
    weights, tmp_path, monkeypatch, capsys, flags, text
):
    monkeypatch.chdir(tmp_path)
    status, _, err = said(capsys, weights, *flags)
    assert (status, err.count("\n")) == (2, 1) and f"cynet export: error: {text}" in err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(weights, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for flag in ("--onnx", "--c", "--html"):
        status, _, err = said(capsys, weights, flag, tmp_path / "file" / "below")
        assert status == 2 and err.startswith(f"cynet export: error: {flag}: ") and err.count("\n") == 1


def test_rows_of_numbers_are_normalised_inside_too(tmp_path, capsys):
    facts = Facts("own", False, "rows", ("y",), (1.0, -2.0), (2.0, 0.5), (2,), task="regress", kind="float32")
    model = cynet.Linear(2, 1)
    save_weights(tmp_path / "w.safetensors", model, facts)
    assert said(capsys, tmp_path / "w.safetensors", "--c", tmp_path / "net")[0] == 0
    x = np.array([[1, 2], [3, -1], [0, 0]], np.float32)
    wanted = model.eval()(((x - (1, -2)) / (2, 0.5)).astype(np.float32))
    np.testing.assert_allclose(outputs(tmp_path / "net", x), wanted, atol=1e-5)
    status, _, err = said(capsys, tmp_path / "w.safetensors", "--onnx", tmp_path / "n", "--pixels")
    assert status == 2 and "wanted a net of pictures of bytes" in err
    assert "wanted a net of pictures" in said(capsys, tmp_path / "w.safetensors", "--html", tmp_path / "n")[2]


@pytest.mark.parametrize(("task", "ranked"), [("classify", True), ("multilabel", False), ("regress", False)])
def test_only_classes_are_ranked_by_a_program_of_c(monkeypatch, tmp_path, task, ranked):
    written = []
    monkeypatch.setattr(exporting, "texts", lambda program, classes, **more: more.get("ranked", True))
    monkeypatch.setattr(exporting, "write", lambda files, place: written.append(files))
    facts = Facts("own", False, "rows", ("a", "b"), (0.0,) * 2, (1.0,) * 2, (2,), task=task, kind="float32")
    exporting.to_c(cynet.Linear(2, 2), facts, tmp_path)
    assert written == [ranked]


def test_samples_are_chosen_all_over_a_set_that_is_sorted():
    whole = data.ArrayDataset(np.arange(90, dtype=np.float32).reshape(90, 1), np.arange(90) // 30)
    few = exporting.chosen(whole, 7)
    assert few.images.reshape(-1).tolist() == [0, 15, 30, 44, 59, 74, 89]
    assert few.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert len(exporting.chosen(whole, 200)) == 90


@pytest.mark.parametrize(
    ("data", "data_dir", "wanted"),
    [
        (None, None, ("tiny", "/")), ("tiny", None, ("tiny", "/")), ("cifar10", None, ("cifar10", None)),
        (None, ".", ("tiny", ".")), ("cifar10", ".", ("cifar10", ".")),
    ],
)  # fmt: skip
def test_the_runs_folder_is_that_of_its_own_data(data, data_dir, wanted):
    flags, facts = SimpleNamespace(data=data, data_dir=data_dir), SimpleNamespace(data="tiny")
    assert export._data(flags, facts, "/") == wanted


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_floats_in_eight_bits_are_normalised_inside_too(tmp_path):
    """As they come, the program makes of them what the net in eight bits makes of normalised ones."""
    facts = Facts(
        "own", False, "rows", ("y", "z"), (1.0, -20.0), (2.0, 0.5), (2,), task="regress", kind="float32"
    )
    cynet.seed(3)
    model = cynet.Sequential(cynet.Linear(2, 8), cynet.ReLU(), cynet.Linear(8, 2)).eval()
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((64, 2)) * (2, 0.5) + (1, -20)).astype(np.float32)
    eight = exporting.in_eight_bits(model, facts, data.ArrayDataset(x, x[:, :2], layout="NF"))
    exporting.to_c(model, facts, tmp_path / "net", eight)
    seen = ((x - (1, -20)) / (2, 0.5)).astype(np.float32)
    found = outputs(tmp_path / "net", x)
    np.testing.assert_array_equal(found, run(eight, seen))
    assert np.abs(eight.answer.real(found) - model(seen)).max() < 0.1


def test_a_net_of_texts_has_its_vocabulary_in_the_notes_and_no_eight_bits(tmp_path):
    onnx = pytest.importorskip("onnx")
    vocabulary = Vocabulary("abdé")
    facts = Facts(
        "language_model", True, "text", vocabulary.names, (), (), (5,), task="language", kind="tokens",
        vocabulary=vocabulary.to_dict(),
    )  # fmt: skip
    model = cynet.models.create("language_model", (5,), 4, embedding=4, hidden=5)
    size = exporting.to_onnx(model, facts, tmp_path / "net.onnx")
    assert size == (tmp_path / "net.onnx").stat().st_size
    notes = {each.key: each.value for each in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(notes["vocabulary"]) == json.loads(json.dumps(vocabulary.to_dict()))
    assert "é" in notes["vocabulary"] and not {"mean", "std", "classes"} & notes.keys()
    assert (notes["model"], notes["data"], notes["task"]) == ("language_model", "text", "language")
    with pytest.raises(
        ValueError, match="wanted a net of pictures, signals or rows for eight bits, got one of te"
    ):
        exporting.in_eight_bits(model, facts, None)
