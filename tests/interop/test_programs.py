"""Nets as programs: which steps they become, which of them are joined, and the numbers in those."""

import numpy as np
import pytest

import cynet
from cynet.interop.program import folding, lowering, windows
from cynet.interop.program.folding import folded, with_curves, with_normalization, with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program, Step

RNG = np.random.default_rng(4)


def varied(model):
    for _, layer in model.walk():
        for parameter in layer.parameters() if not list(layer.children()) else ():
            parameter.data += 0.2 * RNG.standard_normal(parameter.data.shape).astype(np.float32)
        if "running_mean" in layer.buffers:
            layer.running_mean[...] = RNG.standard_normal(layer.running_mean.shape)
            layer.running_var[...] = 0.5 + RNG.random(layer.running_var.shape)
    return model


def told(program):
    """(operation, name, what it takes, kind of the curve after it) of each step."""
    return [
        (step.operation, step.name, step.inputs, step.after and step.after["kind"]) for step in program.steps
    ]


def sequence(*layers):
    return cynet.Sequential(*layers)


def both_used():
    """A convolution whose output a norm and somebody else take, as a norm's own is by a curve and a sum."""
    x = cynet.Input((4, 4, 2))
    y = cynet.Conv2d(2, 2, 1)(x)
    z = cynet.BatchNorm2d(2)(y)
    return cynet.Graph(x, cynet.Add()(cynet.ReLU()(z), z, y))


@pytest.mark.parametrize(("model", "shape", "steps"), [
    (sequence(cynet.Conv2d(2, 3, 1), cynet.BatchNorm2d(3), cynet.ReLU()), (4, 4, 2), [("conv", "2", "relu")]),
    (sequence(cynet.ConvTranspose2d(2, 3, 2), cynet.BatchNorm2d(3), cynet.ReLU()), (4, 4, 2),
     [("deconv", "1", None), ("curve", "2", None)]),
    (sequence(cynet.Linear(2, 3), cynet.BatchNorm1d(3), cynet.GELU()), (2,), [("linear", "2", "gelu")]),
    (sequence(cynet.BatchNorm1d(2), cynet.BatchNorm1d(2), cynet.ReLU6()), (2,), [("scale", "2", "relu6")]),
    (sequence(cynet.BatchNorm1d(2), cynet.Tanh(), cynet.BatchNorm1d(2)), (2,),
     [("scale", "1", "tanh"), ("scale", "2", None)]),
    (sequence(cynet.Conv2d(2, 2, 1), cynet.ReLU(), cynet.BatchNorm2d(2)), (4, 4, 2),
     [("conv", "1", "relu"), ("scale", "2", None)]),
    (sequence(cynet.Conv2d(2, 2, 1), cynet.ReLU(), cynet.Tanh()), (4, 4, 2),
     [("conv", "1", "relu"), ("curve", "2", None)]),
    (sequence(cynet.Conv2d(2, 2, 1), cynet.PReLU(2)), (4, 4, 2), [("conv", "0", None), ("curve", "1", None)]),
    (sequence(cynet.MaxPool2d(2), cynet.ReLU()), (4, 4, 2), [("max_pool", "0", None), ("curve", "1", None)]),
    (sequence(cynet.Residual(cynet.Conv2d(2, 2, 1)), cynet.SiLU()), (4, 4, 2),
     [("conv", None, None), ("add", None, "silu")]),
    (both_used(), (4, 4, 2),
     [("conv", None, None), ("scale", None, None), ("curve", None, None), ("add", None, None)]),
])  # fmt: skip
def test_which_steps_are_joined_and_whose_names_they_bear(model, shape, steps):
    program = with_curves(folded(lower(model.eval(), shape)))
    for (operation, name, _, after), step in zip(told(program), steps, strict=True):
        assert (operation, after) == step[::2] and step[1] in (name, None)
    made = {*program.inputs}
    for step in program.steps:  # each takes what is there, and all of it has a shape
        assert {*step.inputs} <= made and step.output not in made
        made.add(step.output)
    assert {*program.outputs} <= made == {*program.shapes}


