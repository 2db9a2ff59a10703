"""Arrays that somebody gives to a model, and which of their axes are what."""

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
