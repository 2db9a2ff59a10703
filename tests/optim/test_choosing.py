"""Which parameters are trained, and which are pulled towards zero, by what they are called."""

import numpy as np
import pytest

import cynet
from cynet.optim.choosing import Freezing, decay_groups, freeze, rate_groups


class OwnNorm(cynet.Layer):
    """A norm of a user's own."""

    def __init__(self):
        self.gain = cynet.Parameter(np.ones(4))

    def forward(self, x):
        return x * self.gain.data


def model():
    cynet.seed(0)
    return cynet.Sequential(
        cynet.Conv2d(3, 4, 3), cynet.BatchNorm2d(4), OwnNorm(), cynet.Residual(cynet.Conv2d(4, 4, 1)),
        cynet.Flatten(), cynet.Linear(4, 2),
    )  # fmt: skip


def without(kinds):
    return {
        p.name for group in decay_groups(model(), kinds) if "weight_decay" in group for p in group["params"]
    }


def test_what_goes_without_decay_is_told_by_layer_and_name():
    names = [p.name for p in model().parameters()]
    biases = {name for name in names if name.endswith(".bias")}
    assert without(["bias"]) == biases and len(biases) == 4
    assert without(["norm"]) == {"1.weight", "1.bias", "2.gain"}
    assert without(["norm", "bias"]) == biases | {"1.weight", "2.gain"}
    assert without([]) == set()


def test_the_groups_keep_the_order_so_that_states_of_all_ways_fit_each_other():
    one = model()
    groups = decay_groups(one, ["norm", "bias"])
    assert [p for group in groups for p in group["params"]] == one.parameters()
    made = cynet.SGD(groups, 0.5, weight_decay=1.0)
    made.step()
    for p, before in zip(one.parameters(), model().parameters(), strict=True):
        assert np.array_equal(p.data, before.data * (1 if p.name in without(["norm", "bias"]) else 0.5)), (
            p.name
        )


def test_what_matches_is_frozen_and_nothing_else():
    one = model()
    found = freeze(one, ["0.*", "*.bias"])
    wanted = {"0.weight", "0.bias", "1.bias", "5.bias"} | {
        p.name for p in one.parameters() if "bias" in p.name
    }
    assert {p.name for p in found} == wanted
    assert {p.name for p in one.parameters() if not p.requires_grad} == wanted


@pytest.mark.parametrize(("patterns", "words"), [
    (["0"], r"got '0', which matches none \(did you mean '0\.\*'\?\)"),
    (["9.*"], r"got '9\.\*', which matches none \(there are 0\.weight, 0\.bias"),
    (["0.weigth"], r"\(did you mean '0\.weight'\? there are "),
    (["0.*", "x"], "got 'x', which matches none"),
    (["*"], r"wanted a parameter left to train, got '\*' for all 9"),
    (["*.weight", "*.bias", "*.gain"], "wanted a parameter left to train"),
])  # fmt: skip
def test_a_pattern_of_nothing_or_of_everything_is_refused_and_freezes_nothing(patterns, words):
    one = model()
    with pytest.raises(ValueError, match=f"^freeze: .*{words}"):
        freeze(one, patterns)
    assert all(p.requires_grad for p in one.parameters())


def test_of_many_names_some_are_shown():
    cynet.seed(0)
    with pytest.raises(ValueError, match=r", and \d+ more\)$") as caught:
        freeze(cynet.models.create("resnet20"), ["zzz"])
    assert len(str(caught.value)) < 800
    for layers, end in ((10, r"9\.bias\)"), (11, r"9\.bias, and 2 more\)")):  # of two parameters each
        with pytest.raises(ValueError, match=rf"\(there are 0\.weight, .*{end}$"):
            freeze(cynet.Sequential(*(cynet.Linear(1, 1) for _ in range(layers))), ["zzz"])


@pytest.mark.parametrize("wrong", ["0.*", None, 3, [1], [["0.*"]], np.array(3)])
def test_what_is_no_list_of_texts_is_refused(wrong):
    """A text alone, too: its letters would be patterns."""
    for call in (freeze, decay_groups):
        with pytest.raises(TypeError, match=r"(patterns|without)(\[0\])?: wanted a (list of )?str, got"):
            call(model(), wrong)


