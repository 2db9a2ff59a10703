"""summary: the table's numbers are those of the model, each with its unit."""

import numpy as np
import pytest

import cynet


def model():
    return cynet.Sequential(
        cynet.Conv2d(3, 8, (3, 2), stride=(2, 1), padding=1, groups=1),
        cynet.BatchNorm2d(8),
        cynet.ReLU(),
        cynet.Residual(cynet.Sequential(cynet.Conv2d(8, 8, 3, padding=1, bias=False)), cynet.Conv2d(8, 8, 1)),
        cynet.Conv2d(8, 8, 3, groups=8),
        cynet.MaxPool2d(2),
        cynet.Flatten(),
        cynet.Linear(8 * 3 * 7, 1000),
    )


# path, output shape of 2 pictures of 16 x 16, parameters, MACs
WANTED = [
    ("0", (2, 8, 17, 8), 8 * 3 * 6 + 8, 2 * 8 * 17 * 8 * 18),
    ("1", (2, 8, 17, 8), 16, 0),
    ("2", (2, 8, 17, 8), 0, 0),
    ("3.body.0", (2, 8, 17, 8), 8 * 8 * 9, 2 * 8 * 17 * 8 * 72),
    ("3.shortcut", (2, 8, 17, 8), 8 * 8 + 8, 2 * 8 * 17 * 8 * 8),
    ("4", (2, 6, 15, 8), 8 * 9 + 8, 2 * 6 * 15 * 8 * 9),
    ("5", (2, 3, 7, 8), 0, 0),
    ("6", (2, 168), 0, 0),
    ("7", (2, 1000), 168 * 1000 + 1000, 2 * 168 * 1000),
]


def test_every_row_and_sum_by_hand():
    net = model()
    parameters = net.parameters()
    names = [p.name for p in parameters]
    found = cynet.summary(net, (2, 16, 16, 3))
    assert [p.name for p in parameters] == names
    rows = [(r.path, r.output_shape, r.parameters, r.macs) for r in found.rows]
    assert rows == WANTED
    assert [r.activation_bytes for r in found.rows] == [4 * int(np.prod(row[1])) for row in WANTED]
    assert found.parameters == sum(row[2] for row in WANTED) == sum(p.size for p in net.parameters())
    assert found.macs == sum(row[3] for row in WANTED)
    assert found.activation_bytes == sum(4 * int(np.prod(row[1])) for row in WANTED)
    assert [r.layer for r in found.rows][1:3] == [repr(net[1]), "ReLU()"]
    x = np.zeros((2, 16, 16, 3), np.float32)
    for (_, shape, *_), layer in zip(WANTED[:3], net, strict=False):
        x = layer(x)
        assert x.shape == shape


def test_a_layer_at_several_places_has_its_parameters_once_and_its_macs_at_each():
    conv = cynet.Conv2d(3, 3, 3, padding=1)
    found = cynet.summary(cynet.Sequential(conv, cynet.Residual(conv), conv), (4, 5, 3))
    assert [row.path for row in found.rows] == ["0", "1.body", "2"]
    assert [row.parameters for row in found.rows] == [84, 0, 0]
    assert [row.macs for row in found.rows] == [4 * 5 * 3 * 27] * 3
    assert found.parameters == 84


def test_the_table_as_it_is_printed():
    found = cynet.summary(cynet.Sequential(cynet.Linear(1200, 1000), cynet.ReLU()), (3, 1200))
    lines = str(found).split("\n")
    assert repr(found) == str(found) and len(lines) == 6
    assert lines[0].split() == ["layer", "output", "shape", "parameters", "MACs", "activation", "bytes"]
    assert lines[1] == lines[-2] == "-" * max(map(len, lines))
    assert lines[2].split()[-5:] == ["(3,", "1000)", "1,201,000", "3,600,000", "12,000"]
    assert lines[3].split() == ["1", "ReLU()", "(3,", "1000)", "0", "0", "12,000"]
    assert lines[-1].split() == ["total", "1,201,000", "3,600,000", "24,000"]
    ends = {line.rstrip().rfind(word) for line, word in zip(lines[2:4], ("12,000", "12,000"), strict=True)}
    assert len(ends) == 1, "numbers stand below each other"


@pytest.mark.parametrize(("shape", "whole"), [
    ((16, 16, 3), (1, 16, 16, 3)), ([5, 16, 16, 3], (5, 16, 16, 3)),
])  # fmt: skip
def test_a_shape_without_its_batch_is_one_picture(shape, whole):
    rows = cynet.summary(model(), shape).rows
    assert rows == cynet.summary(model(), whole).rows and rows[0].output_shape[0] == whole[0]
    assert cynet.summary(cynet.Linear(4, 2), (4,)).macs == 8
    assert cynet.summary(cynet.Linear(4, 2), (3, 4)).macs == 24


@pytest.mark.parametrize(("shape", "error", "word"), [
    (16, TypeError, "input_shape: wanted a tuple of ints, got 16"), ("abc", TypeError, "wanted a tuple"),
    ((16, 16.0, 3), TypeError, r"input_shape\[1\]: wanted an int"), ((0, 16, 3), ValueError, "at least 1"),
    ((16, 16, 4), ValueError, r"layer 0: .*wanted \(N, H, W, 3\), got \(1, 16, 16, 4\)"),
    ((16, 16), ValueError, "layer 0"), ((1, 1, 16, 16, 3), ValueError, "layer 0"),
])  # fmt: skip
def test_shapes_that_do_not_fit(shape, error, word):
    with pytest.raises(error, match=word):
        cynet.summary(model(), shape)
    with pytest.raises(TypeError, match="model: wanted a Layer, got None"):
        cynet.summary(None, (1,))


