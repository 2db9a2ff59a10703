"""Conv1d, ConvTranspose2d and dilation: frozen weights, what is like what, PyTorch, plans, refusals."""

import numpy as np
import pytest
import reference_weights
from helpers import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet import BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, ConvTranspose2d, ReLU, Residual, Sequential
from cynet.core import threads
from cynet.kernels.conv import algorithm, convolution
from cynet.kernels.conv.problem import Problem
from cynet.kernels.conv.transposed import grid
from cynet.nn.compile import chains, inference, inference_steps

RNG = np.random.default_rng(0)
LAYERS = [
    (lambda: Conv2d(4, 6, 3, padding=2, dilation=2), (2, 6, 7, 4)),
    (lambda: Conv1d(4, 6, 3, padding=1), (2, 9, 4)),
    (lambda: ConvTranspose2d(4, 6, 3, 2), (2, 4, 5, 4)),
]


@pytest.fixture(autouse=True)
def _seeded():
    cynet.seed(3)


def normal(*shape):
    return frozen(RNG.standard_normal(shape))


def filled(layer):
    """A layer whose parameters and statistics are none of the first ones."""
    rng = np.random.default_rng(5)
    for parameter in layer.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    for _, one in layer.walk():
        for name in ("running_mean", "running_var"):
            if name in one.buffers:
                getattr(one, name)[:] = rng.random(one.num_features) + 0.5
    return layer


# -- frozen weights ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("make", "shape"), LAYERS)
@pytest.mark.parametrize("names", [["weight"], ["bias"], ["weight", "bias"]], ids="-".join)
def test_a_parameter_that_is_not_trained_is_left_alone_and_the_rest_is_as_before(make, shape, names):
    layer, x = make(), normal(*shape)
    dy = normal(*layer.output_shape(shape))
    layer(x)
    wanted = layer.backward(dy), layer.weight.grad.copy(), layer.bias.grad.copy()
    layer.zero_grad()
    for name in names:
        getattr(layer, name).requires_grad = False
    layer(x)
    np.testing.assert_array_equal(layer.backward(dy), wanted[0])
    for name, want in (("weight", wanted[1]), ("bias", wanted[2])):
        np.testing.assert_array_equal(getattr(layer, name).grad, 0 if name in names else want)


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_the_work_for_a_frozen_weight_is_spared(make, shape, monkeypatch):
    layer, x = make(), normal(*shape)
    y = layer(x)
    layer.weight.requires_grad = False
    monkeypatch.setattr(type(layer._worked_out[1]), "weight_gradient", None)
    assert layer.backward(y).shape == shape
    assert layer.bias.grad.any()


# -- what is like what ---------------------------------------------------------------------------------------
def test_a_sequence_is_an_image_of_height_one():
    along, flat = Conv1d(4, 6, 3, 2, 4, 2, 2), Conv2d(4, 6, (1, 3), (1, 2), (0, 4), (1, 2), 2)
    flat.weight.data, flat.bias.data = along.weight.data[:, :, None], along.bias.data
    x = normal(3, 11, 4)
    y, wanted = along(x), flat(x[:, None])
    np.testing.assert_array_equal(y, wanted[:, 0])
    dy = normal(*y.shape)
    np.testing.assert_array_equal(along.backward(dy), flat.backward(dy[:, None])[:, 0])
    np.testing.assert_array_equal(along.weight.grad, flat.weight.grad[:, :, 0])
    np.testing.assert_array_equal(along.bias.grad, flat.bias.grad)
    assert along.macs(x.shape) == flat.macs(x[:, None].shape) == y.size * 2 * 3


def test_padding_before_alone_makes_it_causal():
    layer, x = Conv1d(2, 3, 3, padding=(4, 0), dilation=2), normal(1, 12, 2)
    other = x.copy()
    other[:, 7:] = 9
    y, changed = layer(x), layer(other)
    assert y.shape == (1, 12, 3)
    np.testing.assert_array_equal(y[:, :7], changed[:, :7])
    assert (y[:, 7:] != changed[:, 7:]).any(axis=(0, 2)).all()


@pytest.mark.parametrize("given", [3, (3,), [3]])
def test_a_size_may_stand_in_a_tuple_as_in_pytorch(given):
    layer = Conv1d(2, 3, given, given, given, given)
    sizes = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    assert sizes == ((3,), (3,), (3, 3), (3,))
    assert repr(layer) == "Conv1d(2, 3, kernel_size=3, stride=3, padding=3, dilation=3, bias=True)"


