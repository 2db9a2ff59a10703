"""A gated recurrent unit, in PyTorch's formulas and layouts: a step, its gradient, and through time."""

import numpy as np

from ..exercise import Exercise, Hole, Mistake, array
from ..registry import exercise
from .activations import logistic

ORDER = "the gates are taken in the wrong order: the rows of the weights are those of r, then z, then n"


def _products(x, h, w_ih, w_hh, b_ih, b_hh):
    """Those of the input and of the state for r, z, n."""
    return np.split(x @ w_ih.T + b_ih, 3, 1), np.split(h @ w_hh.T + b_hh, 3, 1)


def step(x, h, w_ih, w_hh, b_ih, b_hh):
    (xr, xz, xn), (hr, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = logistic(xr + hr), logistic(xz + hz)
    return (1 - z) * np.tanh(xn + r * hn) + z * h


def _ordered(x, h, w_ih, w_hh, b_ih, b_hh, order):
    """`step` that takes the rows of the weights for other gates."""
    mixed = [np.concatenate([np.split(each, 3)[i] for i in order]) for each in (w_ih, w_hh, b_ih, b_hh)]
    return step(x, h, *mixed)


def _exchanged(x, h, w_ih, w_hh, b_ih, b_hh):
    (xr, xz, xn), (hr, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = logistic(xr + hr), logistic(xz + hz)
    return z * np.tanh(xn + r * hn) + (1 - z) * h


def _reset_before(x, h, w_ih, w_hh, b_ih, b_hh):
    (xr, xz, xn), (hr, hz, _) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = logistic(xr + hr), logistic(xz + hz)
    hn = (r * h) @ np.split(w_hh, 3)[2].T + np.split(b_hh, 3)[2]
    return (1 - z) * np.tanh(xn + hn) + z * h


def _bias_outside(x, h, w_ih, w_hh, b_ih, b_hh):
    (xr, xz, xn), (hr, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z, bias = logistic(xr + hr), logistic(xz + hz), np.split(b_hh, 3)[2]
    return (1 - z) * np.tanh(xn + r * (hn - bias) + bias) + z * h


def _no_reset(x, h, w_ih, w_hh, b_ih, b_hh):
    (_, xz, xn), (_, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    z = logistic(xz + hz)
    return (1 - z) * np.tanh(xn + hn) + z * h


def _logistic_n(x, h, w_ih, w_hh, b_ih, b_hh):
    (xr, xz, xn), (hr, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = logistic(xr + hr), logistic(xz + hz)
    return (1 - z) * logistic(xn + r * hn) + z * h


def step_gradient(d, x, h, w_ih, w_hh, b_ih, b_hh, direct=1.0, of_z=1.0, of_r=1.0, reset=True, slope=True):
    """(dx, dh); the factors leave out, or turn, ways that the gradient takes."""
    (xr, xz, xn), (hr, hz, hn) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    r, z = logistic(xr + hr), logistic(xz + hz)
    n = np.tanh(xn + r * hn)
    da_n = d * (1 - z) * ((1 - n * n) if slope else 1)
    da_z = of_z * d * (h - n) * z * (1 - z)
    da_r = of_r * da_n * hn * r * (1 - r)
    of_x = np.concatenate([da_r, da_z, da_n], 1)
    of_h = np.concatenate([da_r, da_z, da_n * r if reset else da_n], 1)
    return of_x @ w_ih, of_h @ w_hh + direct * d * z


def through_time(xs, h, w_ih, w_hh, b_ih, b_hh, keep=True, ways=step):
    hs, state = [], h
    for x in xs:
        hs.append(ways(x, state, w_ih, w_hh, b_ih, b_hh))
        state = hs[-1] if keep else h
    return np.array(hs)


STEP = (
    Mistake("z exchanged", "z and 1 - z are exchanged: h' = (1 - z) * n + z * h, so z = 1 keeps the state",
        _exchanged),
    Mistake("order z r n", ORDER, lambda **given: _ordered(**given, order=(1, 0, 2))),
    Mistake("order n z r", ORDER, lambda **given: _ordered(**given, order=(2, 1, 0))),
    Mistake("reset before the product", "r multiplies h before the product: here r multiplies W_hn h + b_hn, "
                                        "after it",
            _reset_before),
    Mistake("bias outside", "b_hn stands outside: r multiplies W_hn h + b_hn together", _bias_outside),
    Mistake("no reset", "the reset gate r is not in it: n = tanh(W_in x + b_in + r * (W_hn h + b_hn))",
        _no_reset),
    Mistake("logistic for n", "n is made by the logistic: it is a tanh", _logistic_n),
    Mistake("no b_hh", "the bias b_hh is missing", lambda b_hh, **given: step(**given, b_hh=0 * b_hh)),
    Mistake("no b_ih", "the bias b_ih is missing", lambda b_ih, **given: step(**given, b_ih=0 * b_ih)),
    Mistake("new state alone", "z * h is missing: h' = (1 - z) * n + z * h",
            lambda **given: step(**given) - _kept(**given)),
)  # fmt: skip
STEP_GRADIENT = (
    Mistake("no direct way", "the direct way is missing in dh: h' has z * h in it, so d * z is added",
            lambda **given: step_gradient(**given, direct=0.0)),
    Mistake("z's sign", "the sign at z is wrong: h' = (1 - z) * n + z * h, so dL/dz = d * (h - n)",
            lambda **given: step_gradient(**given, of_z=-1.0)),
    Mistake("no way through z", "the way through z is missing: dL/dz = d * (h - n)",
            lambda **given: step_gradient(**given, of_z=0.0)),
    Mistake("no way through r", "the way through r is missing: dL/dr = dn * (W_hn h + b_hn)",
            lambda **given: step_gradient(**given, of_r=0.0)),
    Mistake("r not in dh", "r is missing in dh: W_hn h + b_hn is multiplied by r, and so is what comes back "
                           "to h",
            lambda **given: step_gradient(**given, reset=False)),
    Mistake("no slope of tanh", "the slope of tanh is missing: 1 - n * n",
            lambda **given: step_gradient(**given, slope=False)),
)  # fmt: skip
THROUGH_TIME = (
    Mistake("h not carried", "every step begins with the first h: each begins with the h of the one before",
            lambda **given: through_time(**given, keep=False)),
    Mistake("backwards", "it goes through the steps backwards",
            lambda xs, **given: through_time(xs[::-1], **given)[::-1]),
    Mistake("backwards", "it goes through the steps backwards",
            lambda xs, **given: through_time(xs[::-1], **given)),
    Mistake("late by one", "the states are those before the steps: hs[t] is the one after step t",
            lambda h, **given: np.concatenate([h[None], through_time(h=h, **given)[:-1]])),
    Mistake("last one", "it is the last state everywhere: hs[t] is the one after step t",
            lambda **given: through_time(**given) * 0 + through_time(**given)[-1:]),
    Mistake("first input", "every step has the first input: step t has xs[t]",
            lambda xs, **given: through_time(np.repeat(xs[:1], len(xs), 0), **given)),
)  # fmt: skip


def _kept(x, h, w_ih, w_hh, b_ih, b_hh):
    (_, xz, _), (_, hz, _) = _products(x, h, w_ih, w_hh, b_ih, b_hh)
    return logistic(xz + hz) * h


def _draw(sizes, rng):
    steps, batch, inputs, hidden = (sizes[name] for name in ("steps", "batch", "inputs", "hidden"))
    given = {"xs": (steps, batch, inputs), "x": (batch, inputs), "h": (batch, hidden), "d": (batch, hidden),
             "w_ih": (3 * hidden, inputs), "w_hh": (3 * hidden, hidden), "b_ih": (3 * hidden,),
             "b_hh": (3 * hidden,)}  # fmt: skip
    return {name: rng.standard_normal(shape) for name, shape in given.items()}


X, H, D = array("x", "batch, inputs"), array("h", "batch, hidden"), array("d", "batch, hidden")
WEIGHTS = (
    array("w_ih", "3 * hidden, inputs"), array("w_hh", "3 * hidden, hidden"),
    array("b_ih", "3 * hidden"), array("b_hh", "3 * hidden"),
)  # fmt: skip


@exercise("a gated recurrent unit: one step, its gradient, and through time", order=8)
def gru():
    return Exercise(
        name="gru",
        named=("steps", "batch", "inputs", "hidden"),
        sizes=(
            (2, 1, 1, 1), (2, 2, 1, 1), (2, 1, 2, 1), (2, 1, 1, 2), (3, 2, 2, 2), (3, 2, 3, 2), (4, 3, 2, 5),
            (3, 5, 7, 4), (6, 4, 3, 8), (5, 8, 16, 12),
        ),
        large=(4, 64, 16, 16),
        draw=_draw,
        holes=(
            Hole("step", (X, H, *WEIGHTS), (array("new_h", "batch, hidden"),),
                 "r = logistic(W_ir x + b_ir + W_hr h + b_hr), z = logistic(W_iz x + b_iz + W_hz h + "
                 "b_hz), n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), new_h = (1 - z) * n + z * h. The "
                 "rows of w_ih, w_hh, b_ih and b_hh are those of r, then of z, then of n: W_ir = "
                 "w_ih[:hidden].",
                 step, lambda x, w_ih, w_hh, **given: w_ih.shape[1] + w_hh.shape[1] + 4, STEP),
            Hole("step_gradient", (D, X, H, *WEIGHTS), (array("dx", "batch, inputs"), array("dh", "batch, "
                                                                                                  "hidden")),
                 "The gradients of step to x and to h, where d is dL/d new_h. With da_n = d * (1 - z) * (1 "
                 "- n * n), da_z = d * (h - n) * z * (1 - z), da_r = da_n * (W_hn h + b_hn) * r * (1 - r): "
                 "dx = da_r W_ir + da_z W_iz + da_n W_in, dh = da_r W_hr + da_z W_hz + (da_n * r) W_hn + d "
                 "* z.",
                 step_gradient, lambda d, x, h, w_ih, w_hh, **given: 4 * len(w_ih) * w_ih.shape[1],
                     STEP_GRADIENT,
                 lambda d, x, **given: (lambda at: float((d * step(at, **given)).sum()), x)),
            Hole("through_time", (array("xs", "steps, batch, inputs"), H, *WEIGHTS),
                 (array("hs", "steps, batch, hidden"),),
                 "hs[0] = step(xs[0], h), hs[t] = step(xs[t], hs[t - 1]): the state after each step.",
                 through_time, lambda xs, w_ih, w_hh,
                     **given: len(xs) ** 2 * (w_ih.shape[1] + w_hh.shape[1] + 4),
                 THROUGH_TIME),
        ),
    )  # fmt: skip
