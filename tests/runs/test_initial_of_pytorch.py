"""A training begins from PyTorch's files as from weights of cynet: by names and shapes."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch_files

import cynet
from cynet.interop.kinds import TORCH_LEGACY
from cynet.runs import remarks
from cynet.runs.initial import load_initial
from cynet.runs.weights import load_weights
from cynet.train import Session, Settings

pytestmark = pytest.mark.usefixtures("one_thread")
PLAIN = Settings(model="uwnet2", data="tiny", batch_size=8, steps=2, workers=0, threads=1)
HEAD = {"12.weight", "12.bias"}
COUNT = "num_batches_tracked"


def session(**settings):
    training = tiny.tiny()
    return Session(replace(PLAIN, **settings).resolved(training), training, tiny.tiny(split="test"))


def drawn(model, seed=1):
    """A state of a model, of other numbers."""
    rng = np.random.default_rng(seed)
    return {
        name: array if name.endswith(COUNT) else rng.uniform(1, 2, array.shape).astype(np.float32)
        for name, array in model.state_dict().items()
    }


@pytest.fixture
def weights(tmp_path):
    """A function that writes the arrays of uwnet2 to a file of PyTorch's: (the path, the arrays)."""
    with session() as made:
        state = drawn(made.model)

    def write(form=lambda tensors: tensors, without="nothing", **others):
        kept = {name: array for name, array in (state | others).items() if not name.endswith(without)}
        path = tmp_path / "w.pth"
        path.write_bytes(torch_files.saved(form({name: torch_files.tensor(x) for name, x in kept.items()})))
        return path, kept

    return write


def test_all_arrays_of_a_state_dict_are_taken(weights):
    path, state = weights()
    with session(init_from=str(path)) as made:
        found = made.model.state_dict()
        assert str(made.initial) == f"begun from {path}: 20 of 20 arrays taken"
    assert all(np.array_equal(found[name], array) for name, array in state.items())


def test_a_checkpoint_of_a_wrapped_net_is_taken_too(weights):
    path, state = weights(
        lambda x: {"epoch": 3, "state_dict": {f"module.{name}": each for name, each in x.items()}}
    )
    with session(init_from=str(path), new_head=True) as made:
        found = made.model.state_dict()
        assert {name for name in state if np.array_equal(found[name], state[name])} == state.keys() - HEAD
        assert remarks.of(made)[0].startswith(
            f"begun from {path}: 18 of 20 arrays taken; drawn anew, and not used"
        )


@pytest.mark.parametrize("new_head", [False, True])
def test_counts_of_batches_that_a_file_does_not_have_are_not_spoken_of(weights, new_head):
    path, _ = weights(without=COUNT)
    with session(init_from=str(path), new_head=new_head) as made:
        assert "batches_tracked" not in str(made.initial)
        assert set(made.initial.new) == (HEAD if new_head else set())


def test_half_precision_is_taken(weights):
    path, state = weights(**{"0.weight": np.full((8, 3, 3, 3), 1.5, np.float16)})
    with session(init_from=str(path)) as made:
        assert (made.model.state_dict()["0.weight"] == 1.5).all() and state["0.weight"].dtype == np.float16


def test_what_does_not_fit_is_listed(weights):
    path, _ = weights(
        **{"12.bias": np.zeros(9, np.float32), "theirs": np.zeros(3, np.float32)}, without="0.weight"
    )
    with pytest.raises(ValueError) as caught:
        session(init_from=str(path))
    assert str(caught.value) == (
        f"init_from: {path}: state does not fit the model: missing: 0.weight; unexpected: theirs; "
        "shape of 12.bias: wanted (3,), got (9,)"
    )
    with session(init_from=str(path), new_head=True) as made:
        assert set(made.initial.new) == {"0.weight", *HEAD} and set(made.initial.unused) == {"theirs", *HEAD}


@pytest.mark.parametrize(("content", "problem"), [
    (torch_files.real()[:1500], "wanted the directory of a zip archive at its end: damaged, or cut short"),
    (torch_files.saved({"a": 1}), "wanted names of tensors, or a checkpoint with them, got a"),
    (torch_files.saved({"a": torch_files.Name("os", "system")}), "FILE) writes them, got os.system"),
    (TORCH_LEGACY, "wanted weights in a PyTorch file (zip), got a PyTorch file (the old layout, a pickle)"),
])  # fmt: skip
def test_files_that_cannot_be_read_are_refused(tmp_path, content, problem):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with session() as made:
        before = made.model.state_dict()
        with pytest.raises(ValueError) as caught:
            load_initial(made.model, path, made.facts)
        assert str(caught.value).startswith(f"init_from: {path}: ") and problem in str(caught.value)
        assert all(np.array_equal(made.model.state_dict()[name], array) for name, array in before.items())


def test_a_net_is_not_made_of_a_file_that_does_not_tell_of_it(weights):
    path, _ = weights()
    for read in (load_weights, cynet.load, cynet.Predictor):
        with pytest.raises(ValueError) as caught:
            read(path)
        wanted = "wanted weights with their net, as a training of cynet writes them, got a PyTorch file (zip)"
        hint = "a training may begin from it: cynet train --init-from FILE --model NAME"
        assert str(caught.value) == f"{path}: {wanted}; {hint}"
