"""Every attribute of the course's layers, set to odd values before a forward pass and between the two passes.

What cannot be is a TypeError or ValueError that says what was wanted; else a layer does what one built so
does, and backward gives the gradient of the pass that was made. One child process makes all the passes, so
that one which ends the process, or has no end, is a failure that tells the case.
"""

import copy
import faulthandler
import functools
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for the child

import damages
import helpers

import cynet
from cynet import uwnet

ODD = [
    *damages.ODD, 2, 3, 4, 5, 7, 12, 16, 50, 2**31 - 1, 10**9, (1,), (3, 3), (10**9,) * 2, object(),
    np.int64(2), np.bool_(True), np.zeros(4, np.float32), np.zeros((3, 3)), np.zeros((1, 3)), np.array([2]),
]  # fmt: skip
WINDOW = ("width", "height", "channels", "size", "stride")
CONVOLUTION = (*WINDOW[:3], "filters", *WINDOW[3:])
MATRICES = ("w", "b", "dw", "db", "rolling_mean", "rolling_variance", "x")
LAYERS = {  # how it is made, its settings, rows and columns of its input
    "connected": (uwnet.make_connected_layer, {"inputs": 48, "outputs": 4}, (2, 48)),
    "batch norm": (uwnet.make_batchnorm_layer, {"groups": 3}, (2, 48)),
    "batch norm of one row": (uwnet.make_batchnorm_layer, {"groups": 3}, (1, 48)),
    **{
        f"convolution {sizes}": (uwnet.make_convolutional_layer, dict(zip(CONVOLUTION, sizes, strict=True)),
                                 (2, sizes[0] * sizes[1] * sizes[2]))
        for sizes in [(4, 4, 3, 8, 3, 1), (8, 8, 8, 8, 3, 1), (5, 4, 2, 3, 2, 2)]
    },
    **{
        f"max-pool {sizes}": (uwnet.make_maxpool_layer, dict(zip(WINDOW, sizes, strict=True)), (2, 48))
        for sizes in [(4, 4, 3, 2, 2), (4, 4, 3, 3, 1)]
    },
    **{
        name: (uwnet.make_activation_layer, {"kind": kind}, (2, 48))
        for kind, name in enumerate(uwnet.layers.KINDS)
    },
}  # fmt: skip
IN_PLACE = [("shape", (-1, 1)), ("shape", -1), ("dtype", np.int32), ("dtype", ">f4"), ("dtype", np.float16)]


def new(kind, /, **others):
    cynet.seed(1)
    make, settings, _ = LAYERS[kind]
    return make(**renamed(make, {**settings, **others}))


def renamed(make, settings):
    """The settings under the names of the maker's arguments."""
    names = make.__code__.co_varnames[: make.__code__.co_argcount]
    return dict(zip(names, settings.values(), strict=True))


def batch(kind, seed=0):
    return _drawn(LAYERS[kind][2], seed).copy()


