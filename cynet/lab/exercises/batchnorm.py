"""Batch norm as the assignment has it (7.1 to 7.5): columns of a matrix in groups, a mean and a variance for
each."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array, whole
from ..registry import exercise

EPS = 1e-5
SPREADS = 1.0, 0.003, 2.0, 0.02  # of the groups: a small one shows where epsilon stands

GIVEN = {
    "python": '''EPS = 1e-5  # is added to the variance, inside the root


def mean(x, groups):
    """The mean of each group: given, as an example.

    x: float32 array (rows, groups * n)
    Returns m: float32 array (groups,)
    """
    rows, columns = x.shape
    return x.reshape(rows, groups, columns // groups).mean(axis=(0, 2))
''',
    "cython": '''cdef float EPS = 1e-5  # is added to the variance, inside the root


def mean(const float[:, ::1] x not None, Py_ssize_t groups, float[::1] m not None):
    """The mean of each group: given, as an example. It writes to m.

    The groups are independent of each other, so each may be a thread's. What one group needs is in a
    function of its own, `mean_of`: its variables are the thread's own.
    """
    cdef Py_ssize_t g, n = x.shape[1] // groups
    for g in prange(groups, nogil=True, schedule="static"):
        m[g] = mean_of(x, g * n, n)


cdef float mean_of(const float[:, ::1] x, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double total = 0
    for i in range(x.shape[0]):
        for j in range(first, first + n):
            total += x[i, j]
    return <float>(total / (x.shape[0] * n))
''',
}


def _parts(x, groups):
    """(rows, groups, n): the columns g * n to (g + 1) * n are group g's."""
    return x.reshape(len(x), groups, -1)


def _mixed(x, groups):
    """The same as if the columns g, g + groups, ... were group g's."""
    return np.swapaxes(x.reshape(len(x), -1, groups), 1, 2)


def _joined(parts):
    return parts.reshape(len(parts), -1)


def _column(v):
    return v[:, None]


def variance(x, m, groups):
    return ((_parts(x, groups) - _column(m)) ** 2).mean(axis=(0, 2))


def normalize(x, m, v, groups):
    return _joined((_parts(x, groups) - _column(m)) / np.sqrt(_column(v) + EPS))


def delta_mean(d, v):
    return (-_parts(d, len(v)) / np.sqrt(_column(v) + EPS)).sum(axis=(0, 2))


def delta_variance(d, x, m, v):
    return (_slopes(d, x, m, v)).sum(axis=(0, 2))


def _slopes(d, x, m, v, power=-1.5):
    centred = _parts(x, len(m)) - _column(m)
    return -0.5 * _parts(d, len(m)) * centred * (_column(v) + EPS) ** power


def delta_batch_norm(d, dm, dv, m, v, x):
    return _input_gradient(d, dm, dv, m, v, x)


def _input_gradient(d, dm, dv, m, v, x, of_dm=1.0, of_dv=2.0, direct=1.0, count=None):
    groups = len(m)
    centred = _parts(x, groups) - _column(m)
    count = count or x.size // groups
    direct = direct * _parts(d, groups) / np.sqrt(_column(v) + EPS)
    return _joined(direct + of_dv * _column(dv) * centred / count + of_dm * _column(dm) / count)


def _through(x, d, groups):
    """The sum of d times batch norm of x, by its definition: what delta_batch_norm is the gradient of."""
    m = _parts(x, groups).mean(axis=(0, 2))
    return float((d * normalize(x, m, variance(x, m, groups), groups)).sum())