def test_only_the_curves_that_are_wanted_are_joined():
    program = lower(sequence(cynet.Linear(2, 2), cynet.ReLU(), cynet.Linear(2, 2), cynet.Tanh()), (2,))
    assert [after for *_, after in told(with_curves(program, ("relu",)))] == ["relu", None, None]
    assert told(with_curves(program, ())) == told(program)


# -- numbers -------------------------------------------------------------------------------------------------
def norm_of(norm):
    """(scale, shift) of a norm as it evaluates, by its own formula."""
    scale = norm.weight.data / np.sqrt(norm.running_var.astype(float) + norm.eps)
    return scale, norm.bias.data - norm.running_mean * scale


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["conv", "deconv", "linear"])
def test_a_norm_is_in_the_weights_before_it(kind, bias):
    layer, norm, shape = {
        "conv": (cynet.Conv2d(4, 6, 3, groups=2, bias=bias), cynet.BatchNorm2d(6, eps=0.1), (5, 5, 4)),
        "deconv": (
            cynet.ConvTranspose2d(4, 6, 3, groups=2, bias=bias), cynet.BatchNorm2d(6, eps=0.1), (5, 5, 4),
        ),
        "linear": (cynet.Linear(4, 6, bias=bias), cynet.BatchNorm1d(6, eps=0.1), (4,)),
    }[kind]  # fmt: skip
    (step,) = folded(lower(varied(sequence(layer, norm)).eval(), shape)).steps
    scale, shift = norm_of(norm)
    weight = layer.weight.data.astype(float)
    if kind == "deconv":  # (inputs, outputs of a group): those of the second group are the last three
        wanted = np.stack([weight[i] * scale[3 * (i // 2) :][:3, None, None] for i in range(4)])
    else:
        wanted = np.stack([weight[o] * scale[o] for o in range(6)])
    np.testing.assert_allclose(step.arrays["weight"], wanted, rtol=1e-6)
    before = layer.bias.data if bias else 0
    np.testing.assert_allclose(step.arrays["bias"], before * scale + shift, rtol=1e-5, atol=1e-6)
    assert {array.dtype for array in step.arrays.values()} == {np.dtype(np.float32)}


def test_norms_one_after_another_are_one_scale():
    one, two = cynet.BatchNorm1d(3), cynet.BatchNorm1d(3, affine=False)
    model = varied(sequence(one, two)).eval()
    (step,) = folded(lower(model, (3,))).steps
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        x * step.arrays["scale"] + step.arrays["shift"], model(x), rtol=1e-5, atol=1e-6
    )
    assert step.operation == "scale" and step.numbers == {}


def test_what_pictures_enter_as():
    mean, std = (0.1, 0.5, 0.3), (0.2, 0.3, 1.5)
    model = sequence(cynet.Conv2d(3, 2, 1), cynet.BatchNorm2d(2), cynet.Dropout(0.5), cynet.ReLU()).eval()
    for program in (lower(model, (4, 4, 3)), with_curves(folded(lower(model, (4, 4, 3))))):
        found = with_pixels(program, mean, std)
        first, (given,) = found.steps[0], found.inputs
        assert (first.operation, first.name, first.inputs) == ("pixels", "pixels", (given,))
        assert first.output == program.inputs[0] and given not in program.shapes
        assert found.dtype(given) == "uint8" and found.dtype(first.output) == "float32"
        assert first.numbers == {"mean": mean, "std": std} and found.shapes[given] == (4, 4, 3)
        levels = np.arange(256)[:, None] * first.arrays["scale"] + first.arrays["shift"]
        np.testing.assert_allclose(levels, (np.arange(256)[:, None] / 255 - mean) / std, rtol=1e-4, atol=1e-5)
        assert found.steps[1:] == program.steps and found.outputs == program.outputs
        real = with_normalization(program, mean, std)
        first, (given,) = real.steps[0], real.inputs
        assert (first.operation, first.name, first.numbers) == ("scale", "normalize", {})
        assert real.dtype(given) == "float32"
        x = RNG.standard_normal((9, 3))
        found = x * first.arrays["scale"] + first.arrays["shift"]
        np.testing.assert_allclose(found, (x - mean) / std, rtol=1e-4, atol=1e-5)


# -- from nets -----------------------------------------------------------------------------------------------
def test_a_program_is_a_copy():
    model = sequence(
        cynet.Conv2d(2, 2, 1),
        cynet.BatchNorm2d(2),
        cynet.GlobalAvgPool2d(),
        cynet.Linear(2, 2),
        cynet.PReLU(2),
    ).eval()
    program = lower(model, (4, 4, 2))
    kept = [{name: array.copy() for name, array in step.arrays.items()} for step in program.steps]
    for parameter in model.parameters():
        parameter.data += 1
    model[1].running_mean += 1
    for step, arrays in zip(program.steps, kept, strict=True):
        assert {*step.arrays} == {*arrays}
        for name, array in arrays.items():
            np.testing.assert_array_equal(step.arrays[name], array)


def test_steps_whose_output_nobody_takes_are_none():
    x = cynet.Input((4,))
    y, z = cynet.Linear(4, 3)(x), cynet.Linear(4, 5)(x)
    cynet.Graph(x, [y, cynet.Tanh()(z)])
    program = lower(cynet.Graph(x, y), (4,))
    assert [step.operation for step in program.steps] == ["linear"]
    steps = [Step("curve", "a", (0,), 1), Step("curve", "b", (0,), 2), Step("curve", "c", (2,), 3),
             Step("curve", "d", (1,), 4)]  # fmt: skip
    assert [step.name for step in lowering._needed(steps, (4,))] == ["a", "d"]
    assert [step.name for step in lowering._needed(steps, (3, 4))] == ["a", "b", "c", "d"]


class Own(cynet.Layer):
    def output_shape(self, shape):
        return shape

    def forward(self, x):
        return x


class Linear(cynet.Linear):
    """Not cynet's own, though it is called so."""

    def forward(self, x):
        return -super().forward(x)


@pytest.mark.parametrize("count", [1, 10, 11, 13])
def test_layers_that_are_not_cynets_are_listed_up_to_ten(count):
    model = sequence(*(Own() for _ in range(count)), cynet.ReLU())
    with pytest.raises(ValueError) as caught:
        lower(model, (3,))
    shown = ", ".join(f"{i}: {Own()!r}" for i in range(min(count, 10)))
    more = f" and {count - 10} more" if count > 10 else ""
    assert str(caught.value) == f"model: wanted a net of layers that can be exported, got {shown}{more}"


def test_a_layer_of_the_same_name_is_not_taken_for_cynets():
    for model, name in ((Linear(3, 2), "itself"), (sequence(cynet.ReLU(), Linear(3, 2)), "1")):
        with pytest.raises(ValueError, match=f"that can be exported, got {name}: Linear"):
            lower(model, (3,))
    with pytest.raises(TypeError, match=r"^model: wanted"):
        lower("a net", (3,))


def test_integers_are_the_inputs_of_nets_of_tokens_alone():
    tokens = lower(sequence(cynet.Embedding(5, 3), cynet.Linear(3, 2)), (4,))
    assert tokens.dtype(tokens.inputs[0]) == "int64" and tokens.dtype(tokens.outputs[0]) == "float32"
    rows = lower(sequence(cynet.Linear(3, 2)), (3,))
    assert rows.dtype(rows.inputs[0]) == "float32" and not rows.integers
    program = Program({0: (1,), 1: (1,)}, (0,), (1,), (), frozenset({0}), {0: "int8", 1: "int8"})
    assert (program.dtype(0), program.dtype(1)) == ("int64", "int8")


def test_values_are_counted_as_often_as_they_are_taken():
    steps = Step("add", "", (0, 0), 1), Step("add", "", (0, 1), 2), Step("curve", "", (2,), 3)
    program = Program(dict.fromkeys(range(5), (1,)), (0,), (2, 3, 3), steps)
    assert program.users() == {0: 3, 1: 1, 2: 2, 3: 2, 4: 0}


def test_curves_have_their_numbers():
    layers = cynet.LeakyReLU(0.3), cynet.ELU(alpha=2.5), cynet.Softplus(beta=3, threshold=7)
    steps = lower(sequence(*layers), (3,)).steps
    assert [step.numbers for step in steps] == [
        {"kind": "leaky_relu", "slope": 0.3}, {"kind": "elu", "alpha": 2.5},
        {"kind": "softplus", "beta": 3.0, "threshold": 7.0},
    ]  # fmt: skip


# -- windows -------------------------------------------------------------------------------------------------
def looked_at(size, kernel, stride, before, after, counted):
    """How many places each window has that count: those of the image, or of its padding, too."""
    found, start = [], -before
    low, high = (-before, size + after) if counted else (0, size)
    while start + kernel <= size + after:
        found.append(sum(low <= place < high for place in range(start, start + kernel)))
        start += stride
    return found


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (4, 3, 2), (2, 1, 1)]
)
def test_sums_are_divided_by_the_places_that_count(kernel, stride, padding, counted):
    layer = cynet.AvgPool2d(kernel, stride, padding, count_include_pad=counted)
    program = lower(layer, (7, 5, 1))
    (step,) = program.steps
    out = program.shapes[step.output]
    rows, columns = (looked_at(size, kernel, stride, padding, padding, counted) for size in (7, 5))
    assert (len(rows), len(columns)) == out[:2]
    np.testing.assert_array_equal(windows.counts(step, (7, 5, 1), out), np.outer(rows, columns))


def test_a_last_window_beyond_the_padding_counts_what_is_within():
    program = lower(cynet.AvgPool2d(3, 2, 1, ceil_mode=True), (6, 5, 1))
    (step,) = program.steps
    out = program.shapes[step.output]
    wanted = np.outer([3, 3, 3, 2], [3, 3, 3])
    np.testing.assert_array_equal(windows.counts(step, (6, 5, 1), out), wanted)
    plain = lower(cynet.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (6, 5, 1)).steps[0]
    np.testing.assert_array_equal(windows.counts(plain, (6, 5, 1), out), np.outer([2, 3, 3, 1], [2, 3, 2]))


@pytest.mark.parametrize("divisor", [1, 5])
def test_a_divisor_is_the_divisor_once(divisor):
    program = lower(cynet.AvgPool2d(2, 2, divisor_override=divisor), (6, 4, 1))
    (step,) = program.steps
    assert step.numbers["divisor"] == divisor
    found = windows.counts(step, (6, 4, 1), program.shapes[step.output])
    np.testing.assert_array_equal(found, np.full((3, 2), divisor))


@pytest.mark.parametrize(("size", "stride", "places"), [(5, 1, [2, 1, 0, 1, 2, 3, 4, 3, 2]), (6, 4, None)])
def test_a_border_is_as_long_as_windows_reach(size, stride, places):
    layer = cynet.Conv2d(1, 1, 3, stride=stride, padding=2, padding_mode="reflect")
    step = lower(layer, (size, size, 1)).steps[0]
    whole = np.pad(np.arange(size), 2, mode="reflect")
    reach = (size + 4 - 3) // stride * stride + 3
    assert (
        windows.bordered(step, 0, size).tolist()
        == (places or whole[:reach].tolist())
        == whole[:reach].tolist()
    )


def test_areas_that_are_windows_side_by_side():
    for out, wanted in (((2, 3), (3, 2)), ((6, 6), (1, 1)), ((1, 1), (6, 6)), ((4, 3), None), ((3, 4), None)):
        program = lower(cynet.AdaptiveAvgPool2d(out), (6, 6, 2))
        found = windows.pool_of_areas(program, program.steps[0])
        assert found == (None if wanted is None else (wanted, wanted)), out


def test_means_of_areas_as_a_matrix():
    wanted = [[1 / 2, 1 / 2, 0, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3, 0], [0, 0, 0, 1 / 2, 1 / 2]]
    np.testing.assert_allclose(windows.area_means(5, 3), wanted, rtol=1e-7)
    assert windows.area_means(5, 3).dtype == np.float32


def test_sequences_and_rows_are_pictures_one_pixel_high():
    assert [windows.images(shape) for shape in ((3,), (4, 3), (5, 4, 3))] == [(1, 1, 3), (1, 4, 3), (5, 4, 3)]
    assert folding.terms(Step("scale", "", (0,), 1, {"scale": np.ones(1), "shift": np.zeros(1)}))[0] == 1