@functools.cache
def _drawn(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def gradient_of(y):
    return np.linspace(-1, 2, y.size, dtype=np.float32).reshape(y.shape)


def matrices(layer):
    return {name: vars(layer)[name] for name in MATRICES if name in vars(layer)}


def attributes(layer):
    public = [name for name in dir(layer) if name[0] != "_" and not callable(getattr(layer, name))]
    return [*public, *({"x"} & set(dir(type(layer))) - set(public))]


def ran(layer, x):
    """All numbers of a pass and a step, or the refusal."""
    try:
        y = layer.forward(x)
        dx = layer.backward(gradient_of(y))
        layer.update(0.1, 0.9, 0.01)
    except (TypeError, ValueError) as error:
        assert "wanted" in str(error), error
        return str(error)
    return [y, dx, *(values.copy() for values in matrices(layer).values())]


def same(found, wanted):
    if isinstance(found, str) or isinstance(wanted, str):
        return isinstance(found, str) and isinstance(wanted, str)
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def was_set(layer, name, value):
    """Set an attribute; False where that is refused by name."""
    try:
        setattr(layer, name, value)
    except (TypeError, ValueError) as error:
        assert name in str(error) and "wanted" in str(error), error
        return False
    return True


def used(kind):
    """A layer after a pass of another batch."""
    layer = new(kind)
    ran(layer, batch(kind, 7))
    return layer


def built(kind, name, value, like):
    """A new layer with this setting and the matrices of `like`, or the refusal."""
    try:
        layer = new(kind, **{name: value})
        for matrix, values in matrices(like).items():
            if matrix != "x":
                setattr(layer, matrix, values)
    except (TypeError, ValueError) as error:
        return str(error)
    return layer


@functools.cache
def usual(kind):
    """The numbers of a used layer of which nothing was set."""
    return ran(used(kind), batch(kind))


@functools.cache
def usual_gradients(kind):
    """(dy, dx, dw, db) of one pass of a new layer."""
    layer = new(kind)
    dy = gradient_of(layer.forward(batch(kind)))
    return dy, layer.backward(dy), getattr(layer, "dw", 0), getattr(layer, "db", 0)


def before(kind, name, value):
    """A pass after an attribute was set: as of a layer built so."""
    layer, x, wanted = used(kind), batch(kind), usual(kind)
    if was_set(layer, name, value):
        repr(layer)
        if name in LAYERS[kind][1]:
            twin = built(kind, name, value, layer)
            wanted = twin if isinstance(twin, str) else ran(twin, x)
        elif name in MATRICES:  # other numbers, of which `forms` asks
            ran(layer, x)
            return
    found = ran(layer, x)
    assert same(found, wanted) or (name not in LAYERS[kind][1] and isinstance(found, str))


def between(kind, name, value):
    """The backward pass after an attribute was set: that of the pass that was made."""
    layer, (dy, dx, dw, db) = new(kind), usual_gradients(kind)
    layer.forward(batch(kind))
    was_set(layer, name, value)
    repr(layer)
    assert np.array_equal(layer.backward(dy), dx)
    if name not in ("dw", "db"):
        assert np.array_equal(getattr(layer, "dw", 0), dw) and np.array_equal(getattr(layer, "db", 0), db)


def forms(kind, name, _):
    """A matrix assigned in any form is that matrix, before a pass; between the passes it changes nothing."""
    shape = getattr(new(kind), name).shape
    values = np.random.default_rng(3).random(shape, np.float32)
    plain, x = used(kind), batch(kind)
    setattr(plain, name, values)
    wanted = ran(plain, x)
    gaps = np.zeros((2 * shape[0], 2 * shape[1]), np.float32)[::2, ::2]
    gaps[:] = values
    for form in (values.astype(float), values.astype(">f4"), gaps, helpers.frozen(values), values.tolist()):
        layer = used(kind)
        assert was_set(layer, name, form) and same(ran(layer, x), wanted)
        between(kind, name, form)


def in_place(kind, name, change):
    """Shape or dtype of a matrix set in place: a refusal that names it, or the usual numbers."""
    what, value = change
    for when in ("before", "between"):
        layer, (dy, dx, *_) = new(kind), usual_gradients(kind)
        try:
            if when == "before":
                setattr(vars(layer)[name], what, value)
            layer.forward(batch(kind))
            if when == "between":
                setattr(vars(layer)[name], what, value)
            assert np.array_equal(layer.backward(dy), dx)
            layer.update(0.1, 0.9, 0)
        except ValueError as error:
            assert "wanted" in str(error), error
            assert f".{name}: " in str(error) or f".d{name}: " in str(error), error
        was_set(layer, name, getattr(new(kind), name))  # or refused by name


def cases():
    """(what to do, kind, attribute, value) of all passes."""
    for kind in LAYERS:
        layer = used(kind)
        for name in attributes(layer):
            yield from ((do, kind, name, value) for do in (before, between) for value in ODD)
        for name in matrices(new(kind)):
            yield forms, kind, name, None
            yield from ((in_place, kind, name, change) for change in IN_PLACE)


def walk():
    """Make all passes; tell each before it is made, and how many failed."""
    warnings.filterwarnings("ignore", "Setting the (shape|dtype) on a NumPy array", DeprecationWarning)
    failures = count = 0
    for do, kind, name, value in cases():
        count += 1
        told = f"{do.__name__} {kind} {name} {value!r:.60}"
        print(told, flush=True)
        faulthandler.dump_traceback_later(20 * helpers.SLOWER, exit=True)
        try:
            do(kind, name, copy.deepcopy(value))
        except Exception as error:  # whatever it is, the others are told too
            failures += 1
            print(f"FAILED {told}: {type(error).__name__}: {error}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(f"{count} cases, {failures} failed")


def test_every_attribute_before_a_pass_and_between_the_passes():
    done = helpers.run_python(__file__, OMP_NUM_THREADS="1")  # small passes, many
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    assert done.returncode == 0, (lines[-1:], done.stderr)
    assert failed == [] and int(lines[-1].split()[0]) > 10_000 and lines[-1].endswith(" 0 failed")


@pytest.mark.parametrize("name", ["w", "b", "dw", "db"])
def test_read_only_matrices_are_refused_by_name_where_they_are_written(name):
    layer, x = new("connected"), batch("connected")
    before = {each: values.copy() for each, values in matrices(layer).items()}
    vars(layer)[name].flags.writeable = False
    y, words = layer.forward(x), rf"\.{name}: wanted a writable float32 matrix .* read-only"
    with pytest.raises(ValueError, match=words):
        layer.update(1, 0, 1)
    if name[0] == "d":
        with pytest.raises(ValueError, match=words):
            layer.backward(y)
    assert all(np.array_equal(values, before[each]) for each, values in matrices(layer).items())


@pytest.mark.parametrize("name", ["rolling_mean", "rolling_variance"])
def test_read_only_statistics_are_refused_by_name_where_they_move(name):
    layer = uwnet.make_batchnorm_layer(3)
    vars(layer)[name].flags.writeable = False
    layer.forward(batch("batch norm of one row"))
    with pytest.raises(ValueError, match=rf"\.{name}: wanted a writable float32 matrix of 1 x 3"):
        layer.forward(batch("batch norm"))
    assert not layer.rolling_mean.any() and not layer.rolling_variance.any()


def test_the_last_input_of_batch_norm_is_shown_and_cannot_be_written():
    layer, x = new("batch norm"), batch("batch norm")
    layer.forward(x)
    with pytest.raises(ValueError, match="read-only"):
        layer.x[:] = 0
    layer.x = 0 * x
    dy, dx, *_ = usual_gradients("batch norm")
    assert np.array_equal(layer.backward(dy), dx)


if __name__ == "__main__":
    walk()
