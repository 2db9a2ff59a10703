"""GRU and LSTM: what they do beyond every layer: the state that is handed on, attributes, several layers."""

import copy

import numpy as np
import pytest
import reference_recurrent
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.core import threads
from cynet.kernels.recurrent import recurrence

KINDS = pytest.mark.parametrize("kind", [cynet.GRU, cynet.LSTM])
TWINS = {cynet.GRU: reference_recurrent.gru, cynet.LSTM: reference_recurrent.lstm}


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def made(kind, *sizes):
    cynet.seed(4)
    return kind(*sizes)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def state_of(layer, batch, seed=5):
    arrays = tuple(
        normal((layer.num_layers, batch, layer.hidden_size), seed + i) for i in range(len(layer.states))
    )
    return arrays if len(arrays) > 1 else arrays[0]


def ran(layer, x, *state):
    """[y, last state, dx, the parameters' gradients]."""
    layer.zero_grad()
    found = layer(x, *state)
    y, last = found if state else (found, ())
    dx = layer.backward(normal(y.shape, 7))
    return [y, *parts(last), dx, *(parameter.grad.copy() for parameter in layer.parameters())]


def assert_near(found, wanted, long):
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.float32 and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * long**0.5)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([cynet.GRU, cynet.LSTM]), st.integers(1, 40), st.integers(1, 70), st.integers(1, 3),
    st.integers(0, 40), st.integers(0, 6), st.booleans(), st.integers(0, 2**32),
)  # fmt: skip
def test_drawn_sizes_equal_the_twin(kind, inputs, hidden, layers, batch, length, begun, seed):
    cynet.seed(seed)
    layer, x = kind(inputs, hidden, layers), normal((batch, length, inputs), seed)
    state = state_of(layer, batch) if begun else None
    found = ran(layer, x, state)
    given = None if state is None else [one.astype(float) for one in parts(state)]
    y, last, gradients = reference_recurrent.layers(TWINS[kind], layer, x.astype(float), given)
    wanted = gradients(normal(y.shape, 7).astype(float))
    names = [parameter.name for parameter in layer.parameters()]
    assert_near(found, [y, *last, wanted["input"], *(wanted[name] for name in names)], max(1, batch * length))


@KINDS
@pytest.mark.parametrize("sizes", [(5, 90, 1), (5, 200, 2)])  # sums over the gates in two parts, and in more
def test_many_units_equal_the_twin(kind, sizes):
    layer, x = made(kind, *sizes), normal((3, 4, 5))
    state = state_of(layer, 3)
    given = [one.astype(float) for one in parts(state)]
    y, last, gradients = reference_recurrent.layers(TWINS[kind], layer, x.astype(float), given)
    wanted = gradients(normal(y.shape, 7).astype(float))
    names = [parameter.name for parameter in layer.parameters()]
    assert_near(ran(layer, x, state), [y, *last, wanted["input"], *(wanted[name] for name in names)], 12)


@KINDS
@pytest.mark.parametrize("piece", [1, 4, 6, 11, 13, 20])  # steps: less than a sequence of 4, one, some, all
def test_states_copied_in_pieces_give_the_same_gradients(kind, piece, monkeypatch):
    layer, x = made(kind, 5, 6, 2), normal((5, 4, 5))
    wanted = ran(layer, x, state_of(layer, 5))
    monkeypatch.setattr(recurrence, "PIECE", piece)
    assert_near(ran(layer, x, state_of(layer, 5)), wanted, 20)


