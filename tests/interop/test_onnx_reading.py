"""An ONNX file as a net: names, layouts, shapes that a file leaves open, training, and keeping it."""

import numpy as np
import onnx_files
import pytest
from onnx_cases import CASES, ints
from onnx_files import node, write

import cynet
from cynet.interop import load_onnx, safetensors


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


def drawn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def test_a_convolution_takes_the_weights_of_the_file(path):
    weight, bias = drawn(5, 3, 2, 2), drawn(5)
    write(
        path,
        [node("Conv", "x stem.weight b", "y")],
        {"x": ("N", 3, 4, 6)},
        constants={"stem.weight": weight, "b": bias},
    )
    model = load_onnx(path)
    assert isinstance(model, cynet.Graph) and model.input_shapes == ((4, 6, 3),)
    assert list(model.state_dict()) == ["stem.weight", "stem.bias"]
    x = drawn(2, 4, 6, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (1, 2))
    np.testing.assert_allclose(model(x), np.einsum("nijchw,ochw->nijo", windows, weight) + bias, atol=1e-5)


def test_flattened_images_meet_the_columns_of_the_file(path):
    weight = drawn(5, 24)
    write(
        path,
        [node("Flatten", "x", "h"), node("Gemm", "h w", "y", transB=1)],
        {"x": ("N", 4, 2, 3)},
        constants={"w": weight},
    )
    x = drawn(7, 2, 3, 4)
    wanted = x.transpose(0, 3, 1, 2).reshape(7, 24) @ weight.T
    np.testing.assert_allclose(load_onnx(path)(x), wanted, atol=1e-5)


def test_a_transposition_at_the_start_is_one_of_the_layout_alone(path):
    nodes = [
        node("Transpose", "x", "h", perm=[0, 3, 1, 2]),
        node("Conv", "h w", "g"),
        node("Transpose", "g", "y", perm=[0, 2, 3, 1]),
    ]
    write(path, nodes, {"x": ("N", 4, 6, 3)}, constants={"w": drawn(2, 3, 1, 1)})
    model = load_onnx(path)
    assert model.input_shapes == ((4, 6, 3),) and [type(one).__name__ for one in model.layers.values()] == [
        "Conv2d"
    ]
    assert load_onnx(path, layout="nchw").input_shapes == ((6, 3, 4),)


def test_channels_that_are_shuffled_are_one_layer(path):
    nodes = [
        node("Reshape", "x s", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "b t", "c"),
        node("Relu", "c", "y"),
    ]
    write(path, nodes, {"x": ("N", 6, 4, 5)}, constants={"s": ints(-1, 2, 3, 4, 5), "t": ints(-1, 6, 4, 5)})
    x = drawn(2, 4, 5, 6)
    model = load_onnx(path)
    assert "ChannelShuffle" in repr(model)
    np.testing.assert_array_equal(model(x), np.maximum(cynet.ChannelShuffle(2)(x), 0))


@pytest.mark.parametrize(("gate", "kind"), [("Sigmoid", "SiLU"), ("HardSigmoid", "Hardswish")])
def test_a_gate_of_its_own_input_is_one_layer(path, gate, kind):
    more = {"alpha": 1 / 6} if gate == "HardSigmoid" else {}
    write(path, [node(gate, "x", "a", **more), node("Mul", "a x", "y")], {"x": ("N", 5)})
    assert [type(one).__name__ for one in load_onnx(path).layers.values()] == [kind]


def test_constants_that_follow_each_other_are_one_layer_and_single_numbers_are_frozen(path):
    nodes = [node("Sub", "x m", "a"), node("Mul", "a f", "b"), node("Add", "b g", "y")]
    numbers = {"m": np.float32(3), "f": np.float32(0.5), "g": np.float32(0.25)}
    write(path, nodes, {"x": ("N", 2, 3, 4)}, constants={name: np.array(n) for name, n in numbers.items()})
    model = load_onnx(path)
    assert len(model.layers) == 1 and not any(parameter.requires_grad for parameter in model.parameters())
    x = drawn(2, 3, 4, 2)
    np.testing.assert_allclose(model(x), (x - 3) * 0.5 + 0.25, atol=1e-6)


def test_what_does_nothing_is_no_layer(path):
    nodes = [
        node("Mul", "x one", "a"),
        node("Identity", "a", "b"),
        node("Relu", "b", "c"),
        node("Pad", "c p", "y"),
    ]
    write(path, nodes, {"x": ("N", 2, 3, 4)}, constants={"one": np.array(1, np.float32), "p": ints(*[0] * 8)})
    assert [type(one).__name__ for one in load_onnx(path).layers.values()] == ["ReLU"]


