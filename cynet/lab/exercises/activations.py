"""Three activations and their gradients: logistic, ReLU, leaky ReLU."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array
from ..registry import exercise

SLOPE = 0.01
GIVEN = {
    "python": "SLOPE = 0.01  # of the leaky ReLU, where x is negative\n",
    "cython": "cdef float SLOPE = 0.01  # of the leaky ReLU, where x is negative\n",
}


def logistic(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def logistic_gradient(y, d):
    return d * y * (1 - y)


def relu(x):
    return np.maximum(x, 0)


def relu_gradient(x, d):
    return np.where(x > 0, d, 0)


def leaky_relu(x, slope=SLOPE):
    return np.where(x > 0, x, slope * x)


def leaky_relu_gradient(x, d, slope=SLOPE):
    return np.where(x > 0, d, slope * d)


OF_D = "it looks where d is positive: the slope is decided by x"
LOGISTIC = (
    Mistake("sign", "the sign in the exponential is wrong: 1 / (1 + exp(-x))", lambda x: logistic(-x)),
    Mistake("tanh", "it is the hyperbolic tangent: wanted 1 / (1 + exp(-x)), between 0 and 1",
        lambda x: np.tanh(x)),
    Mistake("overflow", "exp(x) / (1 + exp(x)) is inf / inf where x is large: 1 / (1 + exp(-x)) is not",
            lambda x: np.where(x > 88, np.nan, logistic(x))),
    Mistake("exponential", "it is the exponential alone: wanted 1 / (1 + exp(-x))",
            lambda x: np.where(x > 88, np.inf, np.exp(x))),
)  # fmt: skip
LOGISTIC_GRADIENT = (
    Mistake("of x", "y is taken for x: y is the logistic's output already, the slope is y * (1 - y)",
            lambda y, d: logistic_gradient(logistic(y), d)),
    Mistake("no d", "the gradient d is not in it: the chain rule multiplies the slope by d",
            lambda y, d: y * (1 - y)),
    Mistake("no 1 - y", "the factor (1 - y) is missing: the slope is y * (1 - y)", lambda y, d: d * y),
    Mistake("of tanh", "1 - y * y is the slope of tanh: that of the logistic is y * (1 - y)",
            lambda y, d: d * (1 - y * y)),
)  # fmt: skip
RELU = (
    Mistake("absolute", "it is the absolute value: wanted 0 where x is negative", lambda x: np.abs(x)),
    Mistake("negative part", "it keeps the negative part: wanted the positive one, max(x, 0)",
            lambda x: np.minimum(x, 0)),
    Mistake("leaky", "it is the leaky ReLU: wanted 0 where x is negative", leaky_relu),
    Mistake("step", "it is 1 where x is positive: wanted x there", lambda x: np.where(x > 0, 1.0, 0.0)),
)  # fmt: skip
RELU_GRADIENT = (
    Mistake("of d", OF_D, lambda x, d: np.maximum(d, 0)),
    Mistake("no mask", "d passes everywhere: where x is negative the output does not move, so 0 there",
            lambda x, d: d),
    Mistake("no d", "the gradient d is not in it: the chain rule multiplies the slope by d",
            lambda x, d: np.where(x > 0, 1.0, 0.0)),
    Mistake("at zero", "at x = 0 the slope is 0 by the exercise: compare with >, not >=",
            lambda x, d: np.where(x >= 0, d, 0)),
    Mistake("times x", "d is multiplied by x: the slope is 1 or 0", lambda x, d: np.maximum(x, 0) * d),
)  # fmt: skip
LEAKY_RELU = (
    Mistake("slope", "the slope of the negative side is 0.01, not 0.1", lambda x: leaky_relu(x, 0.1)),
    Mistake("no slope", "the negative side is 0: wanted SLOPE * x there", relu),
    Mistake("slope alone", "the negative side is SLOPE: wanted SLOPE * x there", lambda x: np.where(x > 0, x,
        SLOPE)),
    Mistake("exchanged", "the sides are exchanged: SLOPE * x where x is negative",
            lambda x: np.where(x > 0, SLOPE * x, x)),
)  # fmt: skip
LEAKY_RELU_GRADIENT = (
    Mistake("of d", OF_D, lambda x, d: leaky_relu(d)),
    Mistake("no slope", "on the negative side it is 0: wanted SLOPE * d there", relu_gradient),
    Mistake("slope alone", "on the negative side it is SLOPE: wanted SLOPE * d there",
            lambda x, d: np.where(x > 0, d, SLOPE)),
    Mistake("no d", "the gradient d is not in it: the chain rule multiplies the slope by d",
            lambda x, d: np.where(x > 0, 1.0, SLOPE)),
    Mistake("at zero", "at x = 0 the slope is SLOPE by the exercise: compare with >, not >=",
            lambda x, d: np.where(x >= 0, d, SLOPE * d)),
)  # fmt: skip


def _draw(sizes, rng):
    x = 2 * rng.standard_normal(sizes["n"])
    x[1::7], x[2::7], x[4::7] = 0, 120, -120
    return {"x": x, "d": rng.standard_normal(sizes["n"]), "y": logistic(x.astype(np.float32).astype(float))}


X, Y, D, DX = (array(name, "n") for name in ("x", "y", "d", "dx"))


@exercise("logistic, ReLU, leaky ReLU and their gradients", order=4)
def activations():
    def hole(name, takes, gives, text, twin, mistakes, of=None):
        slope = None
        if of is not None:
            slope = lambda d, **given: (lambda at: float((d * of(at)).sum()), _inputs(**given))  # noqa: E731
        return Hole(name, takes, gives, text, twin, lambda **given: 1, mistakes, slope)

    return Exercise(
        name="activations",
        named=("n",),
        sizes=((1,), (2,), (3,), (5,), (8,), (13,), (29,), (64,), (301,)),
        large=(4096,),
        draw=_draw,
        given=GIVEN,
        holes=(
            hole("logistic", (X,), (Y,), "y = 1 / (1 + exp(-x)), also where x is 120 or -120.", logistic,
                LOGISTIC),
            hole("logistic_gradient", (Y, D), (DX,), "dx = d * y * (1 - y), where y is the logistic's "
                                                     "output.",
                 logistic_gradient, LOGISTIC_GRADIENT, logistic),
            hole("relu", (X,), (Y,), "y = x where x > 0, else 0.", relu, RELU),
            hole("relu_gradient", (X, D), (DX,), "dx = d where x > 0, else 0.", relu_gradient, RELU_GRADIENT),
            hole("leaky_relu", (X,), (Y,), "y = x where x > 0, else SLOPE * x.", leaky_relu, LEAKY_RELU),
            hole("leaky_relu_gradient", (X, D), (DX,), "dx = d where x > 0, else SLOPE * d.",
                 leaky_relu_gradient, LEAKY_RELU_GRADIENT),
        ),
    )  # fmt: skip


def _inputs(y):
    """The input at which the logistic gives y, kept from where it is flat to the last digit."""
    y = y.clip(1e-12, 1 - 1e-12)
    return np.log(y / (1 - y))
