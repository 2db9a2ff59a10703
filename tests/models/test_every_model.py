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
from cynet.nn.layer import shapes_of
from cynet.runs.layouts import ModelLayout

ROOT = Path(__file__).resolve().parents[2]
PICTURED = registered.those(tokens=None)  # that of texts: tests/train/test_language_task.py
EVERY = pytest.mark.parametrize("name", PICTURED)
LABELS = np.arange(4)
NORMS = cynet.BatchNorm1d, cynet.BatchNorm2d


def shape_of(name, channels=3):
    """A shape of input that a model takes: of pictures, or of signals."""
    axes = len(registered.facts(name).get("least", (1, 1, 1)))
    return (32, 32, channels) if axes == 3 else (64, channels)


def batch_of(name, channels=3):
    return np.random.default_rng(0).standard_normal((4, *shape_of(name, channels))).astype(np.float32)


def created(name, input_shape=None, **options):
    cynet.seed(1)
    return models.create(name, input_shape or shape_of(name), **options)


def with_and_without_norm(name):
    """The options of the variants that there are."""
    return [{"batch_norm": True}, {"batch_norm": False}] if "batch_norm" in models.options(name) else [{}]


def stepped(model, x, steps=1):
    """The losses of training steps over one batch."""
    criterion, losses = cynet.CrossEntropyLoss(), []
    optimizer = cynet.SGD(model.parameters(), 0.02, momentum=0.9)
    for _ in range(steps):
        losses.append(criterion(model(x), LABELS))
        model.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
    return losses


@pytest.mark.parametrize("channels", [3, 1])
@EVERY
def test_logits_and_gradients(name, channels):
    for options in with_and_without_norm(name):
        model = created(name, shape_of(name, channels), classes=7, **options)
        x = batch_of(name, channels)
        assert model.output_shape(x.shape) == (4, 7)
        y = model(x)
        assert y.shape == (4, 7) and y.dtype == np.float32
        assert model.backward(np.ones_like(y)).shape == x.shape
        assert all(p.grad.any() or "bias" in p.name for p in model.parameters())
        assert options.get("batch_norm", True) or not [o for _, o in model.walk() if isinstance(o, NORMS)]


@EVERY
def test_training_steps_change_every_parameter_and_lower_the_loss(name):
    for options in with_and_without_norm(name):
        model = created(name, **options)
        before = model.state_dict()
        losses = stepped(model, batch_of(name), 6)
        assert np.isfinite(losses).all() and min(losses[-3:]) < losses[0]
        for key, array in model.state_dict().items():
            assert (array != before[key]).any(), key


@EVERY
def test_states_have_names_and_go_into_another_model(name):
    model, other = created(name), models.create(name, shape_of(name))
    x = batch_of(name)
    state = model.state_dict()
    assert list(state) == list(other.state_dict())
    ends = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert {key.rpartition(".")[2] for key in state} <= ends
    other.load_state_dict(state)
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[key])
    np.testing.assert_array_equal(other.eval()(x), model.eval()(x))


@EVERY
def test_a_run_knows_its_layout(name):
    """What is read back of a run is looked at by the arrays that the model must have."""
    (*sides, _) = shape_of(name)
    for options in with_and_without_norm(name):

        def build(classes, channels, options=options):
            return models.create(name, (*sides, channels), classes, **options).state_dict()

        layout = ModelLayout(build)
        for classes, channels in ((1, 3), (10, 3), (37, 1)):
            found = build(classes, channels)
            assert layout.shapes(classes, channels) == {key: array.shape for key, array in found.items()}


@EVERY
def test_the_summary_adds_up(name):
    model, shape = created(name), shape_of(name)
    table = cynet.summary(model, (1, *shape))
    assert table.parameters == sum(p.size for p in model.parameters())
    assert table.macs == sum(row.macs for row in table.rows) == sum(
        int(layer.macs(*shapes_of(given))) for _, layer, given in model.trace((1, *shape))
    )  # fmt: skip
    assert f"{table.parameters:,}" in str(table).splitlines()[-1]


