"""Gradient descent with momentum and weight decay."""

from ..exercise import Exercise, Hole, Mistake, array, number
from ..registry import exercise


def velocity(w, dw, v, momentum, decay):
    return momentum * v + dw + decay * w


def step(w, v, rate):
    return w - rate * v


VELOCITY = (
    Mistake("no decay", "the weight decay is missing: decay * w is added to the gradient",
            lambda w, dw, v, momentum, decay: momentum * v + dw),
    Mistake("decay's sign", "the sign of the decay is wrong: decay * w is added, so that the step makes w "
                            "smaller",
            lambda w, dw, v, momentum, decay: momentum * v + dw - decay * w),
    Mistake("no momentum", "the old velocity is missing: momentum * v", lambda w, dw, v, momentum,
        decay: dw + decay * w),
    Mistake("momentum forgotten", "the old velocity is kept whole: multiply it by the momentum",
            lambda w, dw, v, momentum, decay: v + dw + decay * w),
    Mistake("momentum at the gradient", "the momentum is at the gradient: it multiplies the old velocity",
            lambda w, dw, v, momentum, decay: v + momentum * (dw + decay * w)),
    Mistake("dampened", "the gradient is multiplied by 1 - momentum: here it counts whole",
            lambda w, dw, v, momentum, decay: momentum * v + (1 - momentum) * (dw + decay * w)),
    Mistake("sign", "the sign of the gradient is wrong: step subtracts, velocity adds",
            lambda w, dw, v, momentum, decay: momentum * v - dw - decay * w),
    Mistake("decay of the gradient", "the decay multiplies the gradient: it multiplies the weights, decay * "
                                     "w",
            lambda w, dw, v, momentum, decay: momentum * v + dw + decay * dw),
    Mistake("decay with momentum", "the decay is multiplied by the momentum: momentum * v + dw + decay * w",
            lambda w, dw, v, momentum, decay: momentum * (v + decay * w) + dw),
)  # fmt: skip
STEP = (
    Mistake("uphill", "the sign is wrong: the step goes against the gradient, w - rate * v",
            lambda w, v, rate: w + rate * v),
    Mistake("no rate", "the learning rate is missing: w - rate * v", lambda w, v, rate: w - v),
    Mistake("step alone", "it is the step alone: wanted the new weights, w - rate * v", lambda w, v,
        rate: rate * v),
    Mistake("step alone", "it is the step alone: wanted the new weights, w - rate * v", lambda w, v,
        rate: -rate * v),
    Mistake("rate at w", "the rate multiplies w, too: w - rate * v", lambda w, v, rate: rate * (w - v)),
)  # fmt: skip


def _draw(sizes, rng):
    given = {name: rng.standard_normal(sizes["n"]) for name in ("w", "dw", "v")}
    return given | {"rate": 0.125, "momentum": 0.75, "decay": 0.0625}


W, DW, V = (array(name, "n") for name in ("w", "dw", "v"))


@exercise("gradient descent with momentum and weight decay", order=7)
def sgd():
    return Exercise(
        name="sgd",
        named=("n",),
        sizes=((1,), (2,), (3,), (5,), (8,), (17,), (64,), (301,)),
        large=(4096,),
        draw=_draw,
        holes=(
            Hole("velocity", (W, DW, V, number("momentum"), number("decay")), (array("new_v", "n"),),
                 "new_v = momentum * v + dw + decay * w.",
                 velocity, lambda w, dw, v, momentum, decay: 3, VELOCITY),
            Hole("step", (W, V, number("rate")), (array("new_w", "n"),), "new_w = w - rate * v.",
                 step, lambda w, v, rate: 2, STEP),
        ),
    )  # fmt: skip