def test_transposed_passes_are_those_of_the_convolution_in_turn():
    """Its forward pass is the other's gradient to the input, and the other way round."""
    there, back = Conv2d(5, 4, 3, 2, 1, bias=False), ConvTranspose2d(4, 5, 3, 2, 1, 1, bias=False)
    back.weight.data = there.weight.data
    image, code = normal(2, 8, 6, 5), normal(2, 4, 3, 4)
    there(image)
    np.testing.assert_array_equal(back(code), there.backward(code))
    np.testing.assert_array_equal(back.backward(image), there(image))
    np.testing.assert_array_equal(back.weight.grad, there.weight.grad)
    assert back.macs(code.shape) == there.macs(image.shape)


def test_pixels_that_no_filter_reaches_are_the_bias():
    layer, x = ConvTranspose2d(4, 5, (1, 2), (3, 4), groups=1), normal(2, 3, 4, 4)
    layer.bias.data = [1, 2, 3, 4, 5]
    y = layer(x)
    assert y.shape == (2, 7, 14, 5)
    gaps = np.ones((7, 14), bool)
    gaps[::3, ::4] = gaps[::3, 1::4] = False
    np.testing.assert_array_equal(y[:, gaps], np.broadcast_to(layer.bias.data, (2, gaps.sum(), 5)))


@st.composite
def transposed(draw):
    """(layer's arguments, shape of x), of which some have a special algorithm."""
    few = lambda most: tuple(draw(st.integers(1, most)) for _ in range(2))  # noqa: E731
    groups = draw(st.sampled_from([1, 1, 2, 4]))
    inputs, outputs = (groups * draw(st.sampled_from([1, 2, 3, 8])) for _ in range(2))
    kernel, stride, dilation = draw(st.sampled_from([(3, 3), few(4)])), few(3), few(3)
    if draw(st.booleans()):
        stride = dilation = (1, 1)
    more = tuple(draw(st.integers(0, max(s) - 1)) for s in zip(stride, dilation, strict=True))
    size = few(6)
    full = [
        (n - 1) * s + d * (k - 1) + 1 + m
        for n, s, d, k, m in zip(size, stride, dilation, kernel, more, strict=True)
    ]
    before = [draw(st.integers(0, min(4, n - 1))) for n in full]
    after = [draw(st.integers(0, min(4, n - 1 - b))) for n, b in zip(full, before, strict=True)]
    padding = (*before, *after)
    arguments = inputs, outputs, kernel, stride, padding, more, groups, draw(st.booleans()), dilation
    return arguments, (draw(st.integers(0, 3)), *size, inputs)


@pytest.mark.usefixtures("threads_for_small_shapes", "dirty_memory")
@settings(max_examples=80, deadline=None)
@given(transposed(), st.integers(0, 2**32))
def test_transposed_convolution_is_its_twin_for_any_number_of_threads(case, seed):
    (arguments, shape), rng, found = case, np.random.default_rng(seed), set()
    layer = ConvTranspose2d(*arguments)
    _, outputs, _, stride, padding, more, groups, bias, dilation = arguments
    for parameter in layer.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    x = frozen(rng.standard_normal(shape))
    w, b = layer.weight.data.astype(float), layer.bias.data.astype(float) if bias else np.zeros(outputs)
    y, backward = reference_weights.conv_transpose2d(
        x.astype(float), w, b, stride, padding, more, groups, dilation
    )
    dy = frozen(rng.standard_normal(y.shape))
    wanted = y, *backward(dy.astype(float))
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        layer.zero_grad()
        got = [layer(x), layer.backward(dy), layer.weight.grad]
        got += [layer.bias.grad] if bias else []
        for one, want in zip(got, wanted, strict=False):
            assert one.shape == want.shape
            terms = max(1, w[0].size, w[:, 0].size, dy[..., 0].size)
            np.testing.assert_allclose(one, want, rtol=0, atol=1e-4 * terms**0.5)
        found.add(tuple(a.tobytes() for a in got))
    assert len(found) == 1


