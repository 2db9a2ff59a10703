"""Evaluation in one sweep: what its plan gives is what the layers give, and it is never stale."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import NETS

import cynet
from cynet import nn
from cynet.core import threads, workspace
from cynet.nn.compile import inference
from cynet.nn.passes import layer_by_layer


class Same(cynet.Layer):
    """A user's layer that hands its input on."""

    def forward(self, x):
        return x


def block(inputs, outputs, stride=1, shortcut=None, last=()):
    body = cynet.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1),
        nn.BatchNorm2d(outputs, affine=False),
        *last,
    )
    return nn.Residual(body, shortcut)


def every_kind():
    """A net of every pattern that is planned, and of layers that are not."""
    project = cynet.Sequential(nn.Conv2d(8, 16, 1, 2), nn.BatchNorm2d(16))
    return cynet.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Same(),
        block(8, 8),
        nn.ReLU(),
        nn.Dropout(0.5),
        block(8, 16, 2, project, [nn.LeakyReLU()]),
        nn.ReLU(),
        nn.Residual(nn.Conv2d(16, 16, 1)),
        cynet.Sequential(nn.MaxPool2d(3, 2, "same"), cynet.Sequential(nn.Tanh())),
        nn.Conv2d(16, 16, 3, padding="same", groups=16),
        nn.ReLU(),
        nn.Conv2d(16, 12, 3, groups=2, padding=1),
        nn.Concat(nn.Conv2d(12, 5, 1), Same()),
        Same(),
        nn.Flatten(),
        nn.Linear(17 * 16, 24, bias=False),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.Linear(24, 7),
    )


def ready(model, side=16, batch=8):
    """`model` with running statistics of its own, in evaluation mode, and an input."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        model(rng.standard_normal((batch, side, side, 3)).astype(np.float32))
    for parameter in model.parameters():
        parameter.data += 0.1 * rng.standard_normal(parameter.shape).astype(np.float32)
    return model.eval(), rng.standard_normal((batch, side, side, 3)).astype(np.float32)


def planned(model, x):
    with cynet.no_grad():
        return model(x)


def own(model, x):
    """What the layers themselves give."""
    with layer_by_layer():
        return model(x)


def check(model, x):
    wanted = own(model, x)
    scale = np.abs(wanted).max()
    y = planned(model, x)
    (plan,) = model._plans[x.shape]
    assert plan.fits()
    np.testing.assert_allclose(y, wanted, rtol=0, atol=2e-5 * scale)
    assert np.array_equal(planned(model, x), y)
    return y


@pytest.mark.parametrize(("name", "options"), NETS)
def test_a_models_plan_gives_what_its_layers_give(name, options):
    check(*ready(cynet.models.create(name, **options), 32, 3))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_every_kind_of_layer(batch):
    model, x = ready(every_kind(), batch=8)
    check(model, x[:batch])


def test_pooling_to_one_value_and_a_flattening_that_no_linear_layer_follows():
    model = cynet.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d())
    check(*ready(model))
    check(*ready(cynet.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.ReLU())))
    check(*ready(cynet.Sequential(nn.Flatten(), nn.Flatten(), nn.Linear(768, 3))))


def _scale(model):
    model[0].weight.data *= 1.5


def _statistics(model):
    model[1].running_mean += 0.5


def _state(model):
    model.load_state_dict({name: array * 1.2 for name, array in model.state_dict().items()})


def _eps(model):
    model[1].eps = 0.5


def _other_parameter(model):
    model[-1].bias = cynet.Parameter(np.arange(7.0))


def _other_layer(model):
    model.layers[2] = nn.Tanh()


def _shorter(model):
    del model.layers[-1]


def _inner_list(model):
    model[4].body.layers.append(nn.Tanh())


def _shortcut(model):
    model[4].shortcut = nn.Conv2d(8, 8, 1)


def _own_forward(model):
    model[2].forward = lambda x: np.abs(x)


CHANGES = [
    _scale,
    _statistics,
    _state,
    _eps,
    _other_parameter,
    _other_layer,
    _shorter,
    _inner_list,
    _shortcut,
    _own_forward,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_is_noticed(change):
    model, x = ready(every_kind())
    before = check(model, x)
    change(model)
    after = check(model.eval(), x)
    assert before.shape != after.shape or np.abs(before - after).max() > 1e-3


def test_a_layer_in_training_mode_is_left_in_it():
    model, x = ready(every_kind())
    planned(model, x)
    model[1].training = True
    mean = model[1].running_mean.copy()
    np.testing.assert_allclose(planned(model, x), own(model, x), rtol=0, atol=1e-5)
    assert not np.array_equal(mean, model[1].running_mean)


def test_statistics_that_lie_scattered_in_memory_are_read_as_they_are():
    """Where bytes cannot be compared the layers run one by one."""
    model, x = ready(cynet.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
    wide = np.zeros(16, np.float32)
    model[1].running_mean = wide[::2]
    with cynet.no_grad(), pytest.raises(ValueError, match="contiguous"):
        model(x)
    model[1].running_mean = np.zeros(8)
    wanted = r"running_mean: wanted a float32 array of shape \(8,\), got float64"
    with cynet.no_grad(), pytest.raises(ValueError, match=wanted):
        model(x)


def test_training_takes_the_memory_back():
    model, x = ready(every_kind())
    planned(model, x)
    assert vars(model)["_plans"]
    model.train()(x)
    assert "_plans" not in vars(model)


def test_results_are_the_callers_to_keep():
    model, x = ready(every_kind())
    first = planned(model, x)
    kept = first.copy()
    planned(model, -x)
    assert np.array_equal(first, kept)


def test_after_the_first_pass_no_large_memory_is_taken():
    model, x = ready(cynet.models.create("resnet20"), 32, 4)
    planned(model, x)
    before = workspace.pool.allocated
    for _ in range(3):
        planned(model, x)
    assert workspace.pool.allocated == before


def test_the_least_recent_of_many_shapes_is_forgotten():
    model, x = ready(cynet.models.create("uwnet2"), 32, 8)
    for count in (8, 3, 1, 2):
        assert np.array_equal(planned(model, x[:count]), planned(model, x)[:count])
    assert len(model._plans) <= inference.SHAPES


def test_same_bytes_for_any_number_of_threads_and_any_batch():
    model, x = ready(cynet.models.create("resnet20"), 32, 9)
    found = []
    for count in (1, 2, 3, 4):
        threads.set_num_threads(count)
        found.append(planned(model, x))
    assert all(np.array_equal(y, found[0]) for y in found)
    assert np.array_equal(planned(model, x[4:5]), found[0][4:5])


def test_copies_and_pickles_of_a_used_model():
    model, x = ready(every_kind())
    y = planned(model, x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(cynet.Sequential(*model[:3])))):
        assert "_plans" not in vars(twin)
    twin = copy.deepcopy(model)
    twin[0].weight.data[:] = 0
    assert np.array_equal(planned(model, x), y)
    assert not np.array_equal(planned(twin, x), y)


@pytest.mark.parametrize("shapes", [1, 4])  # the plans of four do not stay
def test_threads_that_evaluate_one_model_at_once_do_not_disturb_each_other(shapes):
    model, x = ready(cynet.models.create("uwnet1"), 32, 16)
    inputs = [(x + i)[: len(x) - i % shapes] for i in range(4)]
    wanted, wrong, interval = [planned(model, x) for x in inputs], [], sys.getswitchinterval()

    def work(first):
        for i in range(first, first + 40):
            if not np.array_equal(planned(model, inputs[i % 4]), wanted[i % 4]):
                wrong.append(i)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))  # raises what they raise
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


class Tap(Same):
    """A user's layer that keeps its input."""

    def forward(self, x):
        self.seen = x
        return x


