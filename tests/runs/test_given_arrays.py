"""Arrays that somebody gives to a model, and which of their axes are what."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cynet.runs import given_arrays


def taken(array, shape):
    """The samples that a net of a shape gets from an array, and their names."""
    names, samples = zip(
        *given_arrays.sources(array, SimpleNamespace(kind="float32", kept_shape=shape)), strict=True
    )
    return names, samples


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 4, 3), (7, 1), (7, 2)])
def test_samples_with_their_channels_first_are_taken_as_those_with_them_last(shape, tmp_path):
    own = np.random.default_rng(0).standard_normal((6, *shape), dtype=np.float32)
    first = np.ascontiguousarray(np.moveaxis(own, -1, 1))
    np.save(tmp_path / "some.npy", first)
    for given in (own, first, tmp_path / "some.npy"):
        names, samples = taken(given, shape)
        np.testing.assert_array_equal(np.stack(samples), own)
    assert names == tuple(f"{tmp_path / 'some.npy'}[{k}]" for k in range(6))
    names, samples = taken(first[0], shape)
    np.testing.assert_array_equal(np.stack(samples), own[:1])
    assert names == ("sample 0",)


def test_an_array_of_the_nets_own_shape_is_never_turned():
    square = np.random.default_rng(0).standard_normal((6, 3, 3, 3), dtype=np.float32)
    np.testing.assert_array_equal(np.stack(taken(square, (3, 3, 3))[1]), square)


def test_grey_samples_without_their_channel_have_a_name_each(tmp_path):
    np.save(tmp_path / "some.npy", np.zeros((2, 5, 4), np.float32))
    names, _ = taken(tmp_path / "some.npy", (5, 4, 1))
    assert names == tuple(f"{tmp_path / 'some.npy'}[{k}]" for k in range(2))


@pytest.mark.parametrize("shape", [(6, 4, 5, 1), (6, 2, 5, 4), (4, 5), (6, 1, 4, 5)])
def test_what_fits_neither_way_is_refused(shape):
    (name,), (error,) = taken(np.zeros(shape, np.float32), (5, 4, 1))
    assert name == "sample 0" and "wanted float32 of 5 x 4 with 1 channel" in str(error)


def test_every_sample_of_several_arrays_has_a_name_of_its_own(tmp_path):
    """Those of files are numbered within them, and count for what comes after."""
    np.save(tmp_path / "f.npy", np.zeros((2, 5, 4, 1), np.float32))
    many, one = np.zeros((3, 5, 4, 1), np.float32), np.zeros((5, 4, 1), np.float32)
    names, _ = taken([many, one, tmp_path / "f.npy", many[:2]], (5, 4, 1))
    inside = [f"{tmp_path / 'f.npy'}[{k}]" for k in range(2)]
    assert list(names) == ["sample 0", "sample 1", "sample 2", "sample 3", *inside, "sample 6", "sample 7"]


@pytest.mark.parametrize(("given", "is_one"), [
    ("a.npy", True), ("a.npz", True), (Path("b/a.npz"), True), (["a.npy", Path("b.npz")], True),
    (("a.npz",), True),
    ([], False), ((), False), ("a.png", False), (["a.npy", "b.png"], False), (["a.png", "b.npy"], False),
    (["a.npy", np.zeros(2)], False), (np.zeros(2), False), (None, False), ("npy", False), (3, False),
])  # fmt: skip
def test_files_of_arrays_are_known_by_all_of_their_names(given, is_one):
    assert given_arrays.is_file(given) is is_one


def test_one_sample_with_an_axis_for_several_is_numbered_in_its_file(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros((1, 5, 4, 1), np.float32))
    np.save(tmp_path / "own.npy", np.zeros((5, 4, 1), np.float32))
    names, _ = taken([tmp_path / "one.npy", tmp_path / "own.npy"], (5, 4, 1))
    assert names == (f"{tmp_path / 'one.npy'}[0]", str(tmp_path / "own.npy"))


def test_what_does_not_fit_counts_as_one_so_that_no_two_have_a_name(tmp_path):
    arrays = [np.zeros(shape, kind) for shape, kind in (
        ((5, 4, 1), np.float32), ((5, 4, 1), np.float64), ((4, 4, 1), np.float32), ((2, 5, 4, 1), np.float32),
    )]  # fmt: skip
    names, found = taken([*arrays, tmp_path / "none.npy", arrays[0]], (5, 4, 1))
    assert names == (*(f"sample {i}" for i in range(5)), str(tmp_path / "none.npy"), "sample 6")
    assert [isinstance(each, ValueError) for each in found] == [False, True, True, False, False, True, False]


@pytest.mark.parametrize("shape", [(5, 4, 3), (7, 2), (6,)])
def test_samples_become_as_a_data_set_keeps_them(shape):
    sample = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    found = given_arrays.planar(sample, SimpleNamespace(kept_shape=shape))
    assert found.ndim == 3 and found.flags.c_contiguous and found.shape[0] == shape[-1]
    for place in np.ndindex(*shape):
        *pixel, channel = place
        pixel = (0,) * (2 - len(pixel)) + tuple(pixel)
        assert found[(channel, *pixel)] == sample[place]


@pytest.mark.parametrize(("given", "got"), [
    (3, "int 3"), ([np.zeros((5, 4, 1), np.float32), None], "NoneType None"),
    ([[1.0, 2.0]], r"list \[1.0, 2.0\]"),
])  # fmt: skip
def test_what_is_neither_an_array_nor_a_file_is_told(given, got):
    wanted = f"^samples: wanted arrays, or .npy or .npz files of them, got {got}$"
    with pytest.raises(TypeError, match=wanted):
        taken(given, (5, 4, 1))


def test_a_file_without_samples_stands_among_the_others_with_its_place(tmp_path):
    np.save(tmp_path / "two.npy", np.zeros((2, 5, 4, 1), np.float32))
    (tmp_path / "torn.npz").write_bytes(b"PK")
    one = np.ones((5, 4, 1), np.float32)
    names, found = taken(
        [tmp_path / "two.npy", tmp_path / "torn.npz", str(tmp_path / "gone.npy"), one], one.shape
    )
    assert names == (
        f"{tmp_path}/two.npy[0]", f"{tmp_path}/two.npy[1]", f"{tmp_path}/torn.npz", f"{tmp_path}/gone.npy",
        "sample 4",
    )  # fmt: skip
    assert all(str(each).startswith(f"{name}: wanted arrays, or .npy or .npz files of them: ")
               for name, each in zip(names[2:4], found[2:4], strict=True))  # fmt: skip
    assert "No such file" in str(found[3]) and found[4] is not None and (found[4] == one).all()


@pytest.mark.parametrize("shape", [(5, 4, 2), (7, 3), (6,)])
def test_samples_are_kept_as_a_data_set_keeps_them(shape):
    sample = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    height, width, channels = {3: shape, 2: (1, *shape), 1: (1, 1, *shape)}[len(shape)]
    found = given_arrays.planar(sample, SimpleNamespace(kept_shape=shape))
    assert found.shape == (channels, height, width) and found.flags.c_contiguous
    wanted = np.moveaxis(sample.reshape(height, width, channels), -1, 0)
    np.testing.assert_array_equal(found, wanted)
