"""A net of one's own as a run keeps it: its code, its first weights; whether named code is its own."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cynet
from cynet.core import random
from cynet.interop import safetensors
from cynet.runs import first_net, net_code, nets, own_code
from cynet.runs.errors import RefusedError
from cynet.runs.facts import Facts, options_of
from cynet.runs.nets import OwnNet


def sha(data):
    return hashlib.sha256(data).hexdigest()


def net(source=b"one", name="net.py:model", **more):
    return OwnNet(name, lambda shape, classes: cynet.Linear(*shape, classes), source, **more)


class Unknown(cynet.Linear):
    """A layer that cynet does not know."""


@pytest.fixture
def kept(tmp_path):
    """A folder with a net, its code and imports, kept after seven draws."""
    cynet.seed(5)
    model = cynet.Sequential(cynet.Linear(3, 4), cynet.Dropout(0.5))
    random.set_state({"seed": 5, "draws": 7})
    first_net.keep(tmp_path, net(imports={"a.py": b"x = 1", "pack/b.py": b"y = 2"}), model)
    return tmp_path, model


def test_code_imports_and_first_weights_are_kept(kept):
    folder, model = kept
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert set(files) == {"model.py", "model_imports/a.py", "model_imports/pack/b.py", "first.safetensors"}
    assert files["model.py"].read_bytes() == b"one"
    assert files["model_imports/pack/b.py"].read_bytes() == b"y = 2"
    tensors, notes = safetensors.load(files["first.safetensors"])
    assert notes["draws"] == "7" and tensors["0.weight"].tobytes() == model[0].weight.data.tobytes()


def test_of_a_net_without_code_there_are_the_weights_alone(tmp_path):
    first_net.keep(tmp_path, net(None), cynet.Linear(3, 4))
    assert [path.name for path in tmp_path.iterdir()] == ["first.safetensors"]


def test_the_first_net_comes_again_in_training_with_as_many_draws(kept):
    folder, model = kept
    model[0].weight.data += 1
    found = first_net.first(folder, "net.py:model")
    assert (found.name, found.is_data, found.source) == ("net.py:model", True, None)
    cynet.seed(9)
    again = found.build((3,), 4, width=3)
    assert random.get_state() == {"seed": 9, "draws": 7}
    np.testing.assert_array_equal(again[0].weight.data + 1, model[0].weight.data)
    x = np.ones((1, 3), np.float32)
    assert any((again(x) == 0).all(axis=0))  # it drops, as in training


def test_without_first_weights_or_a_net_in_them_there_is_none(tmp_path):
    assert first_net.first(tmp_path, "a") is None
    first_net.keep(tmp_path, net(), Unknown(3, 4))
    assert first_net.first(tmp_path, "a") is None


@pytest.mark.parametrize("draws", ["", "-1", "1.5", "1" * 19, "٣", "x"])
def test_a_number_of_draws_that_is_none_is_named(tmp_path, draws):
    safetensors.save(cynet.Linear(3, 4), tmp_path / "first.safetensors", {"draws": draws})
    with pytest.raises(ValueError, match=r"first\.safetensors: draws: wanted a whole number, got '"):
        first_net.first(tmp_path, "a").build((3,), 4)


# -- code that is named again --------------------------------------------------------------------------------
def test_the_digest_of_a_runs_code_is_told_by_its_record_or_its_file(tmp_path):
    assert nets.digest_in(tmp_path) is own_code.known(tmp_path, {}) is None
    (tmp_path / "model.py").write_bytes(b"one")
    assert nets.digest_in(tmp_path) == own_code.known(tmp_path, {}) == sha(b"one")
    assert own_code.known(tmp_path, {"model": None}) == own_code.known(tmp_path, {"model": {}}) == sha(b"one")
    assert own_code.known(tmp_path, {"model": {"sha256": "abc"}}) == "abc"
    (tmp_path / "model.py").unlink()
    (tmp_path / "model.py").mkdir()
    assert nets.digest_in(tmp_path) is None


def test_other_code_is_told_with_both_digests_and_where_that_of_the_run_is(tmp_path):
    (tmp_path / "model.py").write_bytes(b"one")
    for environment in ({}, {"model": {"sha256": sha(b"one")}}):
        assert own_code.difference(tmp_path, environment, net()) is None
        assert own_code.difference(tmp_path, environment, net(b"two")) == (
            f"wanted the code that the run began with, SHA-256 {sha(b'one')}, "
            f"got net.py:model with {sha(b'two')}",
            f"{tmp_path}/model.py is as it was",
        )


def test_other_imports_are_named_in_order(tmp_path):
    digests = {"same.py": sha(b"s"), "other.py": sha(b"o"), "gone.py": sha(b"g")}
    record = {"model": {"sha256": sha(b"one"), "imports": digests}}
    now = {"same.py": b"s", "other.py": b"changed", "a_new.py": b"n"}
    own = net(places=(tmp_path,), imports=now)
    assert own.digests == {name: sha(code) for name, code in now.items()}
    assert own_code.difference(tmp_path, record, own) == (
        "wanted the imports that the run began with, got others: a_new.py, gone.py, other.py",
        f"{tmp_path}/model.py has them",
    )
    assert own_code.difference(tmp_path, record, net(imports=now)) is None  # of Python: it has no places
    alone = {"model": {"sha256": sha(b"one")}}
    assert own_code.difference(tmp_path, alone, net(places=(tmp_path,))) is None
    assert own_code.difference(tmp_path, alone, own)[0].endswith("others: a_new.py, other.py, same.py")
    (tmp_path / "model.py").write_bytes(b"one")
    assert own_code.difference(tmp_path, {}, own) is None  # of a run from before they were noted


def test_a_module_without_python_code_has_no_digest():
    found = nets.named("math:sqrt")
    assert (found.name, found.source, found.sha256, found.imports) == ("math:sqrt", None, None, {})
    assert nets.named("json:loads").sha256 == sha(Path(json.__file__).read_bytes())


# -- a net that a file tells of ------------------------------------------------------------------------------
def facts(model, **more):
    return Facts(model, True, "tiny", ("a", "b"), (0.5,), (0.2,), (3, 3, 1), **more)


def test_a_net_that_is_data_is_made_of_it_and_one_of_the_registry_by_its_name():
    spec = cynet.nn.to_spec(cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Linear(1, 2)))
    assert repr(facts("net.py:model", net=spec).create()) == repr(cynet.nn.from_spec(spec))
    large = Facts("uwnet0", True, "tiny", ("a", "b"), (0.5,) * 3, (0.2,) * 3, net=spec)
    assert repr(large.create()) != repr(cynet.nn.from_spec(spec))
    with pytest.raises(ValueError, match=r"^model: wanted one of uwnet0, .*, got 'net.py:model'"):
        facts("net.py:model").create()


@pytest.mark.parametrize(("option", "words"), [
    ("[1]", r"^model_option: wanted a JSON object, got '\[1\]'$"),
    ("{", r"^model_option: wanted a JSON object, got '{'$"),
    ('{"batch_norm": true}', "^model_option: wanted batch_norm as a setting of its own, got {"),
    ('{"wdith": 3}', r"^model_option: .*wdith"),
])  # fmt: skip
def test_options_that_a_net_does_not_have_are_refused(option, words):
    with pytest.raises(ValueError, match=words):
        options_of("uwnet2", True, option)


def test_options_are_those_of_both_settings():
    assert options_of("uwnet2", False, None) == {"batch_norm": False}
    assert options_of("resnet18", True, "") == {}
    assert options_of("uwnet0", True, None).get("batch_norm") in (None, True)
    with pytest.raises(
        ValueError, match=r"^batch_norm: wanted True for .*, which has no such option, got False$"
    ):
        options_of("squeezenet1_1", False, None)


def test_a_refusal_of_a_net_is_called_by_the_argument():
    from cynet.runs.beginning import refused_net

    def broken(error):
        raise error

    for error, words in (
        (ValueError("model: net.py: line 3"), "--model: net.py: line 3"),
        (
            FileNotFoundError(2, "No such file or directory", "a.py"),
            "--model: a.py: No such file or directory",
        ),
    ):
        with pytest.raises(RefusedError) as caught:
            refused_net(lambda error=error: broken(error), "--model")
        assert str(caught.value) == words
    assert refused_net(lambda: SimpleNamespace(a=3), "--model").a == 3


# -- what its code says --------------------------------------------------------------------------------------
def test_what_code_raised_is_told_in_a_line_of_three_hundred_letters():
    assert net_code.said("net.py", KeyError("a")) == "KeyError: 'a'"
    assert net_code.said("net.py", ValueError("x" * 301)) == f"ValueError: {'x' * 300}"
    assert net_code.said("net.py", RuntimeError("one\n  two\tthree")) == "RuntimeError: one two three"
    assert [net_code.code_of(name) for name in ("a.py", "a.py:b", "C:a.py:b")] == ["a.py", "a.py", "C:a.py"]
    with pytest.raises(ValueError, match=r"^model: net.py:f: line 2: ZeroDivisionError: division by zero$"):
        net_code.run("net.py:f", lambda: exec(compile("def f():\n    1 / 0\nf()\n", "net.py", "exec")))


def test_the_line_is_the_innermost_of_the_file_itself():
    code = compile("def f():\n    raise g()\ndef g():\n    return int('x')\nf()\n", "net.py", "exec")
    with pytest.raises(ValueError) as caught:
        net_code.run("net.py", lambda: exec(code, {}))
    told = "line 4: ValueError: invalid literal for int() with base 10: 'x'"
    assert str(caught.value) == f"model: net.py: {told}"


def test_a_runs_own_code_finds_its_imports_beside_it_and_where_the_run_kept_them(tmp_path):
    (tmp_path / "model_imports").mkdir()
    folder, inner = tmp_path.resolve(), tmp_path.resolve() / "model_imports"
    assert net_code.places_of(tmp_path / "model.py") == (folder, inner)
    assert net_code.places_of(tmp_path / "net.py") == (folder,)
    inner.rmdir()
    assert net_code.places_of(tmp_path / "model.py") == (folder,)


def test_so_many_imports_are_kept_and_no_more(tmp_path, monkeypatch):
    for name in "abcd":
        (tmp_path / f"own_{name}.py").write_text(f"{name} = 1\n")
    source = b"import own_a, own_b\ntry:\n    from own_c import d\nexcept ImportError:\n    import own_d\n"
    assert list(net_code.imported(source, (tmp_path,))) == [f"own_{name}.py" for name in "abcd"]
    monkeypatch.setattr(net_code, "MOST_FILES", 3)
    assert len(net_code.imported(source, (tmp_path,))) == 3
    assert net_code.imported(b"def broken(:", (tmp_path,)) == {}