@pytest.mark.parametrize(("patterns", "still"), [
    (["0.weight"], []), (["2.*"], ["2"]), (["2.weight"], []), (["2.weight", "3.bias"], ["3"]),
    (["2.*", "3.*", "0.*"], ["2", "3"]),
])  # fmt: skip
def test_a_norm_stays_in_evaluation_mode_where_all_that_it_has_is_frozen(patterns, still):
    """One without parameters has none that could be frozen: it goes on normalising by its batches."""
    cynet.seed(0)
    one = cynet.Sequential(
        cynet.Conv2d(3, 4, 1), cynet.BatchNorm2d(4, affine=False), cynet.BatchNorm2d(4),
        cynet.BatchNorm2d(4, affine="bias"), cynet.GlobalAvgPool2d(), cynet.Linear(4, 2),
    )  # fmt: skip
    freeze(one, patterns)
    for mode in (True, False, True):
        one.train(mode)
        modes = {path: layer.training for path, layer in one.walk() if isinstance(layer, cynet.BatchNorm2d)}
        assert modes == {path: mode and path not in still for path in ("1", "2", "3")}


class Derived(cynet.BatchNorm2d):
    """A norm by what it derives from; its name tells nothing."""


class Named(cynet.Layer):
    """Parameters whose names have a bias in them."""

    def __init__(self):
        self.bias, self.bias_scale, self.unbiased = (cynet.Parameter(np.ones(4)) for _ in range(3))

    def forward(self, x):
        return x * self.bias_scale.data * self.unbiased.data + self.bias.data


def test_norms_are_known_by_what_they_derive_from_and_biases_by_their_whole_name():
    one = cynet.Sequential(Derived(4), Named())
    for kind, wanted in (("norm", {"0.weight", "0.bias"}), ("bias", {"0.bias", "1.bias"})):
        groups = decay_groups(one, [kind])
        assert {p.name for group in groups if "weight_decay" in group for p in group["params"]} == wanted


def test_patterns_mind_capital_letters():
    cynet.seed(0)
    one = cynet.Sequential(cynet.Linear(3, 3), cynet.Linear(3, 3))
    with pytest.raises(ValueError, match=r"freeze: wanted a pattern of parameters, got '0\.WEIGHT'"):
        freeze(one, ["0.WEIGHT"])
    assert [p.name for p in freeze(one, ["0.w*"])] == ["0.weight"]


def test_rates_are_multiplied_and_what_decay_takes_in_a_step_stays():
    one = model()
    groups = rate_groups(decay_groups(one, ["norm"]), {"*.bias": 64.0, "3.*": 0.5, "0.bias": 1.0}, 0.25)
    assert [p for group in groups for p in group["params"]] == one.parameters()
    made = cynet.SGD(groups, 1.0, weight_decay=0.25)
    made.lr = 0.125  # a schedule's: the ratios stay
    grad = {p.name: np.ones_like(p.data) for p in made.params}
    for p in made.params:
        p.grad = grad[p.name]
    before = {p.name: p.data.copy() for p in made.params}
    made.step()
    for p in made.params:
        factor = 0.5 if p.name.startswith("3.") else 64 if p.name in ("1.bias", "5.bias") else 1
        decay = 0 if p.name in without(["norm"]) else 0.25
        wanted = before[p.name] * (1 - 0.125 * decay) - 0.125 * factor
        np.testing.assert_allclose(p.data, wanted, rtol=1e-5, atol=1e-6, err_msg=p.name)


def test_rates_of_nothing_are_refused():
    for factors, words in (
        ({"0.bais": 2.0}, r"lr_factor: wanted a pattern of parameters, got '0\.bais', .*mean '0\.bias'"),
        ({"0.bias": 0}, "lr_factor: wanted"), ({"0.bias": np.inf}, "lr_factor: wanted"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            rate_groups(decay_groups(model(), []), factors, 0.1)


def test_freezing_comes_after_its_epochs_and_once():
    one = model()
    freezing = Freezing(one, {"0.*": 2, "*.bias": 3})
    found = []
    for epochs in (0, 1, 2, 3):
        freezing(epochs)
        found.append({p.name for p in one.parameters() if not p.requires_grad})
    assert found[:3] == [set(), set(), {"0.weight", "0.bias"}]
    assert found[3] == {"0.weight", "0.bias", "1.bias", "3.body.bias", "5.bias"}
    one.parameters()[0].requires_grad = True  # by hand, and it stays so
    freezing(9)
    assert one.parameters()[0].requires_grad
    late = model()
    Freezing(late, {"0.*": 2, "*.bias": 3})(7)  # as where a training goes on
    assert {p.name for p in late.parameters() if not p.requires_grad} == found[3]


def test_freezing_what_is_not_there_or_everything_is_refused():
    half = model()
    freeze(half, ["[0-3].*"])
    for net, after, words in (
        (model(), {"9.*": 1}, r"freeze_after: wanted a pattern of parameters, got '9\.\*'"),
        (model(), {"0.*": 0}, "freeze_after: wanted"),
        (model(), {"*": 1}, "left to train, got '\\*' for all 9"),
        (half, {"5.*": 1}, r"freeze_after: wanted a parameter left to train, got '5\.\*' for all 2"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            Freezing(net, after)
