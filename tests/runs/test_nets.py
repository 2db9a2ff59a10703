"""Nets of one's own: files and functions that build one, and what is said where they do not."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from own_nets import said, weights

import cynet
from cynet.models.registry import model as registry
from cynet.runs import checkpoint, net_code, nets

BUILD = """
import cynet

def model(input_shape, classes, **options):
    {body}
"""
POOL = "cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(input_shape[-1], classes))"


SCRIPT = """
import os, random, sys
import numpy as np
from heads_beside import head

os.chdir("/")
NET = head(8, 3)
NET.seen = [sys.argv, __file__, random.random(), np.random.rand(), NET.weight.data.sum()]

def model(input_shape, classes):
    os.chdir("/")
    NET.seen.append(np.random.rand())
    NET.output_shape = lambda shape: (shape[0], classes)
    return NET
"""


def body(text):
    return BUILD.format(body=text)


# What a file holds, what is asked of it besides its place, and what is said.
BAD = {
    "empty": ("", "", "wanted a function model in it, got none"),
    "another name": ("def small(s, c): pass\n", "", r"got none \(did you mean .*net.py:small\?\)"),
    "no such name": (body("pass"), ":modle", r"wanted a function modle in it.*did you mean .*:model"),
    "no name": (body("pass"), ":a b", "the name one of a function, got"),
    "syntax": ("def model(:\n", "", "net.py: line 1: SyntaxError: invalid syntax"),
    "raises at once": ("x = 1\nraise KeyError('why')\n", "", "net.py: line 2: KeyError: 'why'"),
    "import": ("import no_such_module_at_all\n", "", "ModuleNotFoundError: No module named"),
    "exits": ("import sys\nsys.exit(0)\n", "", "net.py: line 2: SystemExit: 0"),
    "endless at once": ("def f():\n    f()\nf()\n", "", "RecursionError"),
    "NUL": ("a\0b", "", "net.py: .*(SyntaxError|ValueError): .*null byte"),
    "no UTF-8": (b"x = '\xff\xfe'\n", "", "SyntaxError"),
    "looks for names": ("def __getattr__(name): raise KeyError(name)\n", "", "line 1: KeyError: .model"),
    "a number": ("model = 3\n", "", "wanted model to be a function, got 3"),
    "a module": ("import os as model\n", "", "wanted model to be a function, got <module"),
    "a layer": ("import cynet\nmodel = cynet.ReLU()\n", "", r"wanted model to be a function, got ReLU\(\)"),
    "no arguments": ("def model(): pass\n", "", "wanted a function of .input_shape, classes"),
    "one more argument": ("def model(shape, classes, width): pass\n", "", "missing a required argument"),
    "an option that it does not take": ("def model(a, b): pass\n", "?width", "width: wanted none, got width"),
    "None": (body("return None"), "", "wanted a cynet.Layer, got None"),
    "a text": (body("return 'resnet'"), "", "wanted a cynet.Layer, got 'resnet'"),
    "a list": (body("return [cynet.ReLU()]"), "", r"wanted a cynet.Layer, got \[ReLU"),
    "a class": (body("return cynet.ReLU"), "", "wanted a cynet.Layer, got <class"),
    "a generator": (body("yield cynet.ReLU()"), "", "wanted a cynet.Layer, got <generator"),
    "a symbol": (body("return cynet.Input(input_shape)"), "", "wanted a cynet.Layer, got <Symbol"),
    "raises": (body("raise RuntimeError('no\\nidea')"), "", "net.py:model: line 5: RuntimeError: no idea"),
    "divides by 0": (body("return 1 / 0"), "", "line 5: ZeroDivisionError"),
    "asserts": (body("assert False"), "", "line 5: AssertionError"),
    "exits in it": (body("raise SystemExit(3)"), "", "line 5: SystemExit: 3"),
    # Python 3.13 does not count calls of functions that take **options
    "endless": (body("return (lambda f: f(f))(lambda f: f(f))"), "", "line 5: RecursionError"),
    "an argument of a layer": (body("return cynet.Linear(0, classes)"), "", "line 5: ValueError: in_f"),
    "other classes": (body("return " + POOL.replace("classes", "7")), "",
                      r"of shape \(N, 3\) for inputs of \(N, 8, 6, 2\), got \(2, 7\) for N = 2"),
    "images": (body("return cynet.Conv2d(2, 3, 3)"), "", r"wanted an output of shape \(N, 3\)"),
    "other channels": (body("return cynet.Conv2d(5, 3, 3)"), "", "ValueError|LayerShapeError"),
    "no weights": (
        "import cynet\nclass A(cynet.Layer):\n    def output_shape(self, x):\n        return x[0], 3\n"
        "def model(shape, classes):\n    return A()\n", "", "wanted a net with parameters to train, got"),
    "holds itself": (body("a = cynet.Sequential(); a.layers.append(a); return a"), "",
                     "wanted another layer, got the Sequential around it"),
    "a shape that raises": (
        "import cynet\nclass A(cynet.Layer):\n    def output_shape(self, shape):\n        return 1 / 0\n"
        "def model(shape, classes):\n    return A()\n", "", "line 4: ZeroDivisionError"),
    "a result that cannot be shown": (
        "class A:\n    def __repr__(self):\n        raise KeyError\ndef model(a, b):\n    return A()\n", "",
        "wanted a cynet.Layer, got a A"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_gives_no_net_is_told_in_a_sentence(tmp_path, what):
    text, more, wanted = BAD[what]
    path = tmp_path / "net.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    name, _, option = f"{path}{more}".partition("?")
    with pytest.raises(ValueError, match=wanted) as error:
        nets.named(name).made((8, 6, 2), 3, json.dumps({option: 1}) if option else None)
    told = str(error.value)
    assert told.startswith("model: ") and "\n" not in told and len(told) < 1_000


def test_a_place_that_is_none_is_refused(tmp_path):
    for place in ("no_module_of_this_name:model", "a b:model", ":model", "os.path:nothing", "json:loads"):
        with pytest.raises(ValueError, match="model: "):
            nets.named(place).made((8, 6, 2), 3)
    for path in (tmp_path / "gone.py", tmp_path):
        with pytest.raises(OSError, match=r"gone.py|directory|\.py"):
            nets.named(f"{path if path.suffix else path / 'x.py'}")
    large = tmp_path / "large.py"
    large.write_bytes(b"#" * (nets.MOST_SOURCE + 1))
    with pytest.raises((OSError, ValueError), match="large"):
        nets.named(str(large))


def test_a_file_a_function_and_a_layer_give_the_same_net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(body("return " + POOL))
    scope = {}
    exec(body("return " + POOL), scope)
    found = []
    for given in (str(path), f"{path}:model", scope["model"], cynet.nn.from_spec):
        if given is cynet.nn.from_spec:
            cynet.seed(1)
            given = cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(2, 3))
        cynet.seed(1)
        found.append(nets.of(given).made((8, 6, 2), 3).state_dict())
    for other in found[1:]:
        for name, array in other.items():
            np.testing.assert_array_equal(array, found[0][name])


def test_a_file_runs_as_a_script_and_leaves_no_trace(tmp_path, monkeypatch):
    """It imports what lies beside it, sees no flags, and changes neither folder nor random numbers."""
    folder = tmp_path / "my nets ä"
    folder.mkdir()
    (folder / "heads_beside.py").write_text("import cynet\nhead = cynet.Linear\n")
    (folder / "net.py").write_text(SCRIPT)
    (tmp_path / "link.py").symlink_to(folder / "net.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cynet", "train", "--steps", "3"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, drawn = list(sys.path), (random.getstate(), np.random.get_state()[1].tolist())
    cynet.seed(4)
    for place in ("my nets ä/net.py", "link.py"):
        net = nets.named(place, seed=7)
        assert net.imports == {"heads_beside.py": (folder / "heads_beside.py").read_bytes()}
        model = net.made((8, 6, 2), 3)
        assert model.seen[:2] == [[place], str(tmp_path / place)]
        if place != "link.py":
            first = model.seen[2:]
        assert model.seen[2:] == first
        model.weight.data[...] = 0  # as training does
        assert net.made((8, 6, 2), 3).weight.data.any()
    assert Path.cwd() == tmp_path and sys.argv[1:] == ["train", "--steps", "3"]
    assert sys.path == [*before, str(folder.resolve())]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == drawn
    assert cynet.core.random.get_state() == {"seed": 4, "draws": 0}


def test_imports_are_found_by_their_statements(tmp_path):
    for name, text in {
        "a.py": "from pack import b\nimport json, numpy, cynet\ndef f():\n    import late.deep\n",
        "pack/__init__.py": "", "pack/b.py": "from . import c\nfrom .c import x\nfrom ..up import y\n",
        "pack/c.py": "import a\nx = 1\n", "late/deep.py": "def broken(:", "unused.py": "", "up.py": "y = 1",
        "json.py": "raise ValueError", "cynet.py": "raise ValueError",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = net_code.imported(b"import a", (tmp_path,))
    assert list(found) == ["a.py", "late/deep.py", "pack/__init__.py", "pack/b.py", "pack/c.py", "up.py"]


def test_a_module_that_is_a_file_here_is_told_to_be_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "only_a_file.py").write_text(body("return " + POOL))
    with pytest.raises(ValueError, match=r"did you mean only_a_file.py\?"):
        nets.named("only_a_file:model")


def test_what_is_no_net_in_python_is_refused():
    for value in (3, [1], object(), dict):
        with pytest.raises(TypeError, match="model: wanted a function, a Layer or a name"):
            nets.of(value)
    assert nets.of(None) is None


@pytest.mark.parametrize(
    ("name", "short"),
    [("net.py", "net"), ("a/b c.py:small", "b_c-small"), ("net.py:model", "net"), ("uwnet2", "uwnet2")],
)
def test_the_folder_of_a_run_is_called_after_the_file(name, short):
    assert nets.short(name) == short


SHORT = {"steps": 6, "batch_size": 16, "workers": 0, "checkpoint_every": 3, "model_option": '{"width": 5}'}


def known_net(input_shape, classes, width=4, batch_norm=True):
    norm = [cynet.BatchNorm2d(width)] if batch_norm else []
    stem = [cynet.Conv2d(input_shape[-1], width, 3, stride=4), *norm, cynet.ReLU(), cynet.Dropout(0.2)]
    return cynet.Sequential(*stem, cynet.GlobalAvgPool2d(), cynet.Linear(width, classes))


class Unknown(cynet.Sequential):
    """A layer that cynet does not know."""


def unknown_net(input_shape, classes, width=4):
    return Unknown(*known_net(input_shape, classes, width).layers)


@pytest.fixture
def registered(monkeypatch):
    """Train runs of a net that has a name meanwhile; afterwards nobody knows it, as in another process."""
    monkeypatch.setattr(nets, "HERE", {})

    def begin(function, *folders, **settings):
        cynet.models.register(function)
        try:
            for folder in folders:
                given = cynet.runs.Settings(**SHORT | {"model": function.__name__} | settings)
                cynet.runs.start(given, folder, report=False, say=None)
        finally:
            registry.remove(function.__name__)
            nets.HERE.clear()

    return begin


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_run_of_a_registered_net_goes_on_and_is_verified_without_its_name(
    registered, tmp_path, capsys, batch_norm
):
    """From its checkpoint, and from its first weights where there is none yet, to the same bytes."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    settings = {"batch_norm": batch_norm, "lr": 0.05, "lr_steps": {2: 0.01}}
    registered(known_net, whole, **settings)
    registered(known_net, run, steps=3, **settings)
    assert not (run / "model.py").exists()
    more = ("--allow-change", "steps", "--no-report")
    status, text = said(capsys, "train", "--resume", run, "--steps", 6, *more)
    assert status == 0 and "going on after step 3" in text and weights(run) == weights(whole), text
    status, text = said(capsys, "verify", run)
    assert status == 0 and "changed after step 3" in text and "without env" not in text, text
    registered(known_net, run := tmp_path / "again", **settings)
    for name in ("last.ckpt", "last.prev.ckpt", "best.safetensors"):
        (run / name).unlink(missing_ok=True)
    status, text = said(capsys, "train", "--resume", run, "--no-report")
    assert status == 0 and "beginning again" in text and weights(run) == weights(whole)
    for folder in (whole, run):
        status, text = said(capsys, "verify", folder)
        assert status == 0 and "equal: 6 losses" in text and "last.ckpt: sound" in text, text