@pytest.mark.parametrize("kind", [kind for _, kind in algorithm.REGISTRY])
def test_transposed_convolution_uses_every_algorithm(kind):
    """But that of borders: what is cut off around its output has none."""
    shape, outputs, kernel, stride, padding, groups, *bordered = kind.example
    if bordered:
        assert kind.suits(Problem.of(*kind.example)) and not kind.suits(Problem.of(*kind.example[:6]))
        return
    problem = Problem.of(*kind.example)
    more = [
        (n + padding[i] + padding[2 + i] - k) % s
        for i, (n, k, s) in enumerate(zip(shape[1:3], kernel, stride, strict=True))
    ]
    layer = ConvTranspose2d(outputs, shape[3], kernel, stride, padding, tuple(more), groups)
    assert layer.problem(problem.out_shape) == problem
    assert type(layer.convolution(problem.out_shape)) is kind


TORCH = [
    ("Conv2d", (4, 8, 3, 1, 2, 2), (2, 9, 9, 4)),
    ("Conv2d", (4, 6, (2, 3), (2, 1), (1, 3), (3, 2), 2, False), (2, 9, 10, 4)),
    ("Conv2d", (4, 4, 3, 2, 4, 4, 4), (2, 9, 10, 4)),
    ("Conv1d", (3, 16, 5, 2, 2), (2, 33, 3)),
    ("Conv1d", (8, 6, 3, 1, 8, 8, 2, False), (2, 33, 8)),
    ("ConvTranspose2d", (8, 8, 3, 1, 1), (2, 9, 9, 8)),
    ("ConvTranspose2d", (16, 3, 4, 2, 1), (2, 8, 8, 16)),
    ("ConvTranspose2d", (6, 4, (3, 2), (3, 2), (1, 0), (2, 1), 2, False), (2, 5, 4, 6)),
    ("ConvTranspose2d", (6, 6, 3, 2, 1, 1, 6, True, 3), (2, 5, 4, 6)),
    ("ConvTranspose2d", (4, 3, 2, 1, 0, 2, 1, True, 3), (2, 3, 4, 4)),
]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "arguments", "shape"), TORCH)
def test_results_and_gradients_are_pytorchs_by_the_same_arguments(name, arguments, shape):
    torch = pytest.importorskip("torch")
    theirs, ours, x = getattr(torch.nn, name)(*arguments), getattr(cynet, name)(*arguments), normal(*shape)
    ours.load_state_dict({key: array.detach().numpy() for key, array in theirs.state_dict().items()})
    image = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    wanted = theirs(image)
    y, dy = ours(x), RNG.standard_normal(wanted.shape).astype(np.float32)
    wanted.backward(torch.tensor(dy))
    dx = ours.backward(frozen(np.moveaxis(dy, 1, -1)))
    for got, want in ((y, wanted.detach()), (dx, image.grad)):
        np.testing.assert_allclose(got, np.moveaxis(want.numpy(), 1, -1), rtol=0, atol=1e-4)
    for key, parameter in theirs.named_parameters():
        np.testing.assert_allclose(getattr(ours, key).grad, parameter.grad.numpy(), rtol=0, atol=1e-3)


# -- plans ---------------------------------------------------------------------------------------------------
NETS = [
    (lambda: Sequential(Conv2d(3, 8, 3, 1, 2, 2), BatchNorm2d(8), ReLU(), Conv2d(8, 8, 3, 2, "same", 3)),
     (2, 11, 10, 3), 2),
    (lambda: Sequential(Residual(Sequential(Conv2d(8, 8, 3, 1, 2, 2), BatchNorm2d(8))), ReLU()),
     (2, 11, 10, 8), 1),
    (lambda: Sequential(Conv2d(16, 8, 3, 1, 1), Residual(Conv2d(8, 8, 3, padding=5, dilation=5))),
     (1, 9, 9, 16), 2),
    (lambda: Sequential(Conv1d(3, 8, 5, 2), BatchNorm1d(8), ReLU(), Conv1d(8, 6, 3, bias=False), ReLU(),
                        Conv1d(6, 4, 1), BatchNorm1d(4), Conv1d(4, 5, 2)), (2, 30, 3), 4),
    (lambda: Sequential(Residual(Sequential(Conv1d(8, 8, 3, 1, "same", 4), BatchNorm1d(8))), ReLU()),
     (2, 17, 8), 1),
    (lambda: Sequential(Conv2d(3, 8, 3, 2), ConvTranspose2d(8, 8, 3, 2), BatchNorm2d(8), ReLU(),
                        ConvTranspose2d(8, 3, 3, padding=1)), (2, 9, 9, 3), 1),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "convolved"), NETS)
