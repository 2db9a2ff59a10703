"""What is timed beside a student's functions does the work of the twins: the same numbers, the whole or the
part that it says, and as many operations and bytes as are counted for it."""

import numpy as np
import pytest

from cynet.lab.contest import contest
from cynet.lab.registry import find

EPS, SLOPE = 1e-5, 0.01
SIZES = {  # of which the textbook's loops do a part; no two lengths that could be exchanged are equal
    "activations": (3000,), "batchnorm": (5, 3, 1024), "convolution": (2, 3, 4, 11, 8, 3, 2),
    "gru": (3, 2, 5, 12), "im2col": (2, 37, 6, 3, 2), "maxpool": (2, 3, 19, 6, 3, 2), "sgd": (5000,),
    "softmax-loss": (3, 2000),
}  # fmt: skip
ALL = [(name, number) for name in contest.names() for number in range(len(contest[name]()))]


def case_of(name):
    return find(name).case(SIZES[name])


def wanted(name, number):
    """What the twins of a contest's holes give, one array after another."""
    exercise, values = find(name), case_of(name).values
    found = []
    for hole in contest[name]()[number].holes:
        found += exercise.hole(hole).computed(exercise.hole(hole).twin, values)
    if name == "sgd":  # the step is one with the new velocity
        found[1] = exercise.hole("step").twin(values["w"], found[0], values["rate"])
    return found[2:] if (name, number) == ("batchnorm", 1) else found  # dm and dv lead to dx


def near(found, right):
    found, right = list(found), list(right)
    assert len(found) == len(right) > 0
    for one, other in zip(found, right, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5 * max(1, np.abs(other).max()))


def arrays(found):
    return [np.asarray(each) for each in (found if isinstance(found, (tuple, list)) else (found,))]


def first(x):
    return np.moveaxis(x, 3, 1)


def of_numpy(name, number, found):
    values, found = case_of(name).values, arrays(found)
    if (name, number) == ("convolution", 1):  # the second has the padding around it
        pad = (values["size"] - 1) // 2
        rows, columns = (slice(pad, pad + values[side]) for side in ("height", "width"))
        return found[0].reshape(values["w"].shape), found[1][:, :, rows, columns]
    return [one.reshape(right.shape) for one, right in zip(found, wanted(name, number), strict=True)]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_numpy_does_all_of_the_work(name, number):
    with np.errstate(all="ignore"):
        found = contest[name]()[number].numpy(case_of(name).values)()
    near(of_numpy(name, number, found), wanted(name, number))


