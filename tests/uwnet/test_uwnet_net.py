"""Nets: passes, training, accuracy and files of weights."""

import copy
import re

import numpy as np
import pytest
import twins

import cynet
from cynet import uwnet
from cynet.data.sets import shapes10


@pytest.fixture(scope="module")
def shapes():
    """Rows in channel, row, column order of the first pictures of shapes10."""
    bits = np.random.Philox(key=[10, 1])
    images = shapes10._pictures(bits, np.arange(400) % 10)
    return uwnet.Data(images.reshape(400, -1) / 255, np.eye(10)[np.arange(400) % 10])


def small_net(batch_norm=False):
    first = [uwnet.make_convolutional_layer(32, 32, 3, 8, 3, 2)]
    if batch_norm:
        first.append(uwnet.make_batchnorm_layer(8))
    return uwnet.make_net(
        [
            *first,
            uwnet.make_activation_layer(uwnet.RELU),
            uwnet.make_maxpool_layer(16, 16, 8, 3, 2),
            uwnet.make_connected_layer(512, 10),
            uwnet.make_activation_layer(uwnet.SOFTMAX),
        ]
    )


@pytest.mark.parametrize("batch_norm", [False, True])
def test_training_lowers_the_loss(shapes, batch_norm, capsys):
    cynet.seed(1)
    net = small_net(batch_norm)
    uwnet.train_image_classifier(net, shapes, 64, 80, 0.03, 0.9, 0.0005)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 80
    assert all(re.fullmatch(r"\d{6}: Loss: \d+\.\d{6}", line) for line in lines)
    assert [line[:6] for line in lines[:3]] == ["000000", "000001", "000002"]
    losses = [float(line.split()[-1]) for line in lines]
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])
    assert uwnet.accuracy_net(net, shapes) > 0.3


def test_the_same_seed_gives_the_same_weights(shapes, capsys):
    found = []
    for _ in range(2):
        cynet.seed(7)
        net = small_net()
        uwnet.train_image_classifier(net, shapes, 16, 3, 0.01, 0.9, 0)
        found.append([layer.w.tobytes() for layer in net.layers if hasattr(layer, "w")])
    assert found[0] == found[1]


def test_a_training_step_by_hand(capsys):
    """The gradient is output - y summed over the batch, the rate is divided by the batch."""
    layer = uwnet.make_connected_layer(3, 2)
    w = layer.w.astype(float)
    net = uwnet.make_net([layer, uwnet.make_activation_layer(uwnet.SOFTMAX)])
    data = uwnet.Data([[1, 2, 3]], [[0, 1]])
    uwnet.train_image_classifier(net, data, 4, 1, 0.5, 0.9, 0.1)
    p = twins.softmax(data.x @ w)
    dw = 4 * data.x.T @ (p - data.y) + 0.1 * w
    np.testing.assert_allclose(layer.w, w - 0.5 / 4 * dw, atol=1e-5)
    np.testing.assert_allclose(layer.dw, 0.9 * dw, atol=1e-5)
    np.testing.assert_allclose(layer.b, -0.5 * (p - data.y), atol=1e-5)
    assert f"000000: Loss: {-np.log(p[0, 1]):.4f}" in capsys.readouterr().err


def test_cross_entropy_loss():
    x, y = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([[1.0, 0], [0, 1]])
    assert uwnet.cross_entropy_loss(x, y) == pytest.approx(np.mean([np.log(4), np.log(2)]), abs=1e-6)
    assert uwnet.cross_entropy_loss([[0, 1]], [[0, 1]]) == 0
    assert uwnet.cross_entropy_loss([[0, 1]], [[1, 0]]) == np.inf


def test_passes_of_a_net():
    net = uwnet.make_net([uwnet.make_connected_layer(3, 4), uwnet.make_activation_layer(uwnet.LRELU)])
    x, dy = np.random.default_rng(0).standard_normal((2, 5, 4))
    x, first = x[:, :3], net.layers[0]
    before = x @ first.w
    np.testing.assert_allclose(
        uwnet.forward_net(net, x), np.where(before > 0, before, 0.01 * before), atol=1e-5
    )
    slope = dy * np.where(before > 0, 1, 0.01)
    np.testing.assert_allclose(uwnet.backward_net(net, dy), slope @ first.w.T, atol=1e-5)
    w = first.w - 0.1 * x.T @ slope
    uwnet.update_net(net, 0.1, 0, 0)
    np.testing.assert_allclose(first.w, w, atol=1e-5)
    assert not first.dw.any()
    assert net.n == 2 and "connected layer 3 -> 4" in repr(net)


def test_training_spares_the_gradient_of_the_nets_input_alone(shapes, capsys, monkeypatch):
    found = []
    for cls in (uwnet.layers.ConvolutionalLayer, uwnet.layers.ConnectedLayer):
        whole = cls._input_gradient
        monkeypatch.setattr(
            cls, "_input_gradient", lambda self, *kept, whole=whole: found.append(self) or whole(self, *kept)
        )
    net = small_net()
    uwnet.train_image_classifier(net, shapes, 4, 1, 0.1, 0, 0)
    assert found == [net.layers[3]]
    dw, dy = net.layers[0].dw.copy(), np.ones((4, 10))
    uwnet.backward_net(net, dy)
    assert found == [net.layers[3], net.layers[3], net.layers[0]]
    assert not np.array_equal(dw, net.layers[0].dw)


