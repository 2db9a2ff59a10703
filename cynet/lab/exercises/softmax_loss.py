"""Soft-max and cross-entropy of rows of logits, and their gradient together."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array, whole_numbers
from ..registry import exercise

LARGE = 1000.0  # is added to some rows: exp of it is infinite

OVERFLOW = (
    "exp overflows where the logits are large: subtract the row's largest one first, which changes "
    "nothing else"
)


def softmax(x):
    shifted = np.exp(x - x.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def _plain(x):
    """Without the largest subtracted, as float32 or float64 have it: both overflow at `LARGE`."""
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


def _picked(x, labels):
    return np.take_along_axis(x, labels[:, None], 1)[:, 0]


def losses(x, labels):
    largest = x.max(1)
    return np.log(np.exp(x - largest[:, None]).sum(1)) + largest - _picked(x, labels)


def _with_logs(x, labels):
    """By the logarithm of the probability, which is 0 where the loss is large, in float64."""
    return -np.log(_picked(softmax(x), labels))


def _with_logs32(x, labels):
    p = softmax(x)
    return -np.log(np.where(_picked(p, labels) < 1e-45, 0, _picked(p, labels)))


def gradient(x, labels):
    p = softmax(x)
    p[np.arange(len(x)), labels] -= 1
    return p / len(x)


def _by(p, x, labels):
    p = p.copy()
    p[np.arange(len(x)), labels] -= 1
    return p / len(x)


def _along_columns(x, axis):
    shifted = np.exp(x - x.max(axis, keepdims=True))
    return shifted / shifted.sum(0)


def _over_all(x):
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()


def _by_the_largest_of_all(x):
    """As float32 and float64 have it: where a row's largest is far below that of all, 0/0."""
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum(1, keepdims=True)


def _losses_by_the_largest_of_all(x, labels):
    return np.log(np.exp(x - x.max()).sum(1)) + x.max() - _picked(x, labels)


LARGEST = (
    "the largest logit of all rows is subtracted, and other rows become 0/0: take each row's own maximum"
)
COLUMNS = "the sum goes down the columns: each row is a distribution of its own, so sum along the row"
SOFTMAX = (
    Mistake("overflow", OVERFLOW, _plain),
    Mistake("columns", COLUMNS, lambda x: _along_columns(x, 0)),
    Mistake("columns", COLUMNS, lambda x: _along_columns(x, 1)),
    Mistake("largest of all", LARGEST, _by_the_largest_of_all),
    Mistake("over all", "the sum goes over all of x: each row is a distribution of its own", _over_all),
    Mistake("not divided", "the sum is missing: divide by the sum of the row's exponentials",
            lambda x: np.exp(x - x.max(1, keepdims=True))),
    Mistake("logarithm", "it is the logarithm of the soft-max", lambda x: np.log(softmax(x))),
)  # fmt: skip
LOSSES = (
    Mistake("overflow", OVERFLOW, lambda x, labels: np.log(np.exp(x).sum(1)) - _picked(x, labels)),
    Mistake("overflow", OVERFLOW, lambda x, labels: -np.log(_picked(_plain(x), labels))),
    Mistake("log of 0", "the probability is rounded to 0, and its logarithm is -infinity: take log(sum of "
                        "exp(x - max)) + "
            "max - x[label]", _with_logs),
    Mistake("log of 0", "the probability is rounded to 0, and its logarithm is -infinity: take log(sum of "
                        "exp(x - max)) + "
            "max - x[label]", _with_logs32),
    *(Mistake("log of p + a small number", "log(p + a small number) is wrong where p is small: take log(sum "
                                           "of exp(x - max)) + max - x[label]",
              lambda x, labels, small=small: -np.log(_picked(softmax(x), labels) + small))
      for small in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16)),
    Mistake("largest of all", LARGEST, _losses_by_the_largest_of_all),
    Mistake("sign", "the sign is wrong: a loss is -log of the probability, 0 or more",
            lambda x, labels: -losses(x, labels)),
    Mistake("largest", "it takes the likeliest class: the loss is that of the label",
            lambda x, labels: losses(x, x.argmax(1))),
    Mistake("first", "it takes the first class everywhere: the loss is that of the row's label",
            lambda x, labels: losses(x, 0 * labels)),
    Mistake("mean", "it is divided by the rows: here each row has its own loss, the mean comes with the "
                    "gradient",
            lambda x, labels: losses(x, labels) / len(x)),
    Mistake("log2", "the logarithm is that to the base 2: wanted the natural one",
            lambda x, labels: losses(x, labels) / np.log(2)),
    Mistake("max not put back", "the largest logit was subtracted for the sum of exponentials, and not from "
                                "x[label]",
            lambda x, labels: losses(x, labels) - x.max(1)),
)  # fmt: skip
GRADIENT = (
    Mistake("no 1/rows", "it is not divided by the rows: the loss of a batch is the mean of its rows'",
            lambda x, labels: gradient(x, labels) * len(x)),
    Mistake("sign", "the sign is wrong: probability - 1 at the label, the probability elsewhere",
            lambda x, labels: -gradient(x, labels)),
    Mistake("no one-hot", "the label is not in it: 1 is subtracted from the label's probability",
            lambda x, labels: softmax(x) / len(x)),
    Mistake("1/classes", "it is divided by the classes: the loss of a batch is the mean over its rows",
            lambda x, labels: gradient(x, labels) * len(x) / x.shape[1]),
    Mistake("everywhere", "1 is subtracted everywhere: only from the label's probability",
            lambda x, labels: (softmax(x) - 1) / len(x)),
    Mistake("overflow", OVERFLOW, lambda x, labels: _by(_plain(x), x, labels)),
    Mistake("largest of all", LARGEST, lambda x, labels: _by(_by_the_largest_of_all(x), x, labels)),
    Mistake("whole columns", "p[:, labels] are whole columns: p[np.arange(len(x)), labels] is one "
                             "element of each row",
            lambda x, labels: (softmax(x) - np.isin(np.arange(x.shape[1]), labels)) / len(x)),
    Mistake("label first", "1 is subtracted after the division: (p - 1) / rows, not p / rows - 1",
            lambda x, labels: softmax(x) / len(x) + gradient(x, labels) * len(x) - softmax(x)),
)  # fmt: skip


