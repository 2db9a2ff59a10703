"""Gradient descent, as a student may write it in NumPy."""


def velocity(w, dw, v, momentum, decay):
    return momentum * v + dw + decay * w


def step(w, v, rate):
    return w - rate * v