@pytest.mark.parametrize(
    "layer", [uwnet.make_convolutional_layer(5, 4, 2, 3, 3, 2), uwnet.make_connected_layer(40, 18)]
)
def test_a_spared_backward_pass_gives_the_same_gradients(layer):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((3, 40)), rng.standard_normal((3, 18))
    layer.forward(x)
    layer.backward(dy)
    wanted = layer.dw.copy(), layer.db.copy()
    layer.dw, layer.db = 0 * layer.dw, 0 * layer.db
    assert layer.backward_spared(dy) is None
    assert np.array_equal(layer.dw, wanted[0]) and np.array_equal(layer.db, wanted[1])


def test_one_image_is_run_as_a_matrix_of_one_row():
    net = uwnet.make_net([uwnet.make_connected_layer(12, 3)])
    image = np.random.default_rng(0).random((3, 2, 2), np.float32)
    assert np.array_equal(uwnet.run_net_image(net, image), uwnet.forward_net(net, image.reshape(1, 12)))


def test_accuracy_looks_at_all_rows_together_only_where_batch_norm_does():
    """More rows than are run at a time: the same as one forward pass over all of them."""
    generator = np.random.default_rng(3)
    x = generator.standard_normal((2500, 12)) + np.repeat([0, 3], 1250)[:, None]
    data = uwnet.Data(x, np.eye(4)[generator.integers(0, 4, 2500)])
    net = uwnet.make_net(
        [
            uwnet.make_connected_layer(12, 6),
            uwnet.make_batchnorm_layer(6),
            uwnet.make_activation_layer(uwnet.LOGISTIC),
            uwnet.make_connected_layer(6, 4),
        ]
    )
    accuracy = uwnet.accuracy_net(net, data)
    rolling = net.layers[1].rolling_mean.copy()
    output = uwnet.forward_net(net, data.x)
    assert accuracy == np.mean(output.argmax(1) == data.y.argmax(1))
    np.testing.assert_allclose(net.layers[1].rolling_mean, 1.9 * rolling, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [2, 3, 999, 1000, 1001])
def test_accuracy_normalises_by_the_rows_themselves_however_few(rows):
    """One part or two: batch norm's statistics are those of all rows, not the rolling ones."""
    generator = np.random.default_rng(rows)
    x = generator.standard_normal((rows, 12)) + 5
    data = uwnet.Data(x, np.eye(3)[generator.integers(0, 3, rows)])
    net = uwnet.make_net([uwnet.make_connected_layer(12, 3), uwnet.make_batchnorm_layer(3)])
    wanted = np.mean(uwnet.forward_net(copy.deepcopy(net), data.x).argmax(1) == data.y.argmax(1))
    rolling = uwnet.forward_net(copy.deepcopy(net), data.x[:1])  # of a single row
    assert uwnet.accuracy_net(net, data) == wanted and np.ptp(rolling) > 0
    assert (net.layers[1].rolling_mean != 0).all()


def test_accuracy_takes_the_first_of_equals():
    net = uwnet.make_net([uwnet.make_activation_layer(uwnet.LINEAR)])
    assert uwnet.accuracy_net(net, uwnet.Data([[1, 1], [0, 2], [1, 1]], [[1, 0], [0, 1], [0, 1]])) == 2 / 3


def test_random_batch():
    data = uwnet.Data(np.arange(10)[:, None], np.eye(10))
    cynet.seed(0)
    batch = uwnet.random_batch(data, 1000)
    assert batch.x.shape == (1000, 1) and batch.y.shape == (1000, 10)
    assert np.array_equal(batch.y.argmax(1), batch.x[:, 0])
    assert np.bincount(batch.x[:, 0].astype(int)).min() > 60
    assert not np.array_equal(uwnet.random_batch(data, 1000).x, batch.x)
    cynet.seed(0)
    assert np.array_equal(uwnet.random_batch(data, 1000).x, batch.x)


@pytest.mark.parametrize("name", ["momentum", "decay"])
def test_training_checks_its_numbers_before_it_begins(name, capsys):
    net = small_net()
    with pytest.raises(TypeError, match=f"{name}: wanted a number, got None"):
        uwnet.train_image_classifier(
            net,
            uwnet.Data(np.ones((2, 3072)), np.eye(10)[:2]),
            2,
            1,
            0.1,
            **{"momentum": 0, "decay": 0, name: None},
        )
    assert capsys.readouterr().err == "" and not net.layers[0].dw.any()


# -- files ----------------------------------------------------------------------------------------------