def test_a_sum_with_a_constant_is_the_bias_of_the_layer_before_it(path):
    nodes = [node("MatMul", "x w", "h"), node("Add", "h b", "y")]
    write(path, nodes, {"x": ("N", 4)}, constants={"w": drawn(4, 3), "b": drawn(3)})
    model = load_onnx(path)
    np.testing.assert_allclose(model(drawn(2, 4)), drawn(2, 4) @ drawn(4, 3) + drawn(3), atol=1e-5)
    assert len(model.layers) == 1
    both = [*nodes, node("Add", "h y", "z")]  # another one takes what has no bias yet
    write(path, both, {"x": ("N", 4)}, outputs=("z",), constants={"w": drawn(4, 3), "b": drawn(3)})
    wanted = 2 * (drawn(2, 4) @ drawn(4, 3)) + drawn(3)
    np.testing.assert_allclose(load_onnx(path)(drawn(2, 4)), wanted, atol=1e-5)


def test_the_same_weights_at_two_places_are_one_layer(path):
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "b"), node("MatMul", "b v", "y")]
    write(path, nodes, {"x": ("N", 4)}, constants={"w": drawn(4, 4), "v": drawn(4, 4) + 1})
    model = load_onnx(path)
    assert len(model.layers) == 2 and len(model.parameters()) == 2
    np.testing.assert_allclose(
        model(drawn(2, 4)), drawn(2, 4) @ drawn(4, 4) @ drawn(4, 4) @ (drawn(4, 4) + 1), atol=1e-4
    )


@pytest.mark.parametrize(
    ("kind", "shapes", "first", "second", "opset"),
    [
        ("Conv", [(4, 4, 3, 3)], {"strides": [2, 2]}, {"strides": [1, 2]}, 17),
        ("Conv", [(4, 4, 3, 3)], {"pads": [1] * 4}, {"pads": [1] * 4, "dilations": [2, 1]}, 17),
        ("Conv", [(4, 2, 1, 1)], {"group": 2}, {"group": 2, "strides": [2, 1]}, 17),
        ("ConvTranspose", [(4, 4, 2, 2)], {"strides": [2, 2]}, {"strides": [2, 1]}, 17),
        ("BatchNormalization", [(4,)] * 4, {"epsilon": 1e-5}, {"epsilon": 0.5}, 17),
        ("InstanceNormalization", [(4,)] * 2, {"epsilon": 1e-5}, {"epsilon": 0.5}, 17),
        ("GroupNormalization", [(4,)] * 2, {"num_groups": 2}, {"num_groups": 1}, 21),
        ("LayerNormalization", [(6,)] * 2, {"epsilon": 1e-5}, {"epsilon": 0.5}, 17),
        ("Gemm", [(4, 4)], {"alpha": 2.0}, {"transB": 1}, 17),
    ],
)
def test_the_same_weights_used_otherwise_are_another_layer(path, kind, shapes, first, second, opset):
    constants = {f"c{i}": np.abs(drawn(*shape)) + i for i, shape in enumerate(shapes)}
    given, rows = " ".join(["x", *constants]), {"Gemm": 4, "LayerNormalization": 6}.get(kind)
    x = drawn(2, rows) if rows else drawn(2, 6, 6, 4)
    inputs, more = {"x": ("N", rows) if rows else ("N", 4, 6, 6)}, {"constants": constants, "opset": opset}
    nodes = [node(kind, given, name, **of) for name, of in (("a", first), ("b", second))]
    both = load_onnx(write(path, nodes, inputs, ("a", "b"), **more))(x)
    for name, one, found in zip("ab", nodes, both, strict=True):
        np.testing.assert_array_equal(found, load_onnx(write(path, [one], inputs, (name,), **more))(x))
    assert both[0].shape != both[1].shape or not np.array_equal(*both)


def test_batch_norm_is_trained_on_by_what_the_file_says(path):
    constants = {name: np.abs(drawn(3)) + i for i, name in enumerate("wbmv")}
    nodes = [node("BatchNormalization", "x w b m v", "y", epsilon=0.01, momentum=0.8)]
    (layer,) = load_onnx(write(path, nodes, {"x": ("N", 3, 5, 5)}, constants=constants)).layers.values()
    assert (layer.eps, layer.momentum) == (pytest.approx(0.01), 0.2)  # ONNX tells the weight of the old value
    kept = layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var
    for array, wanted in zip(kept, constants.values(), strict=True):
        np.testing.assert_array_equal(array, wanted)