@pytest.mark.parametrize("around", [lambda tap: tap, lambda tap: nn.Concat(Same(), tap)])
def test_what_a_users_layer_keeps_is_not_written_again(around):
    tap = Tap()
    model, x = ready(cynet.Sequential(nn.Conv2d(3, 8, 3), around(tap), nn.AvgPool2d(2)))
    planned(model, x)
    seen = tap.seen
    kept = seen.copy()
    planned(model, x + 1)
    assert np.array_equal(seen, kept)


def test_a_shape_that_does_not_fit_names_the_layer():
    model, _ = ready(cynet.models.create("uwnet2"), 32)
    with cynet.no_grad(), pytest.raises(ValueError, match=r"layer 0: .*wanted \(N, H, W, 3\)"):
        model(np.zeros((2, 32, 32, 4), np.float32))


def test_nan_in_one_image_stays_in_it():
    model, x = ready(cynet.models.create("resnet20"), 32, 3)
    wanted = planned(model, x)
    x[1, 3, 3, 1] = np.nan
    y = planned(model, x)
    assert np.isnan(y[1]).all() and np.array_equal(y[[0, 2]], wanted[[0, 2]])


@pytest.mark.parametrize("name", ["resnet20", "uwnet2"])
def test_an_empty_batch(name):
    model, x = ready(cynet.models.create(name), 32, 2)
    assert planned(model, x[:0]).shape == (0, 10)


