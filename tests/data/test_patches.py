"""The second moments of patches, against the patches themselves."""

import numpy as np
import pytest

from cynet.data import patches


@pytest.mark.parametrize(("count", "shape", "size"), [
    (70, (3, 6, 5), (2, 2)), (3, (1, 4, 7), (3, 2)), (130, (2, 3, 3), (3, 3)), (1, (3, 5, 5), (1, 1)),
])  # fmt: skip
def test_moments_are_those_of_the_normalised_patches(count, shape, size):
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count + 4, *shape)).astype(np.uint8)
    mean, std = rng.random(shape[0]), 0.1 + rng.random(shape[0])
    indices = rng.permutation(count + 4)[:count]
    normal = (images[indices] / 255 - mean[:, None, None]) / std[:, None, None]
    rows = [
        normal[:, :, i : i + size[0], j : j + size[1]].reshape(count, -1)
        for i in range(shape[1] - size[0] + 1) for j in range(shape[2] - size[1] + 1)
    ]  # fmt: skip
    found = np.concatenate(rows)
    wanted = found.T @ found / len(found)
    np.testing.assert_allclose(
        patches.moments(images, indices, size, mean, std), wanted, rtol=1e-9, atol=1e-9
    )


def test_the_order_of_the_pictures_changes_no_bit():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 3, 6, 6)).astype(np.uint8)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.2, 0.3)
    one, other = (
        patches.moments(images, order, (2, 2), mean, std) for order in (np.arange(200), np.arange(200)[::-1])
    )
    assert one.tobytes() == other.tobytes()


def test_patches_larger_than_pictures_and_no_pictures_are_refused():
    images = np.zeros((2, 1, 3, 4), np.uint8)
    for indices, size in (([0], (4, 4)), ([0], (3, 5)), ([], (2, 2))):
        with pytest.raises(
            ValueError, match=r"images: wanted some of at least \d x \d pixels, got \d of 3 x 4"
        ):
            patches.moments(images, np.array(indices, int), size, [0], [1])