def test_names_are_those_of_weights_or_else_of_nodes(path):
    nodes = [
        node("Conv", "x features.0.weight", "a", "/features/features.0/Conv"),
        node("Conv", "a onnx::Conv_12", "b", "/features/features.3/conv/Conv"),
        node("Conv", "b 17", "c"),
        node("Conv", "c net_conv2_weight", "d"),
        node("Conv", "d a/b:c_é.weight", "y"),
    ]
    names = ["features.0.weight", "onnx::Conv_12", "17", "net_conv2_weight", "a/b:c_é.weight"]
    write(
        path,
        nodes,
        {"x": ("N", 2, 5, 5)},
        constants={name: drawn(2, 2, 1, 1) + i for i, name in enumerate(names)},
    )
    assert list(load_onnx(path).layers) == ["features.0", "features.3.conv", "conv2d_1", "net_conv2", "a.b_c"]


@pytest.mark.parametrize("sides", [("N", 3, "h", "w"), (0, 3, -1, -1), (4, 3, 6, "w")])
def test_sides_that_are_open_are_told_by_the_caller(path, sides):
    write(path, [node("Relu", "x", "y")], {"x": sides})
    assert load_onnx(path, (6, 7, 3)).input_shapes == ((6, 7, 3),)
    with pytest.raises(
        ValueError,
        match=r"input_shape: wanted the shape of input 'x', of which the file tells \((6|\?), \?, 3\)",
    ):
        load_onnx(path)
    with pytest.raises(
        ValueError, match=r"wanted \((any|6), any, 3\) for input 'x', as the file says, got \(6, 7, 4\)"
    ):
        load_onnx(path, (6, 7, 4))
    with pytest.raises(ValueError, match="wanted 3 sizes for input 'x'"):
        load_onnx(path, (6, 7))


def test_several_inputs_and_outputs(path):
    nodes = [
        node("Add", "a b", "c"),
        node("GlobalAveragePool", "c", "d"),
        node("Flatten", "d", "y"),
        node("Relu", "a", "z"),
    ]
    write(path, nodes, {"a": ("N", 2, "h", "h"), "b": ("N", 2, "h", "h"), "unused": (1,)}, outputs=("y", "z"))
    model = load_onnx(path, [(3, 4, 2), (3, 4, 2)])
    one, other = drawn(2, 3, 4, 2), drawn(2, 3, 4, 2) + 1
    y, z = model(one, other)
    np.testing.assert_allclose(y, (one + other).mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(z, np.maximum(one, 0))


def test_whole_numbers_are_looked_up(path):
    table = drawn(7, 3)
    write(
        path,
        [node("Gather", "w x", "y")],
        {"x": onnx_files.value_info("x", ("N", 5), 7)},
        constants={"w": table},
    )
    x = np.arange(10).reshape(2, 5) % 7
    np.testing.assert_array_equal(load_onnx(path)(x), table[x])


def test_bytes_of_pictures_that_are_cast_are_numbers(path):
    nodes = [node("Cast", "x", "a", to=1), node("Mul", "a f", "y")]
    write(
        path,
        nodes,
        {"x": onnx_files.value_info("x", ("N", 3, 2, 2), 2)},
        constants={"f": np.array(2, np.float32)},
    )
    assert (load_onnx(path)(np.full((1, 2, 2, 3), 7, np.float32)) == 14).all()


def test_it_is_trained_kept_and_told_as_data(path, tmp_path):
    path.write_bytes(onnx_files.branches())
    model = load_onnx(path)
    x, labels = drawn(16, 8, 6, 3), np.arange(16) % 5
    criterion, optimizer = cynet.CrossEntropyLoss(), cynet.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        losses.append(criterion(model(x), labels))
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
    assert losses[-1] < losses[0] / 2
    safetensors.save(model, tmp_path / "net.safetensors")
    again = cynet.nn.from_spec(cynet.nn.to_spec(model))
    again.load_state_dict(safetensors.load(tmp_path / "net.safetensors")[0])
    np.testing.assert_array_equal(again.eval()(x), model.eval()(x))
    kept, _ = cynet.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(kept.eval()(x), model(x))


@pytest.mark.parametrize("name", ["group-norm-of-torch-17", "layer-norm-channels-17", "Mul-gate-17"])
def test_its_gradients_are_those_of_differences(path, name):
    path.write_bytes(CASES[name].content())
    found = cynet.check_gradients(load_onnx(path), drawn(2, 7, 9, 4))
    assert found.ok, found


@pytest.mark.parametrize("name", sorted({name.rpartition("-")[0]: name for name in CASES}.values()))
def test_every_operator_is_read_and_goes_back(path, name):
    """Also where there is no ONNX Runtime, beside which `test_onnx_operators.py` looks at the numbers."""
    case = CASES[name]
    path.write_bytes(case.content())
    model = load_onnx(path, layout="nchw")
    x = np.moveaxis(drawn(*case.x), 1, -1) if len(case.x) > 2 else drawn(*case.x)
    y = model(np.ascontiguousarray(x))
    assert np.isfinite(y).all() and model.backward(np.ones_like(y)).shape == x.shape