def _draw(sizes, rng):
    x = 3 * rng.standard_normal((sizes["rows"], sizes["classes"]))
    labels = rng.integers(0, sizes["classes"], sizes["rows"])
    x[2::3] += LARGE
    x[np.arange(len(x))[1::5], labels[1::5]] -= LARGE
    return {"x": x, "labels": labels}


X, P, LABELS = array("x", "rows, classes"), array("p", "rows, classes"), whole_numbers("labels", "rows")


def _scale(x, labels):
    return np.abs(losses(x, labels)) + np.abs(x.max(1)) + 1


@exercise("soft-max and cross-entropy, stable for large logits, and their gradient", order=6)
def softmax_loss():
    return Exercise(
        name="softmax-loss",
        named=("rows", "classes"),
        sizes=((1, 2), (2, 2), (2, 3), (3, 2), (4, 3), (3, 5), (6, 4), (9, 10), (17, 7), (40, 10)),
        large=(512, 10),
        draw=_draw,
        tips=(
            "`x.max(axis=1, keepdims=True)` is (rows, 1) in place of (rows,): a number for each row meets\n"
            "  all of its columns (broadcasting).",
            "`x[np.arange(rows), labels]` takes one element of each row: that of its label.",
        ),
        holes=(
            Hole("softmax", (X,), (P,),
                 "p[i, k] = exp(x[i, k]) / sum over j of exp(x[i, j]): each row of p adds up to 1, also "
                 "where logits are as large as 1000.",
                 softmax, lambda x: x.shape[1], SOFTMAX),
            Hole("losses", (X, LABELS), (array("loss", "rows"),),
                 "loss[i] = -log of softmax(x)[i, labels[i]], finite also where that probability is as "
                 "small as exp(-1000).",
                 losses, lambda x, labels: x.shape[1], LOSSES, None, _scale),
            Hole("gradient", (X, LABELS), (array("dx", "rows, classes"),),
                 "dx = (p - 1 at the label) / rows, where p = softmax(x): the gradient of the mean of the "
                 "losses.",
                 gradient, lambda x, labels: x.shape[1], GRADIENT,
                 lambda x, labels: (lambda at: float(losses(at, labels).mean()), x)),
        ),
    )  # fmt: skip
