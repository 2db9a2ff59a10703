"""Every command of docs/deploy.md is run, of a small net, where its tool is there."""

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cynet import cli, data
from cynet.data.sets import shapes10

pytestmark = pytest.mark.usefixtures("one_thread")
DOCUMENT = Path(__file__).parents[2] / "docs" / "deploy.md"
TEXT = DOCUMENT.read_text()
TRAINED = "--model", "uwnet0", "--steps", "60", "--no-report"
CROSS = {"cortex-m4": "arm-none-eabi-gcc", "qemu-system-arm": "qemu-system-arm"}


def commands():
    """The words of each line of the document's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
    return [
        words
        for block in blocks
        for line in block.splitlines()
        if (words := shlex.split(line, comments=True))
    ]


def needs(words):
    """What a command cannot do without, or None."""
    if words[0] == "make":
        return next((CROSS[word] for word in words if word in CROSS), "cc")
    return CROSS.get(words[0])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the document's commands are run, with a picture in it."""
    folder = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(shapes10, "COUNTS", {"train": 4000, "test": 500})  # what is run is the same, of fewer
        image = np.moveaxis(data.load("shapes10", split="test").images[0], 0, -1)
        (folder / "picture.ppm").write_bytes(b"P6\n32 32\n255\n" + image.tobytes())
        assert cli.main(["train", "--run-dir", "run", *TRAINED]) == 0
        yield folder


def run(words, capfd):
    """Run a command; what it prints."""
    if words[0] == "cynet":
        assert cli.main(words[1:]) == 0
        return capfd.readouterr().out
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(upto, capfd):
    """Run what a command of the document builds on: exports and builds of the same folder before it."""
    for words in commands():
        if words == upto:
            return
        if (
            words[:2] == ["cynet", "export"]
            and "--c" in words
            and words[words.index("--c") + 1] in " ".join(upto)
        ):
            run(words, capfd)
        if words[:2] == ["make", "-C"] and "cortex-m4" in words and "qemu" in upto[0]:
            run(words, capfd)


def test_the_document_has_commands_of_each_kind():
    kinds = [words[0] for words in commands()]
    assert kinds.count("cynet") >= 6 and {"make", "qemu-system-arm"} <= set(kinds)
    assert ["cynet", "train", "--run-dir", "run"] in commands()


@pytest.mark.parametrize(
    "words",
    [w for w in commands() if w[:2] == ["cynet", "export"] or w[:2] == ["cynet", "evaluate"]],
    ids=" ".join,
)
def test_what_exports(place, capfd, words):
    out = run(words, capfd)
    assert "uwnet0" in out
    for flag in ("--onnx", "--html", "--c"):
        if flag in words:
            assert Path(words[words.index(flag) + 1]).exists()


@pytest.mark.cross
@pytest.mark.parametrize("words", [w for w in commands() if needs(w) in CROSS.values()], ids=lambda w: w[0])
def test_what_runs_on_other_processors(place, capfd, words):
    for tool in set(CROSS.values()) if "qemu" in words[0] else {needs(words)}:
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")
    made(words, capfd)
    out = run(words, capfd)
    if "qemu" in words[0]:
        assert re.search(r"^[\w ]+ \d+\.\d %, ", out, re.M)


@pytest.mark.parametrize("words", [w for w in commands() if needs(w) == "cc"], ids=" ".join)
def test_what_is_built(place, capfd, words):
    if not shutil.which("make") or not shutil.which("cc"):
        pytest.skip("no make")
    made(words, capfd)
    run([*words, "CFLAGS=-std=c99 -O1", "ARCH="], capfd)
    program = Path(words[words.index("-C") + 1], "main").resolve()
    assert re.fullmatch(r"[\w ]+ \d+\.\d %, .*\n", run([str(program), "picture.ppm"], capfd))


@pytest.mark.onnxruntime
def test_the_example_beside_onnx_runtime(place, capfd):
    pytest.importorskip("onnxruntime")
    (code,) = re.findall(r"^```py\n(.*?)^```", TEXT, re.M | re.S)
    export = next(words for words in commands() if "--onnx" in words)
    run(export, capfd)
    Path("example.py").write_text(code)
    runpy.run_path("example.py")
    assert float(re.search(r"test accuracy ([\d.]+)", capfd.readouterr().out)[1]) > 0.3  # of ten classes
