"""Test-time augmentation: the mean over views of a picture."""

import numpy as np
import pytest

import cynet
from cynet.nn.modes import evaluating
from cynet.train import views
from cynet.train.metrics import evaluate
from cynet.train.predictions import predict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5, 7, 3)).astype(np.float32)
Y = np.arange(6) % 4


def model():
    cynet.seed(0)
    return cynet.Sequential(cynet.Conv2d(3, 8, 3), cynet.ReLU(), cynet.Flatten(), cynet.Linear(3 * 5 * 8, 4))


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def moved(x, down, right):
    """By a loop: the pixel that comes from beyond the edge is that of the edge."""
    out = np.empty_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, i, j] = x[:, min(max(i - down, 0), x.shape[1] - 1), min(max(j - right, 0), x.shape[2] - 1)]
    return out


SHIFTS = [moved(X, *by) for by in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]
CORNERS = [
    X,
    np.pad(X, ((0, 0), (0, 1), (0, 1), (0, 0)), "reflect")[:, 1:, 1:],
    np.pad(X, ((0, 0), (1, 0), (1, 0), (0, 0)), "reflect")[:, :-1, :-1],
]
WANTED = {
    "": [X],
    "flip": [X, X[:, :, ::-1]],
    "shift": SHIFTS,
    "flip,shift": [each for x in SHIFTS for each in (x, x[:, :, ::-1])],
    "diagonal": CORNERS,
    "flip,diagonal": [each for x in CORNERS for each in (x, x[:, :, ::-1])],
    "shift,diagonal": [moved(x, *by) for x in CORNERS for by in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))],
}


@pytest.mark.parametrize("tta", WANTED)
def test_the_views_are_the_picture_mirrored_and_moved_by_a_pixel(tta):
    found = list(views.views(X, views.kinds_of(tta)))
    assert len(found) == len(WANTED[tta])
    for one, other in zip(found, WANTED[tta], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.flags.c_contiguous


@pytest.mark.parametrize("tta", WANTED)
def test_probabilities_are_the_mean_over_the_views(tta):
    made = model()
    with evaluating(made), cynet.no_grad():
        counts = np.repeat([2, 1, 1], len(WANTED[tta]) // 3) if "diagonal" in tta else None
        each = [softmax(made(np.ascontiguousarray(x))) for x in WANTED[tta]]
        wanted = np.average(each, axis=0, weights=counts)
    found = predict(made, [(X, Y)], tta=tta)
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-6)
    run = evaluate(views.seen(made, tta), [(X[:4], Y[:4]), (X[4:], Y[4:])])
    assert run.accuracy == found.evaluation.accuracy
    assert run.loss == pytest.approx(found.evaluation.loss, rel=1e-6)
    assert run.loss == pytest.approx(-np.log(wanted[np.arange(6), Y]).mean(), rel=1e-5)


def test_flip_is_the_view_of_that_name():
    one, other = predict(model(), [(X, Y)], flip=True), predict(model(), [(X, Y)], tta="flip")
    np.testing.assert_array_equal(one.log_probabilities, other.log_probabilities)
    both = predict(model(), [(X, Y)], flip=True, tta="shift")
    np.testing.assert_array_equal(
        both.log_probabilities, predict(model(), [(X, Y)], tta="flip,shift").log_probabilities
    )


def test_a_nan_in_one_view_leaves_no_prediction():
    class Sometimes(cynet.Layer):
        calls = 0

        def output_shape(self, shape):
            return shape[0], 4

        def forward(self, x):
            self.calls += 1
            y = np.zeros((len(x), 4), np.float32)
            y[0, 0] = np.nan if self.calls == 2 else 0
            return y

    found = predict(Sometimes(), [(X, Y)], tta="flip")
    assert found.sure.tolist() == [False] + [True] * 5


def test_one_pixel_may_be_a_picture():
    assert all(
        view.shape == (2, 1, 1, 3) for view in views.views(X[:2, :1, :1], ("flip", "shift", "diagonal"))
    )


@pytest.mark.parametrize(("tta", "error"), [
    ("crop", ValueError), ("flip,flip", ValueError), ("flip,", ValueError), (3, TypeError), (True, TypeError),
])  # fmt: skip
def test_what_are_no_views_is_refused(tta, error):
    with pytest.raises(error, match="tta: wanted"):
        predict(model(), [(X, Y)], tta=tta)
    with pytest.raises(error, match="tta: wanted"):
        views.Views(model(), tta)


def test_rows_have_no_views():
    rows = cynet.Sequential(cynet.Linear(3, 2))
    with pytest.raises(ValueError, match=r"tta: wanted pictures \(N, H, W, C\)"):
        predict(rows, [(np.zeros((2, 3), np.float32), np.array([0, 1]))], tta="flip")
    assert views.seen(rows, "") is rows and views.seen(rows, None) is rows


def test_the_modes_within_are_kept():
    made = model().train()
    evaluate(views.seen(made, "flip"), [(X, Y)])
    assert all(layer.training for _, layer in made.walk())
    assert repr(views.Views(made, "shift,flip")).endswith("'flip,shift')")