def test_a_plan_gives_the_layers_numbers_also_after_changes(make, shape, convolved):
    model, x = filled(make()).eval(), normal(*shape)
    wanted = x
    with cynet.no_grad():
        for _ in range(2):
            wanted = x
            for layer in model.layers:
                wanted = layer.forward(wanted)
            np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-4)
            for parameter in model.parameters():
                parameter.data = parameter.data * 0.5
    plan = inference.Plan(model, shape)
    assert len(plan._convolutions) == convolved
    assert all(isinstance(step, inference_steps.Convolve) for step in plan._convolutions)
    with cynet.no_grad():  # an attribute that is set makes another plan
        for _, layer in model.walk():
            if isinstance(layer, (Conv1d, Conv2d)):
                layer.padding, layer.dilation = "same", 1
        wanted = x
        for layer in model.layers:
            wanted = layer.forward(wanted)
        np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("make", "shape", "convolved"), NETS)
def test_joined_steps_train_to_the_single_layers_bits(make, shape, convolved):
    x, results = normal(*shape), []
    for alone in (False, True):
        cynet.seed(1)
        model = filled(make())
        if alone:
            y = x
            for layer in model.layers:
                y = layer(y)
            dy = np.ones_like(y)
            for layer in reversed(model.layers):
                dy = layer.backward(dy)
        else:
            y = model(x)
            dy = model.backward(np.ones_like(y))
        results.append((y, dy, *(parameter.grad for parameter in model.parameters())))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_residual_block_of_sequences_adds_while_it_goes_back():
    model = Sequential(Residual(Sequential(Conv1d(4, 4, 3, padding=1), BatchNorm1d(4))), ReLU())
    x = normal(2, 9, 4)
    y = model(x)
    assert len(chains.steps_of(model).steps) == 1
    assert model.backward(y).shape == x.shape


# -- what is refused -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Conv2d(1, 1, 3, dilation=0), ValueError, "dilation: wanted at least 1, got 0"),
    (lambda: Conv2d(1, 1, 3, dilation=(1, 2, 3)), ValueError, "dilation: wanted an int or a pair"),
    (lambda: Conv2d(1, 1, 3, dilation=1.5), TypeError, "dilation: wanted an int, got 1.5"),
    (lambda: Conv1d(1, 1, (3, 3)), ValueError, r"kernel_size: wanted an int, got \(3, 3\)"),
    (lambda: Conv1d(1, 1, 3, 0), ValueError, "stride: wanted at least 1, got 0"),
    (lambda: Conv1d(1, 1, 3, padding="full"), ValueError, "padding: wanted an int, .*got 'full'"),
    (lambda: Conv1d(1, 1, 3, padding=(1, 2, 3)), ValueError, r"padding: wanted an int, .*got \(1, 2, 3\)"),
    (lambda: Conv1d(1, 1, 3, padding=-1), ValueError, "padding: wanted at least 0, got -1"),
    (lambda: Conv1d(4, 6, 3, groups=3), ValueError, "groups: wanted a divisor of in_channels = 4, got 3"),
    (lambda: Conv1d(2, 3, 5, dilation=2)(normal(1, 8, 2)), ValueError,
     r"Conv1d\(2, 3.*length: wanted a kernel of at most 8 pixels.*got a kernel of 9, 5 with dilation 2"),
    (lambda: Conv1d(2, 3, 3, padding="same")(normal(1, 0, 2)), ValueError, "length: wanted at least 1 pixel"),
    (lambda: Conv1d(2, 3, 3)(normal(1, 1, 8, 2)), ValueError, r"wanted \(N, L, 2\), got \(1, 1, 8, 2\)"),
    (lambda: ConvTranspose2d(1, 1, 3, padding="same"), ValueError, "padding: wanted an int, a pair"),
    (lambda: ConvTranspose2d(1, 1, 3, 2, 0, 2), ValueError,
     r"output_padding: wanted less than stride \(2, 2\) or dilation \(1, 1\), got \(2, 2\)"),
    (lambda: ConvTranspose2d(1, 1, 3, output_padding=-1), ValueError, "output_padding: wanted at least 0"),
    (lambda: ConvTranspose2d(4, 6, 3, groups=4), ValueError, "groups: wanted a divisor of out_channels = 6"),
    (lambda: ConvTranspose2d(2, 3, 3, padding=(0, 1, 0, 2))(normal(1, 1, 1, 2)), ValueError,
     r"ConvTranspose2d\(2, 3.*width: wanted padding of less than 3, the output's pixels, got 1 and 2"),
    (lambda: ConvTranspose2d(2, 3, 3)(normal(1, 0, 1, 2)), ValueError, "height: wanted at least 1 pixel"),
    (lambda: ConvTranspose2d(2, 3, 3)(normal(1, 2, 1, 3)), ValueError, r"wanted \(N, H, W, 2\)"),
    (lambda: ConvTranspose2d(2, 3, 3, 2**15)(normal(1, 4, 5, 2)), ValueError,
     "output: wanted at most 268435456 pixels with the padding, got 98307 x 131075"),
    (lambda: ConvTranspose2d(2, 3, 3, dilation=2**31 - 1)(normal(1, 4, 5, 2)), ValueError,
     "output: wanted at most 268435456 pixels"),
])  # fmt: skip
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_most_pixels_of_a_transposed_convolution():
    sizes = (2, 2), (1, 1), (2**14 - 1,) * 2, (0,) * 4
    assert grid(*sizes, (0, 0), (1, 1)) == (2**14, 2**14)
    for more, got in (((1, 0), "16385 x 16384"), ((0, 1), "16384 x 16385")):
        with pytest.raises(ValueError, match=f"wanted at most 268435456 pixels with the padding, got {got}$"):
            grid(*sizes, more, (1, 1))