def test_sequences_are_taken_where_images_are_not():
    model = cynet.Sequential(cynet.BatchNorm1d(4), cynet.ReLU())
    assert [row.output_shape for row in cynet.summary(model, (3, 5, 4)).rows] == [(3, 5, 4)] * 2
    assert cynet.summary(cynet.ReLU(), (3, 5, 4)).rows[0].output_shape == (1, 3, 5, 4)
    with pytest.raises(ValueError, match=r"wanted \(N, 4\) or \(N, L, 4\), got \(1, 3, 5, 6\)"):
        cynet.summary(model, (3, 5, 6))


class Composite(cynet.Layer):
    """A layer of one's own that holds others, and runs them by itself."""

    def __init__(self, fails=False):
        self.conv, self.norm, self.spare = cynet.Conv2d(3, 4, 3), cynet.BatchNorm2d(4), cynet.Linear(5, 5)
        self.fails = fails

    def output_shape(self, shape):
        return self.conv.output_shape(shape)

    def forward(self, x):
        if self.fails:
            raise RuntimeError("no")
        return self.norm(self.conv(x))


def test_a_composite_layer_of_ones_own_shows_its_parts():
    model = cynet.Sequential(cynet.Conv2d(3, 3, 1), Composite())
    before, random_state = model.state_dict(), cynet.core.random.get_state()
    found = cynet.summary(model, (8, 8, 3))
    assert [row.path for row in found.rows] == ["0", "1.conv", "1.norm", "1"]
    assert [row.macs for row in found.rows] == [8 * 8 * 9, 6 * 6 * 4 * 27, 0, 0]
    assert [row.parameters for row in found.rows] == [
        12,
        112,
        8,
        30,
    ]  # of one not called, too
    assert found.rows[-1].activation_bytes == 0 and found.rows[1].output_shape == (1, 6, 6, 4)
    assert model.training and model[1].norm.training and cynet.core.random.get_state() == random_state
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_composite_layer_whose_forward_raises_is_one_row():
    found = cynet.summary(Composite(fails=True), (8, 8, 3))
    assert [row.path for row in found.rows] == [""] and found.parameters == 112 + 8 + 30


def test_a_graph_of_several_inputs_is_told_of_with_or_without_the_batch():
    left, right = cynet.Input((8, 8, 3)), cynet.Input((6,))
    look = cynet.Conv2d(3, 4, 3, name="look")
    gate = cynet.Reshape((1, 1, 4))(cynet.Linear(6, 4)(right))
    graph = cynet.Graph([left, right], [cynet.Multiply()(look(left), gate), gate])
    found = cynet.summary(graph, [(8, 8, 3), (6,)])
    assert found.parameters == 4 * 3 * 9 + 4 + 6 * 4 + 4
    assert found.macs >= 6 * 6 * 4 * 27 + 6 * 4
    assert [row.path for row in found.rows] == ["0", "1", "look", "3"]
    assert cynet.summary(graph, [(5, 8, 8, 3), (5, 6)]).macs == 5 * found.macs
    with pytest.raises(ValueError, match=r"layer 0: Linear.*: wanted \(N, 6\), got \(7,\)"):
        cynet.summary(graph, [(8, 8, 3), (7,)])
    with pytest.raises((TypeError, ValueError), match=r"input_shape\[1\]\[0\]: wanted"):
        cynet.summary(graph, [(8, 8, 3), ("6",)])
    with pytest.raises(ValueError, match="layer: wanted one output, got 2 of Graph"):
        x = cynet.Input((4,))
        cynet.check_gradients(cynet.Graph(x, [cynet.Tanh()(x), cynet.ReLU()(x)]), np.ones((2, 4), np.float32))


class Drawing(Composite):
    """Draws a random number, and tells the mode in which it is run."""

    def forward(self, x):
        cynet.core.random.next_key()
        self.ran = [layer.training for _, layer in self.walk()], cynet.nn.passes.grad_enabled()
        return super().forward(x)


def test_what_is_run_to_be_shown_leaves_no_trace():
    model = cynet.Sequential(cynet.Conv2d(3, 3, 1), Drawing())
    model[1].norm.eval()
    layers = [layer for _, layer in model.walk()]
    before = cynet.core.random.get_state(), [(layer.training, layer._seen) for layer in layers]
    assert [row.path for row in cynet.summary(model, (8, 8, 3)).rows] == ["0", "1.conv", "1.norm", "1"]
    assert before == (cynet.core.random.get_state(), [(layer.training, layer._seen) for layer in layers])
    assert model[1].ran == ([False] * 4, False)
    model(np.zeros((2, 9, 9, 3), np.float32))
    cynet.summary(model, (8, 8, 3))
    assert model[1].conv._seen == (2, 9, 9, 3) and model[1].norm._seen == (2, 7, 7, 4)


def test_parameters_have_their_paths_in_the_whole_model_afterwards():
    model = cynet.Sequential(cynet.Conv2d(3, 3, 1), Composite())
    cynet.summary(model, (8, 8, 3))
    assert model[1].norm.weight.name == "1.norm.weight" and model[0].bias.name == "0.bias"


def test_a_table_of_one_layer_stands_as_it_is_printed():
    found = cynet.summary(cynet.Sequential(cynet.Linear(4, 1000), cynet.ReLU()), (2, 4))
    assert str(found) == (
        "   layer                       output shape  parameters   MACs  activation bytes\n"
        "--------------------------------------------------------------------------------\n"
        "0  Linear(4, 1000, bias=True)  (2, 1000)          5,000  8,000             8,000\n"
        "1  ReLU()                      (2, 1000)              0      0             8,000\n"
        "--------------------------------------------------------------------------------\n"
        "   total                                          5,000  8,000            16,000"
    )
