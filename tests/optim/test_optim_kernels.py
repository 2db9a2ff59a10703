"""Optimiser steps against their twins."""

import numpy as np
import pytest
import reference

from cynet.kernels.optim import optim

pytestmark = pytest.mark.kernels

SIZES = [1, 15, 16, 33, 16385, 70_001]


def draws(size, count):
    rng = np.random.default_rng(size)
    return [a.astype(np.float32) for a in rng.standard_normal((count, size))]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_sgd(size, momentum, nesterov, weight_decay):
    p, g, v = draws(size, 3)
    if not momentum:
        v[:], nesterov = 0, False
    g.flags.writeable = False
    wanted = reference.sgd(*(a.astype(np.float64) for a in (p, g, v)), 0.1, momentum, weight_decay, nesterov)
    if momentum:
        optim.sgd_momentum(p, g, v, 0.1, momentum, weight_decay, nesterov, 2)
        np.testing.assert_allclose(v, wanted[1], rtol=1e-5, atol=1e-6)
    else:
        optim.sgd(p, g, 0.1, weight_decay, 2)
    np.testing.assert_allclose(p, wanted[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("t", [1, 2, 1000])
def test_adam(size, decoupled, t):
    p, g, m, v = draws(size, 4)
    np.abs(v, out=v)
    g.flags.writeable = False
    settings = 0.01, (0.9, 0.999), 1e-8, 0.1
    wanted = reference.adam(*(a.astype(np.float64) for a in (p, g, m, v)), *settings, decoupled, t)
    optim.adam(p, g, m, v, 0.01, 0.9, 0.999, 1e-8, 0.1, decoupled, t, 2)
    for got, want in zip((p, m, v), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("t", [1, 2, 10, 100_000])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("size", [1e3, 1, 1e-4, 1e-8, 1e-12, 0])  # of the gradients: eps counts from 1e-8 on
def test_the_way_of_an_adam_step_for_gradients_of_every_size(size, decoupled, t):
    g, m, v = draws(40, 3)
    p = np.zeros(40, np.float32)  # so that what is left is the way alone
    g, m, v = (np.float32(size) * a for a in (g, m, np.float32(size) * np.abs(v)))
    for eps in (1e-8, 1e-3, 1.0):
        for decay in (0.0, 0.3):
            for betas in ((0.9, 0.999), (0.0, 0.5)):
                got = [a.copy() for a in (p, g, m, v)]
                got[0][::3] = 1
                wide = [a.astype(np.float64) for a in got]
                wanted = reference.adam(*wide, 0.01, betas, eps, decay, decoupled, t)
                optim.adam(*got, 0.01, *betas, eps, decay, decoupled, t, 1)
                for one, other in zip((got[0], *got[2:]), wanted, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-35)


@pytest.mark.parametrize("kernel", ["sgd", "momentum", "nesterov", "adam"])
def test_same_bytes_for_any_threads(kernel):
    results = set()
    for threads in (1, 2, 3, 4):
        p, g, m, v = draws(100_003, 4)
        np.abs(v, out=v)
        if kernel == "sgd":
            optim.sgd(p, g, 0.1, 0.01, threads)
        elif kernel == "adam":
            optim.adam(p, g, m, v, 0.1, 0.9, 0.999, 1e-8, 0.01, True, 3, threads)
        else:
            optim.sgd_momentum(p, g, v, 0.1, 0.9, 0.01, kernel == "nesterov", threads)
        results.add((p.tobytes(), m.tobytes(), v.tobytes()))
    assert len(results) == 1


def test_nan_gradient_comes_through():
    p, g, v = (np.ones(20, np.float32) for _ in range(3))
    g[17] = np.nan
    optim.sgd_momentum(p, g, v, 0.1, 0.9, 0, False, 1)
    assert np.flatnonzero(np.isnan(p)).tolist() == [17]


def test_empty_parameter():
    nothing = np.empty(0, np.float32)
    optim.sgd(nothing, nothing, 0.1, 0, 2)
    optim.sgd_momentum(nothing, nothing, nothing, 0.1, 0.9, 0, True, 2)
    optim.adam(nothing, nothing, nothing, nothing, 0.1, 0.9, 0.999, 1e-8, 0, False, 1, 2)


@pytest.mark.parametrize("kernel", ["sgd", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_table_steps_each_array_as_alone(kernel, threads):
    sizes = [0, 1, 15, 4096, 4097, 40_003, 7]
    rows = [draws(size, 4) for size in sizes]
    for _, _, _, v in rows:
        np.abs(v, out=v)
    copies = [[a.copy() for a in row] for row in rows]
    used = {"sgd": 2, "adam": 4}.get(kernel, 3)
    table = optim.ParameterTable([tuple(row[:used]) for row in rows])
    if kernel == "adam":
        table.adam(0.1, 0.9, 0.999, 1e-8, 0.01, True, 3, threads)
    else:
        table.sgd(0.1, 0 if kernel == "sgd" else 0.9, 0.01, kernel == "nesterov", threads)
    for row, (p, g, m, v) in zip(rows, copies, strict=True):
        if kernel == "sgd":
            optim.sgd(p, g, 0.1, 0.01, 1)
        elif kernel == "adam":
            optim.adam(p, g, m, v, 0.1, 0.9, 0.999, 1e-8, 0.01, True, 3, 1)
        else:
            optim.sgd_momentum(p, g, m, 0.1, 0.9, 0.01, kernel == "nesterov", 1)
        for got, want in zip(row, (p, g, m, v), strict=True):
            np.testing.assert_array_equal(got, want)
    table.zero_grad()
    assert not any(row[1].any() for row in rows)


def test_a_table_of_arrays_that_do_not_fit():
    a = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="rows: wanted"):
        optim.ParameterTable([(a, a[:2])])
    with pytest.raises(ValueError):
        optim.ParameterTable([(a, a.astype(np.float64))])
