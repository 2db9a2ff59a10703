"""What every registered model keeps: a new one is tested as it is added."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest

import cynet
from cynet import models
from cynet.core import threads
from cynet.models.registry import model as registered
from cynet.runs.layouts import ModelLayout

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("name", models.names())
X = np.random.default_rng(0).standard_normal((4, 32, 32, 3)).astype(np.float32)
LABELS = np.arange(4)


def created(name, **options):
    cynet.seed(1)
    return models.create(name, **options)


def stepped(model, steps=1):
    """The losses of training steps over one batch."""
    criterion, losses = cynet.CrossEntropyLoss(), []
    optimizer = cynet.SGD(model.parameters(), 0.02, momentum=0.9)
    for _ in range(steps):
        losses.append(criterion(model(X), LABELS))
        model.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
    return losses


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("channels", [3, 1])
@EVERY
def test_logits_and_gradients(name, channels, batch_norm):
    model = created(name, batch_norm=batch_norm, classes=7, channels=channels)
    x = X[..., :channels].copy()
    assert model.output_shape(x.shape) == (4, 7)
    y = model(x)
    assert y.shape == (4, 7) and y.dtype == np.float32
    assert model.backward(np.ones_like(y)).shape == x.shape
    assert all(p.grad.any() or "bias" in p.name for p in model.parameters())
    norms = [layer for _, layer in model.walk() if isinstance(layer, (cynet.BatchNorm1d, cynet.BatchNorm2d))]
    assert batch_norm or not norms


@pytest.mark.parametrize("batch_norm", [True, False])
@EVERY
def test_training_steps_change_every_parameter_and_lower_the_loss(name, batch_norm):
    model = created(name, batch_norm=batch_norm)
    before = model.state_dict()
    losses = stepped(model, 6)
    assert np.isfinite(losses).all() and min(losses[-3:]) < losses[0]
    for key, array in model.state_dict().items():
        assert (array != before[key]).any(), key


@EVERY
def test_states_have_names_and_go_into_another_model(name):
    model, other = created(name), models.create(name)
    state = model.state_dict()
    assert list(state) == list(other.state_dict())
    ends = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert {key.rpartition(".")[2] for key in state} <= ends
    other.load_state_dict(state)
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[key])
    np.testing.assert_array_equal(other.eval()(X), model.eval()(X))


@EVERY
def test_a_run_knows_its_layout(name):
    """What is read back of a run is looked at by the arrays that the model must have."""
    for batch_norm in (True, False):
        layout = ModelLayout(lambda c, d, norm=batch_norm: models.create(name, norm, c, d).state_dict())
        for classes, channels in ((1, 3), (10, 3), (37, 1)):
            found = models.create(name, batch_norm, classes, channels).state_dict()
            assert layout.shapes(classes, channels) == {key: array.shape for key, array in found.items()}


@EVERY
def test_the_summary_adds_up(name):
    model = created(name)
    table = cynet.summary(model, (32, 32, 3))
    assert table.parameters == sum(p.size for p in model.parameters())
    assert table.macs == sum(row.macs for row in table.rows) == sum(
        layer.macs(shape) for _, layer, shape in model.trace((1, 32, 32, 3))
    )  # fmt: skip
    assert f"{table.parameters:,}" in str(table).splitlines()[-1]


@pytest.mark.usefixtures("threads_for_small_shapes")
@EVERY
def test_same_bytes_for_one_to_four_threads(name):
    states = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        model = created(name)
        stepped(model)
        states.append({key: array.tobytes() for key, array in model.state_dict().items()})
        states[-1]["evaluation"] = model.eval()(X).tobytes()
        assert states[-1] == states[0]


@EVERY
def test_equal_seeds_give_equal_weights_and_copies_go_their_own_way(name):
    model, again = created(name), created(name)
    twin = copy.deepcopy(model)
    stepped(twin)
    cynet.seed(2)
    other = models.create(name).state_dict()
    assert all((other[p.name] != p.data).any() for p in model.parameters() if p.name.endswith("0.weight"))
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, again.state_dict()[key])
    assert (twin(X) != model(X)).any()


@EVERY
def test_nan_comes_out_and_an_empty_batch_goes_through(name):
    model = created(name).eval()
    x = X.copy()
    x[1, 7, 9, 2] = np.nan
    y = model(x)
    assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2, 3]]).all()
    assert model(X[:0]).shape == (0, 10)


@pytest.mark.parametrize(("options", "argument"), [
    ({"classes": 0}, "classes"), ({"classes": 2.0}, "classes"), ({"channels": -1}, "channels"),
    ({"channels": None}, "channels"), ({"batch_norm": 1}, "batch_norm"),
])  # fmt: skip
@EVERY
def test_bad_options_are_refused_by_name(name, options, argument):
    with pytest.raises((TypeError, ValueError), match=f"{argument}: wanted .*got"):
        models.create(name, **options)


@EVERY
def test_pictures_that_it_cannot_take_are_refused_in_words(name):
    for shape in ((2, 32, 32, 4), (2, 32, 32), (2, 2, 2, 3), (32, 32, 3), ()):
        model = created(name)
        try:
            y = model(np.zeros(shape, np.float32))
        except ValueError as error:
            assert "wanted" in str(error) and "layer " in str(error), error
        else:
            assert y.shape == model.output_shape(shape)


@EVERY
def test_it_is_told_of(name):
    assert registered[name].__doc__
    texts = [path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))]
    assert any(re.search(rf"\b{name}\b", text) for text in texts), f"no document names {name}"