def of_cynet(name, number, found):
    """In the student's layout, which has channels first."""
    values, found = case_of(name).values, arrays(found)
    if name == "batchnorm":
        rows, groups = len(values["x"]), values["groups"]
        matrix = found[-1].reshape(rows, -1, groups).swapaxes(1, 2).reshape(rows, -1)
        return [*found[:-1], matrix]
    if name == "convolution":
        return [first(found[0])] if number == 0 else [found[0], first(found[1])]
    if name == "im2col" and number == 0:
        _, out_h, out_w, cells = found[0].shape
        return [found[0].reshape(out_h * out_w, cells // 2, 2).transpose(2, 1, 0).reshape(2 * cells // 2, -1)]
    if name == "im2col":
        return [first(found[0])[0]]
    if name == "maxpool":
        return [first(found[0])]
    if name == "gru":
        return [found[0].swapaxes(0, 1)]
    return found


@pytest.mark.parametrize(("name", "number"), ALL)
def test_cynet_does_all_of_the_work(name, number):
    step = contest[name]()[number].cynet(case_of(name).values)
    found = step() if name != "gru" else step()[0]
    right = wanted(name, number)
    if (name, number) == ("maxpool", 0):  # its winners are those in the window
        right = right[:1]
    elif name == "sgd":  # w is to stay
        right[1] = case_of(name).values["w"]
    near(of_cynet(name, number, found), right)


def test_what_cynet_does_again_comes_to_the_same():
    """What it adds to is set to 0 before, and an optimiser's weights stay where they are."""
    image = contest["im2col"]()[1].cynet(case_of("im2col").values)
    before = image().copy()
    np.testing.assert_array_equal(image(), before)
    step, values = contest["sgd"]()[0].cynet(case_of("sgd").values), case_of("sgd").values
    for _ in range(3):
        _, w = step()
    np.testing.assert_allclose(w, values["w"], atol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "number"), ALL)
def test_pytorch_does_all_of_the_work(settled_torch, name, number):
    torch = pytest.importorskip("torch")
    values = case_of(name).values
    given = contest[name]()[number].torch(values, torch)()
    if name == "sgd":  # an optimiser, which gives nothing
        assert given is None
        return
    flat = [each for one in (given if isinstance(given, (tuple, list)) else (given,))
            for each in (one if isinstance(one, (tuple, list)) else (one,))]  # fmt: skip
    found = [each.detach().numpy() for each in flat]
    right = wanted(name, number)
    if name == "gru":
        found = found[:1]
    elif name == "softmax-loss" or (name, number) == ("batchnorm", 0):
        right = right[1:]
    elif (name, number) == ("convolution", 1):
        right = right[::-1]
    if name == "batchnorm":  # PyTorch's has moved the mean and the variance, too
        found = [found[0].reshape(right[0].shape)]
    elif name == "im2col":
        found = [found[0][0]]
    near(found, right)


def part_of(name, number):
    """(what the textbook's loop has to give, the part of all elements that this is), by hand and twins."""
    values = case_of(name).values
    twin = {hole.name: hole.twin for hole in find(name).holes}
    wide = {key: each.astype(float) if isinstance(each, np.ndarray) and each.dtype.kind == "f" else each
            for key, each in values.items()}  # fmt: skip
    x, d = wide.get("x"), wide.get("d")
    if name == "activations" and number == 0:
        return [twin[hole](x[:2048]) for hole in ("logistic", "relu", "leaky_relu")], 2048 / 3000
    if name == "activations":
        back = [twin["relu_gradient"], twin["leaky_relu_gradient"]]
        return [
            twin["logistic_gradient"](wide["y"][:2048], d[:2048]),
            *(each(x[:2048], d[:2048]) for each in back),
        ], 2048 / 3000
    if name == "batchnorm":  # four rows of the first group
        x, d, m, v = x[:4, :1024], d[:4, :1024], wide["m"][:1], wide["v"][:1]
        share = 4 * 1024 / (5 * 3 * 1024)
        if number == 0:
            return [twin["normalize"](x, m, ((x - m) ** 2).mean(keepdims=True)[0], 1)], share
        dm, dv = twin["delta_mean"](d, v), twin["delta_variance"](d, x, m, v)
        return [twin["delta_batch_norm"](d, dm, dv, m, v, x)], share
    if name == "convolution":  # four of six rows of one picture's first filter
        x, w, d = x[:1], wide["w"][:1], d[:1, :1].copy()
        share = 4 / (6 * 2 * 4)
        if number == 0:
            return [twin["forward"](x, w, np.zeros(1), 2)[0, 0, :4]], share
        d[:, :, 4:] = 0
        return [twin["weight_gradient"](x, d, 3, 2)[0], twin["input_gradient"](d, w, 11, 8, 2)[0]], share
    if name == "gru":  # eight of twelve units of one row of one step
        given = [wide[key] for key in ("w_ih", "w_hh", "b_ih", "b_hh")]
        return [twin["step"](wide["xs"][0, :1], wide["h"][:1], *given)[0, :8]], 8 / (12 * 2 * 3)
    if name == "im2col":  # 16 of 19 rows of places of one channel
        if number == 0:
            col = wide["col"][:9].copy()
            col[:, : 16 * 3] = twin["im2col"](wide["image"][:1], 3, 2)[:, : 16 * 3]
            return [col], 16 / (19 * 2)
        col = wide["col"][:9].copy()
        col[:, 16 * 3 :] = 0
        return [wide["image"][0] + twin["col2im"](col, 1, 37, 6, 3, 2)[0]], 16 / (19 * 2)
    if name == "maxpool":  # eight of ten rows of one channel; all of one channel
        if number == 0:
            y, winner = twin["forward"](x[:1, :1], 3, 2)
            return [np.stack([y[0, 0, :8].ravel(), winner[0, 0, :8].ravel()], 1)], 8 / (10 * 2 * 3)
        return [twin["backward"](d[:1, :1], values["winner"][:1, :1], 19, 6)[0, 0]], 1 / (2 * 3)
    if name == "sgd":
        w, dw, v = (wide[key][:4096] for key in ("w", "dw", "v"))
        new = twin["velocity"](w, dw, v, wide["momentum"], wide["decay"])
        return [new, twin["step"](w, new, wide["rate"])], 4096 / 5000
    rows = x[:2], values["labels"][:2]
    return [twin["losses"](*rows), twin["gradient"](*rows)], 2 / 3


@pytest.mark.parametrize(("name", "number"), ALL)
def test_the_textbooks_loop_does_the_part_that_it_says(name, number):
    right, part = part_of(name, number)
    step, share = contest[name]()[number].textbook(case_of(name).values)
    found = step()
    if name == "softmax-loss":
        found = tuple(zip(*found, strict=True))
    elif name != "activations" and not isinstance(found, tuple):
        found = (found,)
    near(map(np.array, found), right)
    assert share == pytest.approx(part)


def test_a_loop_over_all_of_a_small_case_does_all_of_it():
    small = {"activations": (7,), "sgd": (7,), "softmax-loss": (3, 4), "im2col": (1, 5, 4, 3, 1),
             "batchnorm": (3, 1, 4), "gru": (1, 1, 2, 3)}  # fmt: skip
    for name, sizes in small.items():
        for each in contest[name]():
            assert each.textbook(find(name).case(sizes).values)[1] == 1, name


# -- what is counted: (sizes, operations, bytes) of each contest, by hand ------------------------------------
COUNTED = {
    # exp as 10, two more for the logistic; what is read and written of each of three, 4 bytes a number
    ("activations", 0): ((10,), 12 * 10, 3 * (1 + 1) * 4 * 10),
    ("activations", 1): ((10,), 6 * 10, 3 * (2 + 1) * 4 * 10),
    # x is read twice and y written; d and x are read twice and dx written
    ("batchnorm", 0): ((2, 3, 5), 5 * 30, 3 * 4 * 30),
    ("batchnorm", 1): ((2, 3, 5), 8 * 30, 5 * 4 * 30),
    # 3 x 2 places of 4 filters over 3 channels of 3 x 3 taps, 2 pictures of 5 x 4
    ("convolution", 0): ((2, 3, 4, 5, 4, 3, 2), 2 * 2 * 6 * 4 * 27, 4 * (2 * 3 * 20 + 2 * 4 * 6 + 4 * 27)),
    ("convolution", 1): ((2, 3, 4, 5, 4, 3, 2), 4 * 2 * 6 * 4 * 27, 8 * (2 * 3 * 20 + 2 * 4 * 6 + 4 * 27)),
    # 3 gates, each a product with 5 inputs and 4 units, and 40 for what is made of them
    ("gru", 0): ((2, 3, 5, 4), 6 * (2 * 3 * 4 * 9 + 40 * 4), 4 * (6 * 9 + 3 * 4 * 9)),
    ("im2col", 0): ((2, 5, 4, 3, 2), 2 * 9 * 6, 4 * (2 * 9 * 6 + 2 * 20)),
    ("im2col", 1): ((2, 5, 4, 3, 2), 2 * 9 * 6, 4 * (2 * 9 * 6 + 2 * 20)),
    # an output and its winner are 8 bytes
    ("maxpool", 0): ((2, 3, 5, 4, 3, 2), 2 * 3 * 6 * 9, 4 * 2 * 3 * 20 + 8 * 2 * 3 * 6),
    ("maxpool", 1): ((2, 3, 5, 4, 3, 2), 2 * 3 * 6, 4 * 2 * 3 * 20 + 8 * 2 * 3 * 6),
    # three are read and two written
    ("sgd", 0): ((10,), 6 * 10, 5 * 4 * 10),
    ("softmax-loss", 0): ((3, 7), 14 * 21, 2 * 4 * 21),
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), ALL)
def test_operations_and_bytes_are_those_of_the_plain_algorithm(name, number):
    numbers, flops, moved = COUNTED[name, number]
    each, sizes = contest[name]()[number], find(name).case(numbers).sizes
    assert (each.flops(sizes), each.bytes(sizes)) == (flops, moved)
    large = [each.flops(dict(zip(find(name).named, size, strict=True))) for size in each.sizes]
    assert large == sorted(large) and large[-1] > 20 * large[0]
