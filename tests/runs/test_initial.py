"""The weights that a run begins from: what is taken of them, what is not, and how that is said."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from cynet.data import ArrayDataset
from cynet.interop import safetensors
from cynet.runs import environment, initial, remarks
from cynet.runs.facts import Facts
from cynet.runs.initial import load_initial
from cynet.train import Session, Settings, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
PLAIN = Settings(model="uwnet2", data="tiny", batch_size=8, steps=2, workers=0, threads=1)


def session(training=None, **settings):
    training = tiny.tiny() if training is None else training
    return Session(replace(PLAIN, **settings).resolved(training), training, tiny.tiny(split="test"))


def other():
    """Pictures of two classes."""
    whole = tiny.tiny()
    kept = np.flatnonzero(whole.labels < 2)
    return ArrayDataset(whole.images[kept], whole.labels[kept], ("a", "b"))


def trained(path, **settings):
    with session(seed=7, **settings) as made:
        made.train()
        save_weights(path, made.model, made.facts)
        return path, made.model.state_dict()


def same(one, two):
    return {name for name in one if name in two and np.array_equal(one[name], two[name])}


def test_with_a_new_head_all_is_taken_but_the_last_layer(tmp_path):
    path, weights = trained(tmp_path / "w.safetensors")
    with session(other()) as plain, session(other(), init_from=str(path), new_head=True) as made:
        got, drawn = made.model.state_dict(), plain.model.state_dict()
        head = {"12.weight", "12.bias"}
        assert same(got, weights) == got.keys() - head and head <= same(got, drawn)
        assert (made.initial.count, set(made.initial.new), set(made.initial.unused)) == (18, head, head)
        text = f"begun from {path}: 18 of 20 arrays taken; drawn anew, and not used of the file: "
        assert remarks.of(made)[0].startswith(text + "12.weight, 12.bias")
        kept = environment.describe(made)["init_from"]
        assert (set(kept["new"]), len(kept["sha256"])) == (head, 64)
        assert environment.initial_weights({"init_from": kept}) == str(path)


def test_the_head_is_new_where_it_would_fit_too(tmp_path):
    path, weights = trained(tmp_path / "w.safetensors")
    with session(init_from=str(path), new_head=True) as made:
        assert same(made.model.state_dict(), weights) == weights.keys() - {"12.weight", "12.bias"}
    with session(init_from=str(path)) as made:
        assert same(made.model.state_dict(), weights) == weights.keys()
        assert str(made.initial) == f"begun from {path}: 20 of 20 arrays taken"
        assert environment.describe(made)["init_from"].keys() == {"path", "sha256"}


def test_what_fits_by_name_and_shape_is_taken_and_the_rest_is_named(tmp_path):
    path, weights = trained(tmp_path / "w.safetensors")
    changed = {name: array for name, array in weights.items() if name != "4.weight"}
    changed |= {"0.weight": np.zeros((8, 1, 3, 3), np.float32), "theirs": np.zeros(3, np.float32)}
    changed["8.weight"] = np.full(weights["8.weight"].shape, 2, np.int32)
    safetensors.save(changed, path)
    with session(init_from=str(path), new_head=True) as made:
        assert set(made.initial.new) == {"0.weight", "4.weight", "12.weight", "12.bias"}
        assert set(made.initial.unused) == {"0.weight", "theirs", "12.weight", "12.bias"}
        assert (made.model.state_dict()["8.weight"] == 2).all()


def test_without_it_all_must_fit_and_what_would_help_is_said(tmp_path):
    path, _ = trained(tmp_path / "w.safetensors")
    with pytest.raises(
        ValueError, match=r"shape of 12\.weight: .*; shape of 12\.bias: .* \(new_head takes all but"
    ):
        session(other(), init_from=str(path))
    with pytest.raises(ValueError, match="that is a uwnet2 with batch norm of 3 classes") as caught:
        session(init_from=str(path), batch_norm=False)
    assert "new_head" not in str(caught.value)


def test_weights_of_which_nothing_fits_are_refused(tmp_path):
    path, weights = trained(tmp_path / "w.safetensors")
    for tensors in ({"a": weights["0.weight"]}, {name: weights[name] for name in ("12.weight", "12.bias")}):
        safetensors.save(tensors, path)
        with pytest.raises(
            ValueError, match="wanted weights that fit by name and shape, beside the last layer's, 12"
        ):
            session(init_from=str(path), new_head=True)
    with session() as made:
        before = made.model.state_dict()
        safetensors.save(weights | {"1.running_var": weights["1.running_var"] - 1e9}, path)
        with pytest.raises(ValueError, match=r"init_from: .*running_var: wanted numbers of at least 0"):
            load_initial(made.model, path, made.facts, True)
        assert same(made.model.state_dict(), before) == before.keys()


def test_a_new_head_needs_weights_to_begin_from():
    with pytest.raises(ValueError, match="new_head: wanted weights to begin from beside it"):
        session(new_head=True)


def test_names_of_a_file_are_shown_as_they_can_be_and_not_all(tmp_path):
    path, weights = trained(tmp_path / "w.safetensors")
    more = {f"no\x1b{i}": np.zeros(1, np.float32) for i in range(30)}
    safetensors.save(weights | more, path)
    with session(init_from=str(path), new_head=True) as made:
        text = str(made.initial)
    assert text.endswith(" and 20 more") and "\x1b" not in text and len(text) < 600


def test_what_is_neither_taken_nor_used_is_named_once():
    text = str(initial.Taken("w", 3, ("fc.weight", "fc.bias", "new"), ("fc.weight", "fc.bias", "old")))
    wanted = (
        "drawn anew, and not used of the file: fc.weight, fc.bias; drawn anew: new; not used of the file: old"
    )
    assert text == f"begun from w: 3 of 6 arrays taken; {wanted}"


def test_one_class_is_told_in_the_singular():
    facts = Facts("uwnet2", False, "shapes10", ("a",), (0.0,) * 3, (1.0,) * 3)
    assert initial._kind(facts).startswith("uwnet2 of 1 class and 3-channel")
