"""check_gradients: right for every layer that is shipped, and it finds a backward that is wrong."""

import numpy as np
import pytest
from examples import EXAMPLES, built

import cynet
from cynet import Parameter, nn
from cynet.core import random
from cynet.nn.gradients import Checked, GradientCheck

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


PICTURES, ROWS = normal(3, 9, 8, 4), normal(12, 10)
SEEDS = 0, 0, 1, 2**63 - 1
CASES = {call: (lambda call=call: built(call), normal(*shape)) for call, shape in EXAMPLES.items()} | {
    "Conv2d by Winograd's algorithm": (lambda: nn.Conv2d(8, 8, 3, padding=1), normal(2, 12, 12, 8)),
    "Conv2d with uneven padding": (
        lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0, 2, 1), groups=2), PICTURES,
    ),
    "Linear of many outputs": (lambda: nn.Linear(10, 64, bias=False), ROWS),
}  # fmt: skip


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", CASES)
def test_the_shipped_layers_are_right(name, training):
    make, x = CASES[name]
    layer, rng = make().train(training), np.random.default_rng(1)  # of its own: whatever ran before
    for parameter in layer.parameters():
        parameter.data += 0.3 * rng.standard_normal(parameter.shape).astype(np.float32)
    found = cynet.check_gradients(layer, x)
    assert found.ok, found
    assert [row.name for row in found.rows] == ["input", *(p.name for p in layer.parameters())]
    sharp = 0.2 if name.startswith("Sequential") else 0.005
    assert all(row.difference <= row.allowed < sharp for row in found.rows), found


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_layers_at_several_places_are_right(training):
    cynet.seed(0)
    conv, norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
    model = nn.Sequential(conv, nn.Residual(nn.Sequential(conv, norm)), norm, conv).train(training)
    found = cynet.check_gradients(model, PICTURES)
    assert found.ok, found
    assert [row.name for row in found.rows] == ["input", *(p.name for p in model.parameters())]


@pytest.mark.parametrize("seed", range(10))
def test_there_is_no_false_alarm_about_a_net_of_many_corners(seed):
    cynet.seed(seed)
    model = nn.Sequential(
        *(nn.Conv2d(4, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)),
    )
    found = cynet.check_gradients(model, normal(3, 8, 8, 4), projections=1, seed=seed)
    assert found.ok, found


# -- layers that are wrong -----------------------------------------------------------------------------------
class Affine(cynet.Layer):
    """y = x * weight + bias over rows, right or wrong in one way."""

    def __init__(self, wrong=None):
        self.wrong = wrong
        self.weight, self.bias = Parameter(1 + RNG.random(10)), Parameter(RNG.random(10))

    def forward(self, x):
        self.save(x)
        y = x * self.weight.data + self.bias.data
        if self.wrong == "writes x":
            x *= 2
        if self.wrong == "random":
            return y * np.float32(RNG.random())
        return y / 0 if self.wrong == "infinite" else y

    def backward(self, dy):
        (x,), wrong = self.saved(), self.wrong
        if wrong == "writes dy":
            dy *= 2
        weight = (dy * x).sum(0) * (1.02 if wrong == "2 % too large" else 1)
        if wrong == "one entry":
            weight[4] *= -1
        if wrong == "sets":
            self.weight.grad = weight
        else:
            self.weight.grad += weight
        if wrong != "no bias":
            self.bias.grad += dy.sum(0) if wrong != "mean for sum" else dy.mean(0)
        if wrong == "None":
            return None
        if wrong == "shape":
            return dy[:1]
        dx = dy * self.weight.data
        if wrong == "an edge":
            dx[:, 0] = 0
        return dy if wrong == "no factor" else dx


@pytest.mark.parametrize(("wrong", "names", "word"), [
    ("2 % too large", ["weight"], "wrong"), ("one entry", ["weight"], "wrong"),
    ("no bias", ["bias"], "wrong"),
    ("sets", ["weight"], "wrong: backward sets .grad, where it should add to it"),
    ("mean for sum", ["bias"], "wrong"), ("None", ["input"], "wrong: backward returned NoneType"),
    ("shape", ["input"], "wrong: backward returned shape (1, 10)"), ("an edge", ["input"], "wrong"),
    ("no factor", ["input"], "wrong"), (None, [], "ok"),
])  # fmt: skip
def test_a_wrong_backward_is_found_and_named(wrong, names, word):
    found = cynet.check_gradients(Affine(wrong), ROWS)
    assert [row.name for row in found.rows if row.problem] == names, found
    assert found.ok == (not names)
    lines = {line.split()[0]: line for line in str(found).splitlines()[2:]}
    assert lines.keys() == {"input", "weight", "bias"} and repr(found) == str(found)
    for name, line in lines.items():
        assert line.endswith(f"  {word if name in names else 'ok'}")


@pytest.mark.parametrize(("wrong", "words"), [
    ("random", "Affine.forward: wanted the same result twice, got two"),
    ("infinite", "Affine.forward: wanted finite results, got NaN or infinity"),
    ("writes x", "Affine.forward changes its input, which belongs to others"),
    ("writes dy", "Affine.backward changes dy, which belongs to others"),
])  # fmt: skip
def test_what_cannot_be_compared_is_said(wrong, words):
    with pytest.raises(ValueError, match=words), np.errstate(divide="ignore", invalid="ignore"):
        cynet.check_gradients(Affine(wrong), ROWS)