@KINDS
def test_states_carried_are_one_longer_sequence(kind):
    layer, x = made(kind, 5, 20, 2), normal((3, 9, 5))
    whole, state = layer(x), None
    for first, end in ((0, 4), (4, 5), (5, 9)):
        y, state = layer(x[:, first:end], state)
        np.testing.assert_array_equal(y, whole[:, first:end])
    np.testing.assert_array_equal(parts(state)[0][-1], whole[:, -1])


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_a_layer_that_carries_its_state_goes_on_where_it_ended(kind, training):
    layer, x = made(kind, 5, 20, 2).train(training), normal((3, 9, 5))
    whole, last = layer(x, None)
    layer.carry = True
    for first, end in ((0, 4), (4, 5), (5, 9)):
        np.testing.assert_array_equal(layer(x[:, first:end]), whole[:, first:end])
    for one, two in zip(parts(layer.carried), parts(last), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(layer(x, None)[0], whole)  # a state that is given is another matter
    layer.carried = None
    np.testing.assert_array_equal(layer(x), whole)


@KINDS
def test_no_state_and_none_begin_with_zeros(kind):
    layer, x = made(kind, 5, 6, 2), normal((3, 4, 5))
    zeros = tuple(np.zeros_like(one) for one in parts(state_of(layer, 3)))
    zeros = zeros if kind is cynet.LSTM else zeros[0]
    y, last = layer(x, zeros)
    np.testing.assert_array_equal(layer(x), y)
    again, other = layer(x, None)
    np.testing.assert_array_equal(again, y)
    for one, two in zip(parts(last), parts(other), strict=True):
        np.testing.assert_array_equal(one, two)


@KINDS
def test_a_sequence_of_no_steps_hands_its_state_on(kind):
    layer = made(kind, 5, 6, 2)
    state = state_of(layer, 3)
    y, last = layer(np.zeros((3, 0, 5), np.float32), state)
    assert y.shape == (3, 0, 6) and layer.backward(y).shape == (3, 0, 5)
    for one, two in zip(parts(last), parts(state), strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.may_share_memory(one, two)


@KINDS
def test_what_is_handed_out_belongs_to_the_caller(kind):
    layer, x = made(kind, 5, 6), normal((3, 4, 5))
    state = state_of(layer, 3)
    wanted = ran(layer, x, state)
    y, last = layer(x, state)
    for one in (*parts(last), *parts(state)):
        one[...] = 9  # neither is what backward follows
    layer.zero_grad()
    found = layer.backward(normal(y.shape, 7))
    np.testing.assert_array_equal(found, wanted[-5])


@KINDS
@pytest.mark.usefixtures("threads_for_small_shapes")
def test_same_bytes_for_one_to_four_threads(kind):
    layer, x, results = made(kind, 30, 70, 2), normal((67, 9, 30)), []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        results.append([array.tobytes() for array in ran(layer, x, state_of(layer, 67))])
    assert all(one == results[0] for one in results)


@KINDS
def test_a_row_does_not_depend_on_the_others(kind):
    layer, x = made(kind, 5, 40), normal((50, 4, 5))
    y = layer(x)
    for count in (1, 2, 7, 33):
        np.testing.assert_array_equal(layer(x[:count]), y[:count])


@KINDS
def test_infinite_biases_give_nan_without_a_warning(kind):
    layer = made(kind, 4, 5)
    layer.bias_ih_l0.data[:], layer.bias_hh_l0.data[:] = np.inf, -np.inf
    assert np.isnan(layer(np.ones((2, 3, 4), np.float32))).all()
    layer.bias_ih_l0.grad[:] = np.inf
    layer.backward(np.full((2, 3, 5), -np.inf, np.float32))
    assert np.isnan(layer.bias_ih_l0.grad).all()


@KINDS
def test_nan_stays_in_its_row_and_the_steps_after_it(kind):
    layer, x = made(kind, 5, 6), normal((3, 4, 5))
    x[1, 2, 0] = np.nan
    bad = np.isnan(layer(x)).any(2)
    np.testing.assert_array_equal(bad, [[False] * 4, [False, False, True, True], [False] * 4])


@KINDS
@pytest.mark.parametrize("value", [1e4, -1e4, np.inf, -np.inf])
def test_large_inputs_saturate(kind, value):
    layer = made(kind, 1, 6)
    y = layer(np.full((2, 3, 1), value, np.float32))
    assert np.isfinite(y).all() and np.abs(y).max() <= 1
    if np.isfinite(value):
        assert np.isfinite(layer.backward(np.ones_like(y))).all()


@KINDS
def test_a_pass_may_be_left_and_another_followed(kind):
    layer, x = made(kind, 5, 6), normal((2, 3, 4, 5))
    ys, passes = [], []
    for one in x:
        ys.append(layer(one, state_of(layer, 3))[0])
        passes.append(layer.last_pass)
    alone = [copy.deepcopy(layer) for _ in x]
    for i in (0, 1):
        alone[i](x[i], state_of(layer, 3))
        np.testing.assert_array_equal(passes[i].backward(ys[i]), alone[i].backward(ys[i]))


@KINDS
def test_no_grad_keeps_nothing(kind):
    layer, x = made(kind, 5, 6), normal((3, 4, 5))
    with cynet.no_grad():
        y, _ = layer(x, None)
    np.testing.assert_array_equal(y, layer(x))
    layer.backward(y)
    with pytest.raises(RuntimeError, match="forward pass"):
        layer.backward(y)


# -- after an embedding --------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("numbers", [1, 7, 40])  # of 30 tokens: few, and many
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("begun", [False, True])
def test_after_an_embedding_it_does_what_both_do(kind, numbers, layers, begun):
    layer, table = made(kind, 5, 20, layers), cynet.Embedding(numbers, 5)
    x = np.random.default_rng(0).integers(0, numbers, (6, 5))
    state = (state_of(layer, 6),) if begun else ()
    results = []
    for joined in (True, False):
        for one in (table, layer):
            one.zero_grad()
        found = layer.after(table, x, *state) if joined else layer(table(x), *state)
        y, last = found if begun else (found, ())
        dx = layer.backward(normal(y.shape, 7))
        assert table.backward(dx) is None if not joined else dx is None
        grads = [parameter.grad.copy() for one in (table, layer) for parameter in one.parameters()]
        results.append(([y, *parts(last)], grads))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert_near(results[0][1], results[1][1], 30)


@KINDS
@pytest.mark.parametrize("numbers", [3, 40])  # of 30 tokens: few, and many
@pytest.mark.parametrize("frozen", ["weight", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0"])
def test_after_an_embedding_frozen_parameters_are_left_alone_and_the_others_not(kind, numbers, frozen):
    layer, table = made(kind, 5, 6), cynet.Embedding(numbers, 5)
    x = np.random.default_rng(0).integers(0, numbers, (6, 5))
    parameters = [*table.parameters(), *layer.parameters()]

    def gradients():
        for one in (table, layer):
            one.zero_grad()
        layer.backward(normal(layer.after(table, x).shape, 7))
        return [parameter.grad.copy() for parameter in parameters]

    wanted = gradients()
    for parameter in parameters:
        parameter.requires_grad = parameter.name != frozen
    for parameter, one, other in zip(parameters, gradients(), wanted, strict=True):
        np.testing.assert_array_equal(one, other * (parameter.name != frozen))


@KINDS
@pytest.mark.usefixtures("threads_for_small_shapes")
def test_after_an_embedding_it_has_the_same_bytes_for_one_to_four_threads(kind):
    x, results = np.random.default_rng(0).integers(0, 9, (40, 7)), []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        layer, table = made(kind, 70, 50), cynet.Embedding(9, 70)
        y = layer.after(table, x)
        layer.backward(normal(y.shape, 7))
        grads = [parameter.grad.tobytes() for one in (table, layer) for parameter in one.parameters()]
        results.append([y.tobytes(), *grads])
    assert all(one == results[0] for one in results)


@KINDS
def test_what_changed_of_the_embedding_is_refused(kind):
    layer, table, x = made(kind, 5, 6), cynet.Embedding(9, 5), np.zeros((2, 3), int)
    y = layer.after(table, x)
    table.weight.data = np.zeros((9, 5))
    with pytest.raises(RuntimeError, match="weight: wanted the values of the forward pass"):
        layer.backward(y)
    with pytest.raises(TypeError, match="embedding: wanted an Embedding, got"):
        layer.after(layer, x)
    with pytest.raises(ValueError, match="input"):
        layer.after(table, np.full((2, 3), 9))
    with pytest.raises(ValueError, match="wanted"):
        layer.after(cynet.Embedding(9, 4), x)
    with pytest.raises(ValueError, match="wanted"):
        layer.after(table, x[0])
    with pytest.raises(TypeError, match="wanted an array of integers"):
        layer.after(table, x.astype(np.float32))


@KINDS
@pytest.mark.parametrize("frozen", [0, 1])
def test_in_a_chain_they_are_one_step_and_frozen_ones_are_left_alone(kind, frozen):
    cynet.seed(4)
    model = cynet.Sequential(cynet.Embedding(3, 5), kind(5, 6), cynet.Linear(6, 3))
    for parameter in model[frozen].parameters():
        parameter.requires_grad = False
    x = np.random.default_rng(0).integers(0, 3, (6, 5))
    y = model(x)
    assert type(model._training_steps.steps[0]).__name__ == "Vectors"
    assert model.backward(normal(y.shape)) is None
    for number, layer in enumerate(model):
        assert all(parameter.grad.any() == (number != frozen) for parameter in layer.parameters())


def test_the_state_of_an_lstm_may_be_a_list_and_its_parts_have_names():
    layer, x = made(cynet.LSTM, 5, 6, 2), normal((3, 4, 5))
    h, c = state_of(layer, 3)
    np.testing.assert_array_equal(layer(x, [h, c])[0], layer(x, (h, c))[0])
    for state, name in (((h[:1], c), "h"), ((h, c[:1]), "c")):
        with pytest.raises(ValueError, match=rf"state {name}: wanted shape \(2, 3, 6\), got \(1, 3, 6\)"):
            layer(x, state)
    for state, name in (((h.astype(float), c), "h"), ((h, c.astype(float)), "c")):
        with pytest.raises(TypeError, match=f"LSTM state {name}: wanted dtype float32"):
            layer(x, state)


# -- what is refused -----------------------------------------------------------------------------------------
@KINDS
def test_a_state_of_another_kind_or_shape_is_refused(kind):
    layer, x = made(kind, 5, 6, 2), normal((3, 4, 5))
    good = state_of(layer, 3)
    wrong = [normal((2, 4, 6)), normal((1, 3, 6)), normal((3, 6)), np.zeros((2, 3, 6)), [1, 2], "h", 3]
    for one in wrong:
        for state in [one] if kind is cynet.GRU else [one, (one, good[1]), (good[0], one), (*good, one)]:
            with pytest.raises((TypeError, ValueError), match=f"{kind.__name__} state.*wanted.*got"):
                layer(x, state)
    with pytest.raises(TypeError, match="wanted an input and a state, got 3"):
        layer(x, good, good)
    said = rf"^{kind.__name__}\(5, 6, num_layers=2\): wanted \(N, L, 5\), got \(3, 4, 6\)$"
    for state in ((), (good,), (None,)):
        with pytest.raises(ValueError, match=said):
            layer(normal((3, 4, 6)), *state)
    with pytest.raises(TypeError, match=f"{kind.__name__} input"):
        layer(None, good)


@KINDS
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers", "weight_hh_l0", "bias_ih_l1"])
@pytest.mark.parametrize(
    "value", [None, 0, -1, 1.5, "x", 7, 2**40, cynet.Parameter(np.zeros(3)), np.zeros(2)]
)
def test_attributes_set_to_anything_are_refused_by_name(kind, name, value):
    layer, x = made(kind, 5, 6, 2), normal((3, 4, 5))
    wanted = ran(layer, x)
    layer(x)
    before = getattr(layer, name)
    setattr(layer, name, value)
    layer.training = True
    if "_l" in name and name != "num_layers":
        with pytest.raises((TypeError, ValueError), match=f"{name}: wanted"):
            layer.backward(normal(wanted[0].shape, 7))
    else:
        setattr(layer, name, before)
        layer.zero_grad()
        setattr(layer, name, value)
        np.testing.assert_array_equal(layer.backward(normal(wanted[0].shape, 7)), wanted[1])
    with pytest.raises((TypeError, ValueError), match=f"{name}|wanted"):
        layer(x)
    setattr(layer, name, before)
    for one, two in zip(ran(layer, x), wanted, strict=True):
        np.testing.assert_array_equal(one, two)


@KINDS
def test_weights_assigned_between_the_passes_are_refused(kind):
    layer, x = made(kind, 5, 6), normal((3, 4, 5))
    y = layer(x)
    layer.weight_hh_l0.data = layer.weight_hh_l0.data + 1
    with pytest.raises(RuntimeError, match="weight_hh_l0: wanted the values of the forward pass"):
        layer.backward(y)


@KINDS
@pytest.mark.parametrize(
    "frozen",
    [("weight_ih_l0",), ("weight_hh_l0", "bias_hh_l0"), ("bias_ih_l0", "bias_hh_l0"), ("weight_hh_l0",),
     ("bias_ih_l0",), ("bias_hh_l0",), ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")],
)  # fmt: skip
def test_frozen_parameters_are_left_alone(kind, frozen):
    layer, x = made(kind, 5, 6), normal((3, 4, 5))
    wanted = ran(layer, x)
    for name in frozen:
        getattr(layer, name).requires_grad = False
    found = ran(layer, x)
    for one, two, parameter in zip(found[2:], wanted[2:], layer.parameters(), strict=True):
        np.testing.assert_array_equal(one, np.zeros_like(two) if parameter.name in frozen else two)


@KINDS
def test_initial_weights_are_pytorchs_distribution(kind):
    layer = made(kind, 100, 64)
    for parameter in layer.parameters():
        assert np.abs(parameter.data).max() <= 0.125
        assert abs(parameter.data.std() - 0.125 / 3**0.5) < 0.01


@KINDS
def test_the_initial_weights_of_a_seed_are_for_ever(kind):
    cynet.seed(0)
    layer = kind(2, 3)
    first = [layer.weight_ih_l0.data[0, 0], layer.weight_ih_l0.data[0, 1], layer.weight_hh_l0.data[0, 0]]
    np.testing.assert_allclose(first, [-0.53723377, -0.56401724, 0.5486275], rtol=1e-6)


@KINDS
def test_work_is_counted_and_written_as_it_was_made(kind):
    layer, gates = made(kind, 5, 6, 3), 3 if kind is cynet.GRU else 4
    assert layer.macs((2, 4, 5)) == 2 * 4 * gates * 6 * ((5 + 6) + 2 * (6 + 6))
    name = kind.__name__
    assert repr(layer) == f"{name}(5, 6, num_layers=3)" and repr(made(kind, 5, 6)) == f"{name}(5, 6)"
    assert repr(made(kind, 5, 6, 2)) == f"{name}(5, 6, num_layers=2)"


@KINDS
def test_layers_of_units_have_a_limit(kind):
    assert len(made(kind, 1, 1, 1000).parameters()) == 4000
    with pytest.raises(ValueError, match=r"^num_layers: wanted at most 1000, got 1001$"):
        kind(1, 1, 1001)


@KINDS
@pytest.mark.parametrize("value", [1, None, "yes", np.zeros(2)])
def test_what_says_whether_a_state_is_carried_is_true_or_false(kind, value):
    layer = made(kind, 5, 6)
    layer.carry = value
    with pytest.raises(TypeError, match="carry: wanted True or False, got"):
        layer(normal((3, 4, 5)))


@KINDS
def test_a_spec_of_many_layers_is_bounded(kind):
    spec = cynet.nn.to_spec(made(kind, 5, 6, 2))
    spec["layers"][0]["arguments"]["hidden_size"] = 2**20
    with pytest.raises(ValueError, match=r"layers\[0\]"):
        cynet.nn.from_spec(spec)


@pytest.mark.torch
@KINDS
@pytest.mark.parametrize("sizes", [(7, 33, 1), (20, 64, 3)])
def test_states_equal_pytorchs(kind, sizes):
    torch = pytest.importorskip("torch")
    layer, x = made(kind, *sizes), normal((6, 8, sizes[0]))
    theirs = getattr(torch.nn, kind.__name__)(*sizes, batch_first=True)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    assert list(theirs.state_dict()) == list(layer.state_dict())
    state, given = state_of(layer, 6), torch.tensor(x, requires_grad=True)
    tensors = tuple(map(torch.tensor, parts(state)))
    y, last = theirs(given, tensors if kind is cynet.LSTM else tensors[0])
    found = ran(layer, x, state)
    y.backward(torch.tensor(normal(found[0].shape, 7)))
    wanted = [y, *parts(last), given.grad, *(parameter.grad for _, parameter in theirs.named_parameters())]
    assert_near(found, [array.detach().numpy() for array in wanted], 1 if len(wanted) < 9 else 4)
