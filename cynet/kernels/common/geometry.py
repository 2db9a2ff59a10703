"""Where the windows of convolution and pooling lie: strides, padding and output sizes.

Sizes are (vertical, horizontal) pairs, padding is (top, left, bottom, right), both in pixels.
"""

from math import prod

from cynet.core import checks

SAME, VALID = "same", "valid"
ZEROS = "zeros"
BORDERS = ZEROS, "reflect", "replicate", "circular"  # what padding is filled with
AXES = "height", "width"  # what messages call them
MOST_CELLS = 2**28  # of a padded image, where that is over four times the image: nobody has memory for it


def checked_padding(padding):
    """`padding` as "same" or as (top, left, bottom, right), which "valid" is too, for constructors.

    Parameters
    ----------
    padding : int, pair, 4-tuple, "same" or "valid"
        One number for all sides; (vertical, horizontal) as in PyTorch; (top, left, bottom, right); the rule
        that `resolve_padding` describes; or none.

    Raises
    ------
    TypeError, ValueError
        When it is nothing of these, or negative.
    """
    if isinstance(padding, str):
        if padding not in (SAME, VALID):
            raise ValueError(f'padding: wanted an int, a pair, a 4-tuple, "same" or "valid", got {padding!r}')
        return SAME if padding == SAME else (0, 0, 0, 0)
    if isinstance(padding, (tuple, list)):
        sides = tuple(checks.integer(f"padding[{i}]", side, 0) for i, side in enumerate(padding))
        if len(sides) not in (2, 4):
            raise ValueError(
                f"padding: wanted (vertical, horizontal) or (top, left, bottom, right), got {padding!r}"
            )
        return sides * 2 if len(sides) == 2 else sides
    side = checks.integer("padding", padding, 0)
    return side, side, side, side


def checked_border(padding_mode):
    """`padding_mode`, or ValueError unless it is one of `BORDERS`."""
    if not isinstance(padding_mode, str) or padding_mode not in BORDERS:
        raise ValueError(f"padding_mode: wanted one of {', '.join(BORDERS)}, got {padding_mode!r:.80}")
    return padding_mode


def resolve_padding(padding, kernel, stride, in_hw):
    """The padding of an input of `in_hw` pixels.

    Parameters
    ----------
    padding : 4-tuple or "same"
        As `checked_padding` returns it. "same" is (size - 1) // 2 cells before, and after as many as
        ceil(in / stride) outputs need, which may be none.
    kernel, stride, in_hw : pair of int

    Returns
    -------
    (top, left, bottom, right) : tuple of int
    """
    if padding != SAME:
        return padding
    sides = [_same(size, k, s) for size, k, s in zip(in_hw, kernel, stride, strict=True)]
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _same(size, kernel, stride):
    before = (kernel - 1) // 2
    outputs = -(-size // stride)
    return before, max(0, (outputs - 1) * stride + kernel - size - before)


def extent(kernel, dilation):
    """The pixels along one axis from the first of `kernel` taps to the last, `dilation` pixels apart."""
    return dilation * (kernel - 1) + 1


def output_size(size, kernel, stride, before, after, axis="input", dilation=1, ceil=False):
    """How many windows fit along one axis.

    Parameters
    ----------
    size : int
        Pixels of the input.
    kernel, stride : int
    before, after : int
        Padding cells.
    axis : str, optional
        What the message calls the axis.
    dilation : int, optional
        The distance of the kernel's taps.
    ceil : bool, optional
        Whether a last window may reach beyond the padded input, if it begins before the padding after the
        pixels, as in PyTorch.

    Returns
    -------
    int
        (before + size + after - extent) // stride + 1, where extent = dilation (kernel - 1) + 1; or with
        `ceil` rounded up.

    Raises
    ------
    ValueError
        When the input is empty, the padding negative, the stride not positive, or the kernel larger than
        the padded input.
    """
    if size < 1:
        raise ValueError(f"{axis}: wanted at least 1 pixel, got {size}")
    if kernel < 1 or stride < 1 or before < 0 or after < 0:
        raise ValueError(
            f"{axis}: wanted kernel >= 1, stride >= 1 and padding >= 0, got kernel {kernel}, "
            f"stride {stride}, padding {before} before and {after} after"
        )
    padded, beyond, reach = before + size + after, stride - 1 if ceil else 0, extent(kernel, dilation)
    if reach > padded + beyond:
        raise ValueError(
            f"{axis}: wanted a kernel of at most {padded + beyond} pixels, the padded input "
            f"({before} + {size} + {after}){' and stride - 1' if beyond else ''}, got a kernel of {reach}"
            + (f", {kernel} with dilation {dilation}" if dilation > 1 else "")
        )
    windows = (padded + beyond - reach) // stride + 1
    return windows - (ceil and (windows - 1) * stride >= before + size)


def window_grid(in_hw, kernel, stride, padding, dilation=(1, 1), axes=AXES, ceil=False):
    """The resolved padding and the output size of a window that slides over an image.

    Parameters
    ----------
    in_hw, kernel, stride, dilation : pair of int
    padding : 4-tuple or "same"
        As `checked_padding` returns it.
    axes : pair of str
        What messages call them.
    ceil : bool, optional
        As for `output_size`.

    Returns
    -------
    (top, left, bottom, right), (out_height, out_width)

    Raises
    ------
    ValueError
        As `output_size`, and when the padding makes an image of more cells than anybody has memory for.
    """
    top, left, bottom, right = sides = resolve_padding(
        padding, tuple(map(extent, kernel, dilation)), stride, in_hw
    )
    height = output_size(in_hw[0], kernel[0], stride[0], top, bottom, axes[0], dilation[0], ceil)
    width = output_size(in_hw[1], kernel[1], stride[1], left, right, axes[1], dilation[1], ceil)
    padded, most = (top + in_hw[0] + bottom, left + in_hw[1] + right), max(MOST_CELLS, 4 * prod(in_hw))
    if prod(padded) > most:
        raise ValueError(
            f"padding: wanted at most {most} cells of a padded image, got {padded[0]} x {padded[1]} "
            f"({top}, {left}, {bottom}, {right} around {in_hw[0]} x {in_hw[1]})"
        )
    return sides, (height, width)
