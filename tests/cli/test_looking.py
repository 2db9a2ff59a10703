"""`cynet evaluate`, `cynet predict`, `cynet report`: what they say and write; the page in a real browser."""

import html
import json
import re
import shutil
import subprocess
import tempfile

import numpy as np
import pytest
import tiny
from helpers import environment_of_others

from cynet import cli, data
from cynet.core import png
from cynet.report import page
from cynet.runs import contents
from cynet.train import load_weights

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECTIONS = (
    "curves", "confusion", "classes", "calibration", "mistakes", "filters", "norms", "layers", "compare",
    "configuration",
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("one_thread")


def said(capsys, command, *arguments):
    status = cli.main([command, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs beside each other, the second without batch norm."""
    place = tmp_path_factory.mktemp("runs")
    flags = "--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "30", "--lr", "0.01"
    for name, more in (("a", ()), ("<b> & 'c'", ("--no-batch-norm", "--seed", "3"))):
        assert cli.main(["train", *flags, *more, "--run-dir", str(place / name)]) == 0
    return place


# -- evaluate ----------------------------------------------------------------------------------------------
def test_evaluate_tells_classes_confusion_and_calibration(runs, capsys, tmp_path):
    status, out, err = said(capsys, "evaluate", runs / "a", "--json", tmp_path / "x.json")
    assert (status, err) == (0, "")
    for words in ("recall  precision", "confusion (row: label, column: prediction)", "calibration error 0."):
        assert words in out
    found = json.loads((tmp_path / "x.json").read_text())
    assert out.splitlines()[-1] == f"test accuracy {found['accuracy']:.4f}"
    confusion = np.array(found["confusion"])
    assert confusion.sum() == found["samples"] == 20
    assert np.trace(confusion) / 20 == found["accuracy"]
    assert [each["count"] for each in found["classes"]] == confusion.sum(1).tolist()
    status, out, _ = said(capsys, "evaluate", runs / "a", "--json", "-", "--flip", "--split", "train")
    assert json.loads(out)["samples"] == 64 and json.loads(out)["flip"] is True


# -- predict -----------------------------------------------------------------------------------------------
@pytest.fixture
def pictures(tmp_path):
    """A picture of each class of the data set, as a PNG file."""
    dataset, paths = tiny.tiny(split="test"), []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(png.encode(np.ascontiguousarray(dataset[i][0])))
    return dataset, paths


def test_predict_gives_the_models_probabilities(runs, pictures, capsys):
    pytest.importorskip("PIL")
    dataset, paths = pictures
    status, out, err = said(capsys, "predict", runs / "a", *paths, "--json", "--top", 2)
    assert (status, err) == (0, "")
    results = json.loads(out)["results"]
    model, facts = load_weights(runs / "a" / "last.safetensors")
    for i, result in enumerate(results):
        x = (dataset[i][0] / 255 - facts.mean) / facts.std
        logits = model(x.astype(np.float32)[None])[0].astype(float)
        wanted = np.exp(logits) / np.exp(logits).sum()
        assert result["file"] == str(paths[i]) and len(result["classes"]) == 2
        for each in result["classes"]:
            assert each["probability"] == pytest.approx(wanted[facts.classes.index(each["class"])], abs=1e-5)
        assert result["classes"][0]["probability"] == pytest.approx(wanted.max(), abs=1e-5)


def test_predict_prints_lines_and_goes_on_after_a_file_that_is_none(runs, pictures, tmp_path, capsys):
    pytest.importorskip("PIL")
    _, paths = pictures
    (tmp_path / "bad.png").write_bytes(b"no picture")
    status, out, err = said(capsys, "predict", runs / "a", paths[0], tmp_path / "bad.png", paths[1])
    assert status == 1 and err.count("\n") == 1 and "bad.png: wanted a picture" in err
    assert out.startswith(f"{runs / 'a' / 'last.safetensors'}: uwnet2 with batch norm, trained on tiny")
    assert f"{paths[0]}:" in out and f"{paths[1]}:" in out and re.search(r"  [abc]  0\.\d{4}", out)
    assert said(capsys, "predict", tmp_path / "none", paths[0])[0] == 2


def test_predict_without_pillow_names_the_extra(runs, pictures, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    status, out, err = said(capsys, "predict", runs / "a", pictures[1][0])
    assert (status, out) == (2, "") and "cynet[images]" in err


def test_a_run_finds_its_data_from_another_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 32, 32, 3), np.uint8), np.arange(40) % 4
    np.savez("own.npz", train_images=x, train_labels=y, test_images=x, test_labels=y)
    flags = "--data", "arrays", "--data-dir", "own.npz", "--batch-size", 8, "--workers", 0, "--steps", 3
    assert said(capsys, "train", *flags, "--run-dir", "run", "--no-report")[0] == 0
    monkeypatch.chdir("/")
    status, out, _ = said(capsys, "evaluate", tmp_path / "run")
    assert status == 0 and "on 40 pictures of arrays" in out
    status, out, _ = said(capsys, "report", tmp_path / "run", "--no-timing")
    assert status == 0 and "could not be read" not in out
    (tmp_path / "own.npz").unlink()
    status, _, err = said(capsys, "evaluate", tmp_path / "run")
    assert status == 2 and "--data-dir: no such file or folder: /" in err


# -- report ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def written(runs):
    """The page of run a."""
    assert cli.main(["report", str(runs / "a")]) == 0
    return runs / "a" / "report.html"


def document(text):
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def test_the_page_holds_everything_and_asks_for_nothing(written, runs):
    text = written.read_text()
    found = document(text)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text) and "default-src 'none'" in text
    assert found["name"] == "a" and found["missing"] == {} and found["notes"] == []
    assert [run["name"] for run in found["runs"]] == ["a", "<b> & 'c'"]
    assert found["command"] == "cynet train --data tiny --batch-size 8 --steps 30 --lr 0.01"
    assert sum(map(sum, found["test"]["confusion"])) == 20
    assert [row["path"] for row in found["layers"]["rows"]] == [str(i) for i in range(13)]
    assert [norm["path"] for norm in found["norms"]] == ["1", "5", "9"]
    assert len(found["filters"]["before"]) == len(found["filters"]["after"]) == 8
    assert {row[0]: row[2] for row in found["config"]}["lr"] == "flag"
    assert len(found["runs"][0]["epochs"]["step"]) == 4


def test_the_filters_before_are_those_of_the_seed(written, runs):
    import cynet
    from cynet.report import findings

    settings = contents.read(runs / "a").plain
    facts = load_weights(runs / "a" / "last.safetensors")[1]
    cynet.seed(0)
    wanted = cynet.models.create("uwnet2", classes=3)[0].weight.data
    before = findings.before(settings, facts)
    np.testing.assert_array_equal(before[0].weight.data if hasattr(before, "layers") else before, wanted)


def test_a_run_that_lacks_files_says_what_is_missing(runs, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(runs / "a", broken)
    for name in ("last.safetensors", "best.safetensors", "env.json"):
        (broken / name).unlink()
    (broken / "steps.csv").write_text("step,epoch\n1")
    status, out, _ = said(capsys, "report", broken)
    assert status == 0 and "note: env.json is not there" in out and "last.safetensors is not there" in out
    found = document((broken / "report.html").read_text())
    assert {"test", "mistakes", "filters", "norms", "layers"} <= set(found["missing"])
    for arguments in ((tmp_path / "nowhere",), (runs / "a", "--output", tmp_path / "no" / "x.html")):
        assert said(capsys, "report", *arguments)[0] == 2


def test_a_run_with_changed_settings_is_told_by_its_commands(tmp_path, capsys):
    run = tmp_path / "run"
    flags = "--data", "tiny", "--batch-size", 8, "--workers", 0
    assert said(capsys, "train", *flags, "--steps", 6, "--run-dir", run, "--no-report")[0] == 0
    assert said(capsys, "train", "--resume", run, "--steps", 9, "--allow-change", "steps")[0] == 0
    found = document((run / "report.html").read_text())
    assert found["several"] and "# stopped after step 6, then" in found["command"]


def test_what_a_run_was_told_stands_on_its_page(runs, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(runs / "a", run)
    for name in ("metrics.csv", "last.safetensors", "best.safetensors"):
        (run / name).unlink()
    with (run / "log.txt").open("a") as log:
        log.write("diagnosis: this. Likely cause: that.\nerror: the training loss is nan at step 9\n")
    assert said(capsys, "report", run, "--output", tmp_path / "x.html")[0] == 0
    found = document((tmp_path / "x.html").read_text())
    wanted = ["diagnosis: this. Likely cause: that", "error: the training loss is nan at step 9"]
    assert found["said"] == wanted
    assert len(found["runs"][0]["steps"]["loss"]) == 30


def test_text_from_names_cannot_leave_its_place():
    text = page.embedded({"name": "</script><script>alert(1)//<!--&"})
    assert "<" not in text and json.loads(text)["name"] == "</script><script>alert(1)//<!--&"


def test_pictures_are_plain_png():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image = pytest.importorskip("PIL.Image")
    import io

    np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(png.encode(pixels)))), pixels)
    with pytest.raises(ValueError, match="pixels: wanted uint8"):
        png.encode(pixels.astype(float))


def browsed(path, *flags):
    """(the page's elements after its scripts ran, what the console said)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000",
             "--disable-background-networking", f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--dump-dom", *flags, path.as_uri()],
            capture_output=True, text=True, timeout=100, env=environment_of_others(),
        )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_real_browser_draws_every_figure_without_an_error(written, runs, tmp_path):
    dom, console = browsed(written)
    assert console == []
    sections = dict(re.findall(r'<section id="(\w+)"(.*?)</section>', dom, re.DOTALL))
    assert tuple(sections) == SECTIONS
    for name in ("curves", "calibration", "norms", "compare"):
        assert "<svg" in sections[name], name
    assert sections["mistakes"].count("<img") == document(written.read_text())["mistakes"].__len__()
    assert sections["filters"].count("<img") == 16 and sections["layers"].count("<tr") >= 13
    assert "&lt;b&gt; &amp; 'c'" in sections["compare"]
    assert "cynet train --data tiny" in sections["configuration"]

    broken = tmp_path / "broken.html"
    broken.write_text(written.read_text().replace("build();", "build(); nothing.there();"))
    assert browsed(broken)[1]  # the test would see an error


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_real_browser_names_what_each_run_was_measured_on(runs, tmp_path):
    flags = "--data", "tiny", "--batch-size", "8", "--workers", "0", "--steps", "20", "--validation", "0.25"
    run = tmp_path / "chosen"
    assert cli.main(["train", *flags, "--no-report", "--run-dir", str(run)]) == 0
    assert cli.main(["report", str(run), "--no-timing"]) == 0
    alone, console = browsed(run / "report.html")
    assert console == []
    assert "Best in validation" in alone and "Test accuracy" in alone and "weights of best" in alone
    curves = re.search(r'<section id="curves"(.*?)</section>', alone, re.DOTALL)[1]
    assert "validation: last" in curves and "test: last" not in curves
    assert cli.main(["report", str(run), str(runs / "a"), "--no-timing"]) == 0
    both, console = browsed(run / "report.html")
    compare = re.search(r'<section id="compare"(.*?)</section>', both, re.DOTALL)[1]
    assert console == [] and "chosen (validation)" in compare and "a (test)" in compare
    assert ">Accuracy</button>" in compare and "Best accuracy" in compare and "Test accuracy" not in compare


USED = """build(); setTimeout(() => {
  const figure = document.querySelector("#curves svg"), box = figure.getBoundingClientRect();
  const legend = figure.closest(".chart").querySelector(".legend"), said = [];
  const note = () => said.push(legend.querySelector(".at").textContent);
  const point = (name, share) => figure.dispatchEvent(
    new PointerEvent(name, { clientX: box.left + share * box.width, clientY: box.top + 20 }));
  note();
  figure.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" })); note();
  figure.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" })); note();
  point("pointermove", 0.99); note();
  point("pointerleave", 0.99); note();
  const second = document.querySelector("#run-1");
  const heads = () => [...document.querySelectorAll("#compare thead")].map((e) => e.textContent).join();
  said.push(heads());
  second.value = "0"; second.dispatchEvent(new Event("change"));
  said.push(heads());
  document.title = JSON.stringify(said);
}, 1500);"""


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_keys_and_a_pointer_read_values_and_another_run_can_be_picked(written, tmp_path):
    used = tmp_path / "used.html"
    used.write_text(written.read_text().replace("build();", USED))
    dom, console = browsed(used)
    assert console == []
    *said, two, one = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))
    assert said == ["last values", "step 1, epoch 1", "step 2, epoch 1", "step 30, epoch 4", "last values"]
    assert "<b> & 'c'" in two and "<b> & 'c'" not in one


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_page_fits_a_phone(written, tmp_path):
    probe = tmp_path / "phone.html"
    script = "build(); document.title = `${document.documentElement.scrollWidth} ${innerWidth}`;"
    probe.write_text(written.read_text().replace("build();", script))
    dom, _ = browsed(probe, "--window-size=500,900")
    width, inner = map(int, re.search(r"<title>(\d+) (\d+)</title>", dom).groups())
    assert width <= inner


def test_plots_are_png_files(written):
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    for name in ("curves.png", "confusion.png"):
        with image.open(written.parent / "plots" / name) as picture:
            assert min(picture.size) > 300 and len(set(np.asarray(picture.convert("L")).ravel())) > 20


def test_the_data_set_of_these_tests_is_registered():
    assert "tiny" in data.names()
