"""What the loader does to pictures on their way into a batch; `transforms` puts it together.

Everything random is seeded per (seed, epoch, index of the sample). The exact draws are in the docstring of
`cynet.data.images.decode.decode`, which carries it out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cynet.core import checks
from cynet.core.types import AnyArray


class RandomCrop:
    """A part of the picture's own size, at random from the picture with a border.

    Row and column of its upper left corner are each uniform among 2 * padding + 1.

    Parameters
    ----------
    padding : int
        Pixels of border on each side.
    mode : {"zero", "reflect"}
        "zero": the border is black (byte 0, before `Normalize`). "reflect": the picture mirrored at its
        outermost row or column, which is not repeated, as `numpy.pad` does it; `padding` is less than height
        and width then.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, padding: int, mode: str = "zero") -> None:
        self.padding = checks.integer("padding", padding, 0, 4096)
        self.mode = _choice("mode", mode, ("zero", "reflect"))

    def __repr__(self) -> str:
        return f"RandomCrop({self.padding}{'' if self.mode == 'zero' else ', mode=' + repr(self.mode)})"


class RandomFlip:
    """Left and right exchanged.

    Parameters
    ----------
    mode : {"random", "alternating"}
        "random": with probability 1/2, drawn anew in every epoch. "alternating": a hash of (seed, index)
        decides for epoch 0, and from then on every other epoch shows the other side (Jordan 2024, "94% on
        CIFAR-10 in 3.29 seconds"): any two epochs in a row show each picture both ways.

    Raises
    ------
    ValueError
        When the mode is none of these.
    """

    def __init__(self, mode: str = "random") -> None:
        self.mode = _choice("mode", mode, ("random", "alternating"))

    def __repr__(self) -> str:
        return f"RandomFlip({'' if self.mode == 'random' else 'mode=' + repr(self.mode)})"


class Cutout:
    """A square set to 0 after `Normalize`, which is the colour `mean` (DeVries and Taylor 2017).

    Its centre is uniform among the pixels of the batch's picture; what lies outside the picture is left away.
    Rows centre - size // 2 to centre - size // 2 + size - 1 are 0, and so with the columns.

    Parameters
    ----------
    size : int
        Height and width in pixels.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, size: int) -> None:
        self.size = checks.integer("size", size, 1, 4096)

    def __repr__(self) -> str:
        return f"Cutout({self.size})"


class Brightness:
    """Every byte times a factor, rounded, at most 255.

    The factor is uniform in [1 - amount, 1 + amount].

    Parameters
    ----------
    amount : float
        0 to 1; used as the nearest multiple of 1/65536.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, amount: float) -> None:
        self.amount = checks.number("amount", amount, 0, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.amount:g})"


class Contrast(Brightness):
    """Every byte's distance from the picture's mean times a factor, rounded, kept within 0 to 255.

    The mean is that of all bytes of all channels after `Brightness`, rounded; the factor is uniform in
    [1 - amount, 1 + amount].

    Parameters
    ----------
    amount : float
        0 to 1; used as the nearest multiple of 1/65536.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """


class Normalize:
    """(pixel / 255 - mean) / std, channel by channel, computed in double and rounded to float32.

    Parameters
    ----------
    mean, std : sequence of float
        One number a channel; std above 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these, or they have not equally many numbers.
    """

    def __init__(self, mean: Sequence[float] | AnyArray, std: Sequence[float] | AnyArray) -> None:
        for name, values in (("mean", mean), ("std", std)):
            if not isinstance(values, (tuple, list, np.ndarray)):
                raise TypeError(f"{name}: wanted a sequence of numbers, got {values!r}")
        self.mean = tuple(checks.number(f"mean[{i}]", m) for i, m in enumerate(mean))
        self.std = tuple(checks.number(f"std[{i}]", s, 0, open_low=True) for i, s in enumerate(std))
        if len(self.mean) != len(self.std):
            raise ValueError(f"std: wanted {len(self.mean)} numbers, as many as mean, got {len(self.std)}")

    def __repr__(self) -> str:
        return f"Normalize({self.mean}, {self.std})"


def _choice(name: str, value: Any, choices: Sequence[str]) -> str:
    if value not in choices:
        raise ValueError(f"{name}: wanted {' or '.join(map(repr, choices))}, got {value!r}")
    return value