def test_what_padding_may_leave_of_a_transposed_convolution_is_a_pixel():
    assert grid((1, 1), (3, 4), (1, 1), (1, 2, 1, 1), (0, 0), (1, 1)) == (1, 1)
    for padding, said in (((2, 0, 1, 0), "height: .* less than 3, .* got 2 and 1"),
                          ((0, 1, 0, 3), "width: .* less than 4, .* got 1 and 3")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            grid((1, 1), (3, 4), (1, 1), padding, (0, 0), (1, 1))


@pytest.mark.parametrize("value", [None, 0, 1, (1, 0), 3, (1, 1, 1), "x", [], np.zeros(2)])
@pytest.mark.parametrize("name", ["output_padding", "dilation", "stride", "kernel_size"])
def test_an_attribute_of_a_transposed_convolution_that_was_set_counts_or_is_named(name, value):
    layer, x = ConvTranspose2d(4, 4, 2, 2), normal(1, 3, 3, 4)
    y = layer(x)
    setattr(layer, name, value)
    assert layer.backward(y).shape == x.shape  # of the pass that was made
    try:
        assert layer(x).shape == layer.output_shape(x.shape)
    except (TypeError, ValueError) as error:
        assert name in str(error) or "weight" in str(error)


def test_a_large_stride_makes_no_pass_that_is_empty():
    """Of a million residues a filter reaches nine."""
    layer = ConvTranspose2d(2, 3, 3, 1000, groups=1)
    layer.bias = None
    y = layer(normal(1, 3, 3, 2))
    assert y.shape == (1, 2003, 2003, 3) and len(layer._worked_out[1].input_passes[0]) == 9
    assert np.count_nonzero(y.any(axis=3)) == 81


def test_dilation_of_a_single_tap_leaves_the_algorithm_as_it_is():
    plain, odd = Conv2d(8, 8, 1), Conv2d(8, 8, 1, dilation=9)
    shape = (2, 5, 5, 8)
    assert odd.output_shape(shape) == plain.output_shape(shape)
    assert odd.problem(shape) == plain.problem(shape)
    assert type(odd.convolution(shape)) is type(convolution.choose(plain.problem(shape)))


@pytest.mark.parametrize("outputs", [3, 16, 40])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (1, 5), (2, 3), (3, 7)])
@pytest.mark.usefixtures("dirty_memory")
def test_sequences_with_a_stride_beyond_the_kernel_have_no_gradient_where_no_tap_was(outputs, kernel, stride):
    cynet.seed(0)
    layer, x = cynet.Conv1d(8, outputs, kernel, stride), normal(3, 53, 8)
    dy = normal(*layer(x).shape)
    dx, wanted = layer.backward(dy), np.zeros(x.shape)
    for k in range(kernel):
        places = slice(k, k + (dy.shape[1] - 1) * stride + 1, stride)
        wanted[:, places] += dy.astype(float) @ layer.weight.data[:, :, k]
    np.testing.assert_allclose(dx, wanted, rtol=1e-4, atol=1e-4)
    assert not dx[wanted == 0].any() and (wanted == 0).any()