def test_a_registered_net_of_unknown_layers_asks_for_its_name_or_a_file(registered, tmp_path, capsys):
    file, run = tmp_path / "net.py", tmp_path / "run"
    registered(unknown_net, run)
    file.write_text(f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                    "from test_nets import unknown_net as model\n")  # fmt: skip
    more = ("--steps", 8, "--allow-change", "steps", "--no-report")
    for command in (("verify", run), ("train", "--resume", run, *more)):
        status, text = said(capsys, *command)
        assert status == 2 and "damaged" not in text, text
        assert "wanted 'unknown_net' registered by cynet.models.register, or --model FILE.py beside" in text
    status, text = said(capsys, "verify", run, "--model", file)
    assert status == 0 and "equal: 6 losses" in text, text
    status, text = said(capsys, "train", "--resume", run, "--model", file, *more, "--allow-change", "model")
    assert status == 0, text


def test_an_unknown_name_without_a_net_in_the_checkpoint_is_refused(registered, tmp_path, capsys):
    run = tmp_path / "run"
    registered(known_net, run)
    tensors, known = checkpoint.load(run / "last.ckpt")
    del known["net"]
    checkpoint.save(run / "last.ckpt", tensors, known)
    (run / "last.prev.ckpt").unlink()
    status, text = said(capsys, "train", "--resume", run, "--no-report")
    assert status == 2 and "config: model: wanted one of uwnet0, " in text and "got 'known_net'" in text


def test_the_first_weights_are_kept_of_a_net_that_another_process_may_lack(registered, tmp_path):
    registered(known_net, tmp_path / "own")
    settings = cynet.runs.Settings(**SHORT | {"model_option": None, "model": "uwnet0"})
    cynet.runs.start(settings, tmp_path / "known", report=False, say=None)
    assert (tmp_path / "own" / "first.safetensors").exists()
    assert not (tmp_path / "known" / "first.safetensors").exists()