VARIANCE = (
    Mistake("no 1/N", "it is the sum of the squares: divide it by N = rows * n",
            lambda x, m, groups: variance(x, m, groups) * (x.size / groups)),
    Mistake("1/(N-1)", "it divides by N - 1: batch norm takes the biased variance, divided by N = rows * n",
            lambda x, m, groups: variance(x, m, groups) * (x.size / groups) / max(1e-300,
                x.size / groups - 1)),
    Mistake("1/rows", "it divides by the rows alone: a group has N = rows * n numbers",
            lambda x, m, groups: variance(x, m, groups) * (x.shape[1] / groups)),
    Mistake("1/columns", "it divides by all numbers of x: a group has N = rows * n of them, groups are apart",
            lambda x, m, groups: variance(x, m, groups) / groups),
    Mistake("root", "it is the standard deviation: no square root here, normalize takes it",
            lambda x, m, groups: np.sqrt(variance(x, m, groups))),
    Mistake("not squared", "the differences from the mean are not squared",
            lambda x, m, groups: np.abs(_parts(x, groups) - _column(m)).mean(axis=(0, 2))),
    Mistake("mean not subtracted", "it squares x itself: subtract the mean m of the group first",
            lambda x, m, groups: (_parts(x, groups) ** 2).mean(axis=(0, 2))),
    Mistake("one for all", "it is one variance of all columns: each group has its own, of its n columns",
            lambda x, m, groups: np.full(groups, ((_parts(x, groups) - _column(m)) ** 2).mean())),
    Mistake("one for all", "it is one variance of all columns: each group has its own, of its n columns",
            lambda x, m, groups: np.full(groups, x.var())),
    Mistake("m along n", "m meets the columns within a group in place of the groups: take m[:, None]",
            lambda x, m, groups: ((_parts(x, groups) - m) ** 2).mean(axis=(0, 2))),
    Mistake("m of group 0", "m[0] is subtracted everywhere: group g has its own, m[g]",
            lambda x, m, groups: ((_parts(x, groups) - m[0]) ** 2).mean(axis=(0, 2))),
    Mistake("groups ignored", "the groups are taken wrongly: group g has the columns g * n to (g + 1) * n, "
                              "side by side",
            lambda x, m, groups: ((_mixed(x, groups) - _column(m)) ** 2).mean(axis=(0, 2))),
)  # fmt: skip
NORMALIZE = (
    Mistake("epsilon outside the root", "epsilon stands outside the root: sqrt(v + EPS), and not sqrt(v) + "
                                        "EPS",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) / (np.sqrt(_column(v)) + EPS))),
    Mistake("no epsilon", "epsilon is missing: sqrt(v + EPS)",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) / np.sqrt(_column(v)))),
    Mistake("root twice", "the square root is taken twice: v is the variance, its root is taken once",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) / (_column(v) + EPS) ** 0.25)),
    Mistake("no root", "it divides by the variance: divide by its square root, sqrt(v + EPS)",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) / (_column(v) + EPS))),
    Mistake("mean not subtracted", "the mean m of the group is not subtracted",
            lambda x, m, v, groups: _joined(_parts(x, groups) / np.sqrt(_column(v) + EPS))),
    Mistake("group 0", "m[0] and v[0] are taken for all columns: group g has its own, m[g] and v[g]",
            lambda x, m, v, groups: (x - m[0]) / np.sqrt(v[0] + EPS)),
    Mistake("m of group 0", "m[0] is subtracted everywhere: group g has its own, m[g]",
            lambda x, m, v, groups: _joined((_parts(x, groups) - m[0]) / np.sqrt(_column(v) + EPS))),
    Mistake("v of group 0", "v[0] is taken for all columns: group g has its own, v[g]",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) / np.sqrt(v[0] + EPS))),
    Mistake("not divided", "the mean is subtracted, and nothing divided: divide by sqrt(v + EPS)",
            lambda x, m, v, groups: _joined(_parts(x, groups) - _column(m))),
    Mistake("multiplied", "it is multiplied by sqrt(v + EPS): divide by it",
            lambda x, m, v, groups: _joined((_parts(x, groups) - _column(m)) * np.sqrt(_column(v) + EPS))),
    Mistake("groups ignored", "the groups are taken wrongly: group g has the columns g * n to (g + 1) * n, "
                              "side by side",
            lambda x, m, v, groups: _joined(np.swapaxes(
                (_mixed(x, groups) - _column(m)) / np.sqrt(_column(v) + EPS), 1, 2))),
)  # fmt: skip
DELTA_MEAN = (
    Mistake("v along n", "v meets the columns within a group in place of the groups: take v[:, None]",
            lambda d, v: (-_parts(d, len(v)) / np.sqrt(v + EPS)).sum(axis=(0, 2))),
    Mistake("v of group 0", "v[0] is taken for all columns: group g has its own, v[g]",
            lambda d, v: (-_parts(d, len(v)) / np.sqrt(v[0] + EPS)).sum(axis=(0, 2))),
    Mistake("multiplied", "it is multiplied by sqrt(v + EPS): divide by it",
            lambda d, v: (-_parts(d, len(v)) * np.sqrt(_column(v) + EPS)).sum(axis=(0, 2))),
    Mistake("not divided", "it is the sum of -d alone: each is divided by sqrt(v + EPS)",
            lambda d, v: -_parts(d, len(v)).sum(axis=(0, 2))),
    Mistake("sign", "the sign is wrong: y falls where m rises, so dL/dm has a minus",
            lambda d, v: -delta_mean(d, v)),
    Mistake("1/N", "it is a mean where a sum is wanted: dL/dm has no 1/N (that comes in delta_batch_norm)",
            lambda d, v: delta_mean(d, v) / (d.size / len(v))),
    Mistake("no root", "it divides by the variance: divide by its square root, sqrt(v + EPS)",
            lambda d, v: (-_parts(d, len(v)) / (_column(v) + EPS)).sum(axis=(0, 2))),
    Mistake("no epsilon", "epsilon is missing: sqrt(v + EPS)",
            lambda d, v: (-_parts(d, len(v)) / np.sqrt(_column(v))).sum(axis=(0, 2))),
    Mistake("epsilon outside the root", "epsilon stands outside the root: sqrt(v + EPS), and not sqrt(v) + "
                                        "EPS",
            lambda d, v: (-_parts(d, len(v)) / (np.sqrt(_column(v)) + EPS)).sum(axis=(0, 2))),
    Mistake("groups ignored", "the groups are taken wrongly: group g has the columns g * n to (g + 1) * n, "
                              "side by side",
            lambda d, v: (-_mixed(d, len(v)) / np.sqrt(_column(v) + EPS)).sum(axis=(0, 2))),
)  # fmt: skip
DELTA_VARIANCE = (
    Mistake("no 1/2", "the factor 1/2 is missing: the derivative of u^(-1/2) is -1/2 u^(-3/2)",
            lambda d, x, m, v: 2 * delta_variance(d, x, m, v)),
    Mistake("sign", "the sign is wrong: the derivative of u^(-1/2) is -1/2 u^(-3/2), with a minus",
            lambda d, x, m, v: -delta_variance(d, x, m, v)),
    Mistake("power", "the power is wrong: the derivative of u^(-1/2) is -1/2 u^(-3/2), not with u^(-1/2)",
            lambda d, x, m, v: _slopes(d, x, m, v, -0.5).sum(axis=(0, 2))),
    Mistake("power -1", "the power is -1, not -3/2: is -3 / 2 a division of whole numbers? Write -1.5",
            lambda d, x, m, v: _slopes(d, x, m, v, -1.0).sum(axis=(0, 2))),
    Mistake("power -2", "the power is -2, not -3/2: // divides whole numbers, write -1.5",
            lambda d, x, m, v: _slopes(d, x, m, v, -2.0).sum(axis=(0, 2))),
    Mistake("power up", "the power has the wrong sign: divide by (v + EPS)^(3/2), it is no factor",
            lambda d, x, m, v: _slopes(d, x, m, v, 1.5).sum(axis=(0, 2))),
    Mistake("1/N", "it is a mean where a sum is wanted: dL/dv has no 1/N (that comes in delta_batch_norm)",
            lambda d, x, m, v: delta_variance(d, x, m, v) / (d.size / len(v))),
    Mistake("mean not subtracted", "x stands where (x - m) is wanted",
            lambda d, x, m, v: delta_variance(d, x, np.zeros_like(m), v)),
    Mistake("no epsilon", "epsilon is missing: (v + EPS)^(-3/2)",
            lambda d, x, m, v: delta_variance(d, x, m, v - EPS)),
    Mistake("without d", "the gradient d is not in it: each term is multiplied by its d",
            lambda d, x, m, v: delta_variance(np.ones_like(d), x, m, v)),
)  # fmt: skip
DELTA_BATCH_NORM = (
    Mistake("dm not over N", "dm is not divided by N = rows * n: each x has a share of 1/N in the mean",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dm=x.size / len(m))),
    Mistake("dv not over N", "the term of dv is not divided by N = rows * n: dv/dx = 2 (x - m) / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dv=2 * x.size / len(m))),
    Mistake("neither over N", "the terms of dm and dv are not divided by N = rows * n",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, count=1)),
    Mistake("over rows", "it divides by the rows alone: N = rows * n",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, count=len(x))),
    Mistake("no 2", "the factor 2 of the square is missing: dv/dx = 2 (x - m) / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dv=1.0)),
    Mistake("direct alone", "the terms of dm and dv are missing: x moves the mean and the variance, too",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dm=0.0, of_dv=0.0)),
    Mistake("without dm", "the term of dm is missing: dm / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dm=0.0)),
    Mistake("without dv", "the term of dv is missing: dv * 2 (x - m) / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dv=0.0)),
    Mistake("no root", "d is divided by the variance: divide it by its square root, sqrt(v + EPS)",
            lambda d, dm, dv, m, v, x: _input_gradient(
                d / np.repeat(np.sqrt(v + EPS), x.shape[1] // len(m)), dm, dv, m, v, x)),
    Mistake("over all columns", "it divides by rows * columns: a group has N = rows * n numbers",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, count=x.size)),
    Mistake("dm's sign", "the term of dm has the wrong sign: it is added, + dm / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dm=-1.0)),
    Mistake("dv's sign", "the term of dv has the wrong sign: it is added, + dv * 2 (x - m) / N",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, of_dv=-2.0)),
    Mistake("d not divided", "d is not divided in the direct term: it is d / sqrt(v + EPS)",
            lambda d, dm, dv, m, v, x: _input_gradient(
                d * np.repeat(np.sqrt(v + EPS), x.shape[1] // len(m)), dm, dv, m, v, x)),
    Mistake("no epsilon", "epsilon is missing: sqrt(v + EPS)",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v - EPS, x)),
    Mistake("without the direct term", "the direct term d / sqrt(v + EPS) is missing",
            lambda d, dm, dv, m, v, x: _input_gradient(d, dm, dv, m, v, x, direct=0.0)),
)  # fmt: skip

X, D = array("x", "rows, groups * n"), array("d", "rows, groups * n")
M, V, DM, DV = (array(name, "groups") for name in ("m", "v", "dm", "dv"))


def _count(x, groups):
    return x.size // groups


def _draw(sizes, rng):
    rows, groups, n = sizes["rows"], sizes["groups"], sizes["n"]
    spreads = np.array([SPREADS[(g + rows + n) % len(SPREADS)] for g in range(groups)])
    x = rng.standard_normal((rows, groups, n)) * _column(spreads) + rng.normal(size=(groups, 1))
    x = _joined(x).astype(np.float32)
    d = rng.standard_normal(x.shape).astype(np.float32)
    m = _parts(x.astype(np.float64), groups).mean(axis=(0, 2)).astype(np.float32)
    wide = [each.astype(np.float64) for each in (x, d, m)]
    v = variance(wide[0], wide[2], groups).astype(np.float32)
    dm, dv = delta_mean(wide[1], v.astype(float)), delta_variance(wide[1], wide[0], wide[2], v.astype(float))
    return {"x": x, "d": d, "m": m, "v": v, "dm": dm, "dv": dv, "groups": groups}


@exercise("batch norm, forward and backward: variance, normalize and three gradients", order=5)
def batchnorm():
    return Exercise(
        name="batchnorm",
        named=("rows", "groups", "n"),
        sizes=(
            (2, 1, 1), (3, 1, 1), (1, 1, 3), (2, 2, 1), (2, 1, 2), (2, 2, 2), (2, 3, 4), (3, 2, 3), (5, 3, 2),
            (4, 2, 9), (7, 5, 3), (6, 4, 16), (16, 3, 25), (9, 8, 49), (32, 10, 64),
        ),
        large=(64, 4, 256),
        draw=_draw,
        given=GIVEN,
        tips=(
            "`x.reshape(rows, groups, n)` gives the groups an axis of their own; `.mean(axis=(0, 2))`\n"
            "  then takes the mean over the two others at once.",
            "`v[:, None]` puts an axis in, so that a number for each group meets all of its columns "
            "(broadcasting).",
        ),
        holes=(
            Hole("variance", (X, M, whole("groups")), (V,),
                 "v[g] = 1/N * sum of (x - m[g])^2 over the group's N = rows * n numbers: the biased "
                 "variance.",
                 variance, lambda x, m, groups: _count(x, groups), VARIANCE),
            Hole("normalize", (X, M, V, whole("groups")), (array("y", "rows, groups * n"),),
                 "y = (x - m[g]) / sqrt(v[g] + EPS), g being the group of x's column.",
                 normalize, lambda x, m, v, groups: 1, NORMALIZE),
            Hole("delta_mean", (D, V), (DM,),
                 "dm[g] = sum of -d / sqrt(v[g] + EPS) over the group: dL/dm, where d is dL/dy.",
                 delta_mean, lambda d, v: _count(d, len(v)), DELTA_MEAN,
                 lambda d, v: (lambda at: float((d * normalize(0 * d, at, v, len(v))).sum()), 0 * v),
                 lambda d, v: np.sqrt((_parts(d, len(v)) ** 2 / (_column(v) + EPS)).sum(axis=(0, 2)))),
            Hole("delta_variance", (D, X, M, V), (DV,),
                 "dv[g] = sum of d * (x - m[g]) * -1/2 * (v[g] + EPS)^(-3/2) over the group: dL/dv.",
                 delta_variance, lambda d, x, m, v: _count(d, len(v)), DELTA_VARIANCE,
                 lambda d, x, m, v: (lambda at: float((d * normalize(x, m, at, len(m))).sum()), v),
                 lambda d, x, m, v: np.sqrt((_slopes(d, x, m, v) ** 2).sum(axis=(0, 2)))),
            Hole("delta_batch_norm", (D, DM, DV, M, V, X), (array("dx", "rows, groups * n"),),
                 "dx = d / sqrt(v[g] + EPS) + dv[g] * 2 (x - m[g]) / N + dm[g] / N, with N = rows * n: "
                 "dL/dx, with m and v moving with x.",
                 delta_batch_norm, lambda d, dm, dv, m, v, x: 3, DELTA_BATCH_NORM,
                 lambda d, dm, dv, m, v, x: (lambda at: _through(at, d, len(m)), x),
                 lambda d, dm, dv, m, v, x: _input_gradient(
                     np.abs(d), np.abs(dm), np.abs(dv), m, v, m.repeat(x.shape[1] // len(m)) + np.abs(
                         x - m.repeat(x.shape[1] // len(m))))),
        ),
    )  # fmt: skip
