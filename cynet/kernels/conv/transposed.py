"""Transposed convolution, told as the convolution whose gradient to the input it is."""

from math import prod

from cynet.kernels.common import geometry

from .problem import Problem


def problem(shape, out_channels, kernel, stride, padding, output_padding=(0, 0), groups=1, dilation=(1, 1)):
    """The `Problem` whose input gradient is a transposed convolution of images (N, H, W, C).

    Its images are the transposed convolution's outputs, of `out_channels`; sizes as for `grid`.

    Raises
    ------
    ValueError
        As `grid`.
    """
    batch, *in_hw, _ = shape = tuple(shape)
    out_hw = grid(in_hw, kernel, stride, padding, output_padding, dilation)
    window = tuple(kernel), tuple(stride), tuple(padding[:2]), groups, tuple(dilation)
    return Problem((batch, *out_hw, out_channels), shape, *window)


def grid(in_hw, kernel, stride, padding, output_padding, dilation):
    """The output size of a transposed convolution: what a window that goes from pixel to pixel writes.

    Parameters
    ----------
    in_hw, kernel, stride, output_padding, dilation : pair of int
    padding : 4-tuple
        (top, left, bottom, right): how much is cut off.

    Returns
    -------
    (out_height, out_width) : tuple of int
        (in - 1) stride + dilation (kernel - 1) + 1 + output_padding - before - after

    Raises
    ------
    ValueError
        When the input is empty, less than a pixel is left, or more than anybody has memory for.
    """
    whole = [
        (size - 1) * step + geometry.extent(taps, apart) + more
        for size, step, taps, apart, more in zip(in_hw, stride, kernel, dilation, output_padding, strict=True)
    ]
    for axis, size, full, before, after in zip(
        geometry.AXES, in_hw, whole, padding[:2], padding[2:], strict=True
    ):
        if size < 1:
            raise ValueError(f"{axis}: wanted at least 1 pixel, got {size}")
        if before + after >= full:
            raise ValueError(
                f"{axis}: wanted padding of less than {full}, the output's pixels, got {before} and {after}"
            )
    most = max(geometry.MOST_CELLS, 4 * prod(in_hw))
    if prod(whole) > most:
        raise ValueError(
            f"output: wanted at most {most} pixels with the padding, got {whole[0]} x {whole[1]}"
        )
    return tuple(full - padding[i] - padding[2 + i] for i, full in enumerate(whole))