@pytest.mark.parametrize("affine", [True, False])
def test_weights_that_change_while_they_are_packed_leave_no_stale_plan(monkeypatch, affine):
    """As another thread's load_state_dict may do: another state comes, and the first comes back."""
    model = cynet.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, affine=affine), nn.Flatten(), nn.Linear(32, 3)
    ).eval()  # fmt: skip
    first = model.state_dict()
    other = {name: value + 1 for name, value in first.items()}
    x = np.random.default_rng(1).standard_normal((2, 4, 4, 3)).astype(np.float32)
    fold = inference.Plan._fold

    def disturbed(plan):
        model.load_state_dict(other)
        fold(plan)
        model.load_state_dict(first)

    with cynet.no_grad():
        wanted = model(x)
        for begin in (lambda: vars(model).pop("_plans"), lambda: model[0].weight.data.fill(3)):
            begin()
            with monkeypatch.context() as patch:
                patch.setattr(inference.Plan, "_fold", disturbed)
                model(x)
            np.testing.assert_array_equal(model(x), wanted)


IMAGES = {
    "conv": lambda: nn.Conv2d(8, 8, 3, padding=1), "depth-wise": lambda: nn.Conv2d(8, 8, 1, groups=8),
    "conv, norm": lambda: cynet.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)),
    "norm": lambda: nn.BatchNorm2d(8), "pool": lambda: nn.MaxPool2d(3, 1, padding=1),
    "sum": lambda: nn.Residual(nn.Conv2d(8, 8, 3, padding=1)),
    "sum of two": lambda: nn.Residual(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)),
    "joined": lambda: nn.Concat(nn.Conv2d(8, 3, 1), nn.Conv2d(8, 5, 3, padding=1)),
}  # fmt: skip
ROWS = {
    "linear": lambda: nn.Linear(8, 8),
    "linear, norm": lambda: cynet.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)),
    "sum": lambda: nn.Residual(nn.Linear(8, 8)),
    "joined": lambda: nn.Concat(nn.Linear(8, 3), nn.Linear(8, 5)),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "shape", "kinds"), [
    (IMAGES, (2, 7, 6, 8), [Same]), (IMAGES, (2, 7, 6, 8), [Same, nn.Dropout, Same]),
    (ROWS, (5, 8), [Same]), (ROWS, (5, 8), [nn.Flatten]),
], ids=["images", "images, thrice", "rows", "flattened rows"])  # fmt: skip
def test_what_a_layer_hands_on_is_not_written_over(steps, shape, kinds):
    """Between any two steps of equal shapes, also around a sum: its output lies where its input does."""
    cynet.seed(0)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for first in steps.values():
        for last in steps.values():
            between = [kind() for kind in kinds]
            chain = cynet.Sequential(first(), *between, last(), *between, last()).eval()
            for net in (chain, cynet.Sequential(nn.Residual(chain), *between, last()).eval()):
                check(net, x)


def test_two_shapes_in_turn_have_a_plan_each_and_another_number_of_threads_has_its_own(monkeypatch):
    made, plan = [], inference.Plan.__init__

    def counted(self, model, shape):
        made.append(shape)
        plan(self, model, shape)

    monkeypatch.setattr(inference.Plan, "__init__", counted)
    model = cynet.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    whole, rest = np.ones((8, 4), np.float32), np.ones((3, 4), np.float32)
    threads.set_num_threads(2)
    with cynet.no_grad():
        for _ in range(3):
            model(whole), model(rest)
        assert made == [(8, 4), (3, 4)], "as the batches of an epoch and its last come in turn"
        threads.set_num_threads(1)
        wanted = model(whole)
        assert made == [(8, 4), (3, 4), (8, 4)]
        threads.set_num_threads(2)
        np.testing.assert_array_equal(model(whole), wanted)
        assert made == [(8, 4), (3, 4), (8, 4), (8, 4)]


@pytest.mark.parametrize(
    "end", [[], [cynet.ReLU], [cynet.ReLU6], [cynet.Tanh]], ids=["", "ReLU", "ReLU6", "Tanh"]
)
@pytest.mark.parametrize("norm", [False, True], ids=["", "norm"])
@pytest.mark.parametrize("after", [[], [cynet.ReLU]], ids=["", "then ReLU"])
@pytest.mark.parametrize("size", [1, 3])
def test_a_sum_is_of_what_its_body_gives_however_that_ends(end, norm, after, size):
    """One of 3 x 3 and sixteen channels adds the sum by itself, and bends it, but where its body does so."""
    cynet.seed(4)
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 16)).astype(np.float32)
    for shortcut in ([], [cynet.Conv2d(16, 16, 1)]):
        body = [cynet.Conv2d(16, 16, size, padding="same"), *[cynet.BatchNorm2d(16)] * norm]
        body, after_it = [*body, *(kind() for kind in end)], [kind() for kind in after]
        model = cynet.Sequential(cynet.Residual(cynet.Sequential(*body), *shortcut), *after_it).eval()
        h, beside = x, shortcut[0](x) if shortcut else x
        for layer in body:
            h = layer(h)
        wanted = h + beside
        for layer in after_it:
            wanted = layer(wanted)
        with cynet.no_grad():
            np.testing.assert_allclose(model(x), wanted, atol=1e-4)
