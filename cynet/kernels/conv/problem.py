"""What a convolution is asked for: sizes, without numbers."""

from dataclasses import dataclass, replace
from math import prod

from cynet.kernels.common import geometry

NOMINAL = 16  # images for which an algorithm is chosen, whatever there are


@dataclass(frozen=True)
class Problem:
    """A convolution of images of one shape.

    Parameters
    ----------
    in_shape : tuple of int
        (N, H, W, C) of the input.
    out_shape : tuple of int
        (N, out_h, out_w, out_channels).
    kernel, stride : tuple of int
        (vertical, horizontal).
    before : tuple of int
        The padding (top, left); what is below and to the right shows in `out_shape`.
    groups : int
        Channels are cut into so many groups, each convolved with its own filters.
    dilation : tuple of int
        The distance of neighbouring taps, (vertical, horizontal); 1 along an axis of one tap.
    border : str
        What the padding is filled with: one of `geometry.BORDERS`.
    """

    in_shape: tuple
    out_shape: tuple
    kernel: tuple = (1, 1)
    stride: tuple = (1, 1)
    before: tuple = (0, 0)
    groups: int = 1
    dilation: tuple = (1, 1)
    border: str = geometry.ZEROS

    @classmethod
    def of(cls, shape, outputs, kernel, stride, padding, groups=1, dilation=(1, 1), border=geometry.ZEROS,
           axes=geometry.AXES):  # fmt: skip
        """That of images (N, H, W, C), and `outputs` channels; `padding` is what `checked_padding` gives.

        Raises
        ------
        ValueError
            As `geometry.window_grid`.
        """
        batch, *in_hw, _ = shape = tuple(shape)
        (top, left, _, _), out_hw = geometry.window_grid(in_hw, kernel, stride, padding, dilation, axes)
        apart = tuple(1 if taps == 1 else d for taps, d in zip(kernel, dilation, strict=True))
        window = tuple(kernel), tuple(stride), (top, left), groups, apart, border
        return cls(shape, (batch, *out_hw, outputs), *window)

    @classmethod
    def of_rows(cls, rows, features, outputs):
        """That of a linear layer: one image, as high as there are rows and one pixel wide."""
        return cls((1, rows, 1, features), (1, rows, 1, outputs))

    def nominal(self):
        """The same of as many images as choices are made for: one alone has the bytes it has among others."""
        batch = (NOMINAL,)
        return replace(self, in_shape=batch + self.in_shape[1:], out_shape=batch + self.out_shape[1:])

    @property
    def weight_shape(self):
        """(out_channels, C / groups, height, width) of the filters."""
        return self.out_shape[3], self.in_shape[3] // self.groups, *self.kernel

    @property
    def macs(self):
        """Multiply-adds of the sums as they are written down; an algorithm may need fewer."""
        return prod(self.out_shape) * prod(self.weight_shape[1:])