def test_weights_files(tmp_path):
    net, other = small_net(True), small_net(True)
    net.layers[0].b, net.layers[4].b = np.random.default_rng(0).standard_normal((1, 8)), np.ones((1, 10))
    uwnet.save_weights(net, tmp_path / "w")
    parts = [net.layers[i] for i in (0, 4)]
    wanted = b"".join(m.astype("<f4").tobytes() for layer in parts for m in (layer.b, layer.w))
    assert (tmp_path / "w").read_bytes() == wanted
    uwnet.load_weights(other, str(tmp_path / "w"))
    for mine, its in ((net.layers[i], other.layers[i]) for i in (0, 4)):
        assert np.array_equal(mine.w, its.w) and np.array_equal(mine.b, its.b)
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_files_of_another_size_are_refused_and_change_nothing(tmp_path):
    net = uwnet.make_net([uwnet.make_connected_layer(3, 2), uwnet.make_connected_layer(2, 2)])
    uwnet.save_weights(net, tmp_path / "w")
    whole = (tmp_path / "w").read_bytes()
    before = [layer.w.copy() for layer in net.layers]
    for raw in [*(whole[:n] for n in range(len(whole))), whole + b"\0", whole * 2]:
        (tmp_path / "bad").write_bytes(bytes(255 - byte for byte in raw))
        with pytest.raises(ValueError, match=f"bad: wanted {len(whole)} bytes, .* got {len(raw)}"):
            uwnet.load_weights(net, tmp_path / "bad")
    for layer, w in zip(net.layers, before, strict=True):
        assert np.array_equal(layer.w, w) and not layer.b.any()


def test_names():
    assert {"LINEAR", "make_net", "train_image_classifier", "save_png", "col2im"} <= set(uwnet.__all__)
    for name in uwnet.__all__:
        assert hasattr(uwnet, name)


def test_weights_are_written_through_a_symbolic_link(tmp_path):
    net = uwnet.make_net([uwnet.make_connected_layer(3, 2)])
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_bytes(b"old")
    uwnet.save_weights(net, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").stat().st_size == 32
    uwnet.load_weights(net, tmp_path / "link")


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b"])
def test_paths_that_name_no_file(path):
    net = uwnet.make_net([uwnet.make_connected_layer(3, 2)])
    for function in (uwnet.save_weights, uwnet.load_weights):
        with pytest.raises(ValueError, match=r"path: wanted the path of a file, got "):
            function(net, path)


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(IsADirectoryError):
        uwnet.load_weights(uwnet.make_net([uwnet.make_connected_layer(3, 2)]), tmp_path)


def test_each_step_of_training_is_a_line_with_six_digits(capsys):
    cynet.seed(0)
    net = uwnet.make_net([uwnet.make_connected_layer(2, 2), uwnet.make_activation_layer(uwnet.SOFTMAX)])
    data = uwnet.Data([[0.0, 0.0]], [[1, 0]])
    uwnet.train_image_classifier(net, data, 1, 0, 0.0, 0.0, 0.0)
    uwnet.train_image_classifier(net, data, 1, 2, 0.0, 0.0, 0.0)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "000000: Loss: 0.693147\n000001: Loss: 0.693147\n")
    net.layers[0].b = [[0, 20]]
    uwnet.train_image_classifier(net, data, 1, 1, 0.0, 0.0, 0.0)
    assert capsys.readouterr().err == "000000: Loss: 20.000000\n"


def test_labels_may_be_of_either_sign():
    loss = uwnet.cross_entropy_loss([[0.5, 0.25]], [[-1, 2]])
    assert loss == pytest.approx(np.log(0.5) - 2 * np.log(0.25))


@pytest.mark.parametrize(("y", "words"), [
    ([[1, 0]], "y: wanted a matrix of 2 x 2, got shape (1, 2)"),
    ([[1, 0, 0]] * 2, "y: wanted a matrix of 2 x 2, got shape (2, 3)"),
    ([1, 0], "y: wanted a matrix of 2 x 2, got shape (2,)"),
])  # fmt: skip
def test_the_wanted_rows_and_columns_are_told(y, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        uwnet.cross_entropy_loss([[0.5, 0.5]] * 2, y)
    with pytest.raises(ValueError, match=re.escape("dy: wanted a matrix of 2 x 3, got shape (2, 4)")):
        layer = uwnet.make_connected_layer(1, 3)
        layer.forward(np.ones((2, 1)))
        layer.backward(np.ones((2, 4)))
    with pytest.raises(ValueError, match=re.escape("x: wanted a matrix of rows x 1, got shape (2, 2)")):
        layer.forward(np.ones((2, 2)))


def test_paths_begin_at_home_and_endings_are_told_apart_by_their_letters(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    net = uwnet.make_net([uwnet.make_connected_layer(1, 1)])
    uwnet.save_weights(net, "~/net.weights")
    assert (tmp_path / "net.weights").stat().st_size == 8
    uwnet.load_weights(net, "~/net.weights")
    pytest.importorskip("PIL")
    for name in ("a.PNG", "b.png", "c"):
        uwnet.save_png(np.zeros((1, 2, 2)), tmp_path / name)
    assert sorted(path.name for path in tmp_path.glob("*[gG]")) == ["a.PNG.png", "b.png", "c.png"]