@pytest.mark.parametrize(("arguments", "argument"), [
    ((None, ROWS), "layer"), ((Affine, ROWS), "layer"), ((Affine(), None), "x"),
    ((Affine(), ROWS.astype(float)), "x"), ((Affine(), ROWS, 0), "projections"),
    ((Affine(), ROWS, 1.5), "projections"), ((Affine(), ROWS, 1, -1), "seed"),
])  # fmt: skip
def test_bad_arguments_are_named(arguments, argument):
    with pytest.raises((TypeError, ValueError), match=rf"{argument}: wanted .*got"):
        cynet.check_gradients(*arguments)


def test_everything_is_afterwards_what_it_was():
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.GlobalAvgPool2d())
    model(PICTURES)
    model.backward(normal(3, 8))
    model.input_grad = False
    state, draws = model.state_dict(), random.get_state()
    grads = [parameter.grad.copy() for parameter in model.parameters()]
    x = PICTURES.copy()
    assert cynet.check_gradients(model, x).ok
    assert not model.input_grad and random.get_state() == draws
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)
    np.testing.assert_array_equal(x, PICTURES)
    with pytest.raises(ValueError, match="finite"):
        cynet.check_gradients(model, np.full_like(PICTURES, np.nan))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_an_empty_batch_has_nothing_to_compare():
    found = cynet.check_gradients(nn.Linear(10, 3), ROWS[:0])
    assert found.ok and all(row.difference == 0 for row in found.rows)


def test_the_same_seed_gives_the_same_table():
    tables = {str(cynet.check_gradients(nn.Sigmoid(), ROWS, seed=seed).rows[0].difference) for seed in SEEDS}
    assert len(tables) == len(set(SEEDS))


def test_the_verdict_and_the_table_of_what_was_found():
    rows = (
        Checked("input", (3, 4), 1.5e-7, 0.1), Checked("0.weight", (4,), 2e-3, 0.11),
        Checked("0.bias", (1,), 0.5, 0.01, "wrong"), Checked("1.bias", (), 0.0, 0.2, "wrong: no gradient"),
    )  # fmt: skip
    assert [row.verdict for row in rows] == ["ok", "rough", "wrong", "wrong: no gradient"]
    assert GradientCheck(rows[:2]).ok and not GradientCheck(rows[:3]).ok and GradientCheck(()).ok
    assert str(GradientCheck(rows)).splitlines() == [
        "array     shape   difference  allowed",
        "-" * 57,
        "input     (3, 4)  1.5e-07     1.0e-01  ok",
        "0.weight  (4,)    2.0e-03     1.1e-01  rough",
        "0.bias    (1,)    5.0e-01     1.0e-02  wrong",
        "1.bias    ()      0.0e+00     2.0e-01  wrong: no gradient",
    ]


def test_of_several_directions_the_worst_counts():
    worst = []
    for projections in (1, 2, 5):
        row = cynet.check_gradients(nn.Sigmoid(), ROWS, projections).rows[0]
        worst.append(row.difference / row.allowed)
    assert worst == sorted(worst) and worst[0] < worst[2]


def test_there_may_be_a_thousand_directions():
    assert cynet.check_gradients(nn.Sigmoid(), ROWS[:0], 1000).ok
    with pytest.raises(ValueError, match="projections: wanted at most 1000, got 1001"):
        cynet.check_gradients(nn.Sigmoid(), ROWS[:0], 1001)


class Two(cynet.Layer):
    """The sum of two inputs, with a backward that gives what it is told to."""

    def __init__(self, gives):
        self.gives = gives

    def forward(self, x, y):
        self.save()
        return x + y

    def output_shape(self, *shapes):
        return shapes[0]

    def backward(self, dy):
        self.saved()
        return self.gives(dy)


@pytest.mark.parametrize(("gives", "problems"), [
    (lambda dy: (dy, dy), ["", ""]), (lambda dy: (dy, 2 * dy), ["", "wrong"]),
    (lambda dy: (-dy, dy), ["wrong", ""]),
    (lambda dy: dy, ["wrong: backward returned ndarray to 2 inputs"] * 2),
    (lambda dy: (dy,), ["wrong: backward returned 1 gradients to 2 inputs"] * 2),
    (lambda dy: (dy,) * 3, ["wrong: backward returned 3 gradients to 2 inputs"] * 2),
    (lambda dy: (dy, dy[1:]), ["", "wrong: backward returned shape (11, 10)"]),
    (lambda dy: (None, dy), ["wrong: backward returned NoneType", ""]),
])  # fmt: skip
def test_the_gradients_to_several_inputs_are_told_apart(gives, problems):
    found = cynet.check_gradients(Two(gives), (ROWS, ROWS + 1))
    assert [(row.name, row.problem) for row in found.rows] == [
        ("input 0", problems[0]), ("input 1", problems[1]),
    ]  # fmt: skip
