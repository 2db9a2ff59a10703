"""What the loader does to pictures on their way into a batch; the decode kernel carries it out."""

import numpy as np

from cynet.core import checks


class RandomCrop:
    """A window of the picture's own size, at random from the picture with a black border.

    Parameters
    ----------
    padding : int
        Pixels of border on each side.
    """

    def __init__(self, padding):
        self.padding = checks.integer("padding", padding, 0, 4096)

    def __repr__(self):
        return f"RandomCrop({self.padding})"


class RandomFlip:
    """Left and right exchanged with probability 1/2."""

    def __repr__(self):
        return "RandomFlip()"


class Normalize:
    """(pixel / 255 - mean) / std, channel by channel.

    Parameters
    ----------
    mean, std : sequence of float
        One number a channel; std above 0.
    """

    def __init__(self, mean, std):
        for name, values in (("mean", mean), ("std", std)):
            if not isinstance(values, (tuple, list, np.ndarray)):
                raise TypeError(f"{name}: wanted a sequence of numbers, got {values!r}")
        self.mean = tuple(checks.number(f"mean[{i}]", m) for i, m in enumerate(mean))
        self.std = tuple(checks.number(f"std[{i}]", s, 0, open_low=True) for i, s in enumerate(std))
        if len(self.mean) != len(self.std):
            raise ValueError(f"std: wanted {len(self.mean)} numbers, as many as mean, got {len(self.std)}")

    def __repr__(self):
        return f"Normalize({self.mean}, {self.std})"


class Recipe:
    """A list of transforms as the decode kernel takes them.

    Parameters
    ----------
    transforms : sequence of RandomCrop, RandomFlip and Normalize
        Each kind at most once. They act in this order: crop, flip, normalise.
    channels : int

    Attributes
    ----------
    padding, flip : int, bool
    table : ndarray of float32 (channels, 256)
        The value of each byte.
    """

    def __init__(self, transforms, channels):
        found = {}
        for i, transform in enumerate(transforms):
            kind = type(transform)
            if kind not in (RandomCrop, RandomFlip, Normalize):
                raise TypeError(
                    f"transforms[{i}]: wanted a RandomCrop, RandomFlip or Normalize, got {transform!r}"
                )
            if kind in found:
                raise ValueError(f"transforms[{i}]: wanted one {kind.__name__}, got a second")
            found[kind] = transform
        self.padding = found[RandomCrop].padding if RandomCrop in found else 0
        self.flip = RandomFlip in found
        normalize = found.get(Normalize, Normalize([0] * channels, [1] * channels))
        if len(normalize.mean) != channels:
            raise ValueError(f"Normalize: wanted {channels} means, one a channel, got {len(normalize.mean)}")
        values = np.arange(256) / 255
        table = [(values - m) / s for m, s in zip(normalize.mean, normalize.std, strict=True)]
        self.table = np.array(table, np.float32)
