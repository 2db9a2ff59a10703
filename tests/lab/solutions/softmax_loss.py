"""Soft-max and cross-entropy, as a student may write them in NumPy."""

import numpy as np


def softmax(x):
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def losses(x, labels):
    greatest = x.max(axis=1)
    total = np.exp(x - greatest[:, None]).sum(axis=1)
    return np.log(total) + greatest - x[np.arange(len(x)), labels]


def gradient(x, labels):
    p = softmax(x)
    p[np.arange(len(x)), labels] -= 1
    return p / len(x)