@pytest.mark.usefixtures("threads_for_small_shapes")
@EVERY
def test_same_bytes_for_one_to_four_threads(name):
    states, x = [], batch_of(name)
    large = sum(p.size for p in models.create(name, shape_of(name)).parameters()) > 1_000_000
    for count in (1, 3) if large else (1, 2, 3, 4):
        threads.set_num_threads(count)
        model = created(name)
        stepped(model, x)
        states.append({key: array.tobytes() for key, array in model.state_dict().items()})
        states[-1]["evaluation"] = model.eval()(x).tobytes()
        assert states[-1] == states[0]


@EVERY
def test_equal_seeds_give_equal_weights_and_copies_go_their_own_way(name):
    model, again, x = created(name), created(name), batch_of(name)
    twin = copy.deepcopy(model)
    stepped(twin, x)
    cynet.seed(2)
    other = models.create(name, shape_of(name)).state_dict()
    drawn = {p.name: (p.data != 0) & (p.data != 1) for p in model.parameters() if p.data.ndim > 1}
    assert any(one.all() for one in drawn.values())  # but Dirac's filters are no draw
    assert all((other[p.name] != p.data)[drawn[p.name]].all() for p in model.parameters() if p.name in drawn)
    state = again.state_dict()
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[key])
    assert (twin.eval()(x) != model.eval()(x)).any()


@EVERY
def test_nan_comes_out_and_an_empty_batch_goes_through(name):
    model = created(name).eval()
    x = batch_of(name)
    x[(1, 7, 9, 2) if x.ndim == 4 else (1, 7, 2)] = np.nan
    y = model(x)
    assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2, 3]]).all()
    assert model(x[:0]).shape == (0, 10)


@pytest.mark.parametrize(("options", "argument"), [
    ({"classes": 0}, "classes"), ({"classes": 2.0}, "classes"), ({"input_shape": 32}, "input_shape"),
    ({"input_shape": (32, 32, -1)}, r"input_shape\[2\]"), ({"input_shape": ()}, "input_shape"),
    ({"input_shape": (8, 2.0)}, r"input_shape\[1\]"), ({"batch_norm": 1}, "batch_norm"),
    ({"channels": 3}, "channels"),
])  # fmt: skip
@EVERY
def test_bad_options_are_refused_by_name(name, options, argument):
    with pytest.raises((TypeError, ValueError), match=f"^{argument}: wanted .*got"):
        models.create(name, **{"input_shape": shape_of(name), **options})


@EVERY
def test_the_least_input_is_the_least_that_its_arithmetic_allows(name):
    least = registered.facts(name).get("least")
    if least is None:  # of any sizes and number of axes
        for shape in ((1,), (3, 2), (5, 1, 2), (2, 3, 1, 2)):
            assert created(name, shape)(np.zeros((2, *shape), np.float32)).shape == (2, 10)
        return
    model = created(name, least)
    assert model.eval()(np.zeros((2, *least), np.float32)).shape == (2, 10)
    for axis, size in enumerate(least):
        below = (*least[:axis], size - 1, *least[axis + 1 :])
        if size > 1:
            with pytest.raises(ValueError, match=rf"^input_shape: wanted .* at least .* for {name}, got"):
                created(name, below)
            with pytest.raises(ValueError):  # and the net says so itself
                registered[name](below, 10).checked_shape((1, *below))
    for shape in ((*least, 1), least[1:]):
        with pytest.raises(ValueError, match=rf"^input_shape: wanted .* at least .* for {name}, got"):
            created(name, shape)


@EVERY
def test_it_takes_inputs_of_odd_sizes(name):
    shape = (37, 50, 2) if len(shape_of(name)) == 3 else (37, 2)
    model = created(name, shape, classes=3)
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    assert model.backward(np.ones_like(model(x))).shape == x.shape


@EVERY
def test_inputs_that_it_cannot_take_are_refused_in_words(name):
    model = created(name)
    for shape in ((2, 32, 32, 4), (2, 32, 32), (2, 2, 2, 3), (32, 32, 3), ()):
        try:
            y = model(np.zeros(shape, np.float32))
        except ValueError as error:
            assert "wanted" in str(error) and ("layer " in str(error) or "Graph" in str(error)), error
        else:
            assert y.shape == model.output_shape(shape)


@EVERY
def test_it_is_told_of(name):
    assert registered[name].__doc__
    texts = [path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))]
    assert any(re.search(rf"\b{name}\b", text) for text in texts), f"no document names {name}"
