"""im2col and col2im against the clock."""

import numpy as np

from cynet.core.threads import get_num_threads
from cynet.kernels.conv import im2col as columns_kernel

from ..contest import Contest, contest
from ..windows import outputs

SIZES = (3, 32, 32, 3, 1), (16, 64, 64, 3, 1), (32, 128, 128, 3, 1)


def _entries(sizes):
    windows = outputs(sizes["height"], sizes["stride"]) * outputs(sizes["width"], sizes["stride"])
    return sizes["channels"] * sizes["size"] ** 2 * windows


def _bytes(sizes):
    return 4 * (_entries(sizes) + sizes["channels"] * sizes["height"] * sizes["width"])


def _given(values):
    names = "channels", "height", "width", "size", "stride"
    channels, height, width, size, stride = (values[name] for name in names)
    return channels, height, width, size, stride, outputs(height, stride), outputs(width, stride)


def _loop(values, back):
    channels, height, width, size, stride, out_h, out_w = _given(values)
    image, pad, part = values["image"][0].tolist(), (size - 1) // 2, min(out_h, 16)
    col = values["col"][: size * size].tolist()

    def step():
        for ky in range(size):
            for kx in range(size):
                row = col[ky * size + kx]
                for oy in range(part):
                    y = oy * stride + ky - pad
                    for ox in range(out_w):
                        x = ox * stride + kx - pad
                        inside = 0 <= y < height and 0 <= x < width
                        if back and inside:
                            image[y][x] += row[oy * out_w + ox]
                        elif not back:
                            row[oy * out_w + ox] = image[y][x] if inside else 0.0
        return image if back else col

    return step, part / (out_h * channels)


def _padded(channels, height, width, size):
    pad = (size - 1) // 2
    return np.zeros((channels, height + 2 * size, width + 2 * size), np.float32), pad


def _slices(ky, kx, stride, out_h, out_w):
    return slice(ky, ky + (out_h - 1) * stride + 1, stride), slice(kx, kx + (out_w - 1) * stride + 1, stride)


def _numpy(values):
    channels, height, width, size, stride, out_h, out_w = _given(values)

    def step():
        wide, pad = _padded(channels, height, width, size)
        wide[:, pad : pad + height, pad : pad + width] = values["image"]
        col = np.empty((channels, size, size, out_h, out_w), np.float32)
        for ky in range(size):
            for kx in range(size):
                rows, columns = _slices(ky, kx, stride, out_h, out_w)
                col[:, ky, kx] = wide[:, rows, columns]
        return col

    return step


def _numpy_back(values):
    channels, height, width, size, stride, out_h, out_w = _given(values)
    col = values["col"].reshape(channels, size, size, out_h, out_w)

    def step():
        wide, pad = _padded(channels, height, width, size)
        for ky in range(size):
            for kx in range(size):
                rows, columns = _slices(ky, kx, stride, out_h, out_w)
                wide[:, rows, columns] += col[:, ky, kx]
        return wide[:, pad : pad + height, pad : pad + width]

    return step


def _kernels(values):
    """The image and the columns in cynet's layout, and what its kernels are told of windows."""
    channels, _, _, size, stride, out_h, out_w = _given(values)
    image = np.ascontiguousarray(np.moveaxis(values["image"], 0, 2))[None]
    taps = values["col"].reshape(channels, size * size, out_h * out_w).transpose(2, 1, 0)
    columns = np.ascontiguousarray(taps).reshape(1, out_h, out_w, size * size * channels)
    before = (size - 1) // 2
    return image, columns, (size, size, stride, stride, before, before, get_num_threads())


def _cynet(values):
    image, columns, window = _kernels(values)

    def step():
        columns_kernel.im2col(image, columns, *window)
        return columns

    return step


def _cynet_back(values):
    image, columns, window = _kernels(values)

    def step():
        image[:] = 0
        columns_kernel.col2im(columns, image, *window)
        return image

    return step


def _torch(values, torch):
    size, stride = values["size"], values["stride"]
    image = torch.from_numpy(values["image"].copy())[None]
    return lambda: torch.nn.functional.unfold(image, size, padding=(size - 1) // 2, stride=stride)


def _torch_back(values, torch):
    _, height, width, size, stride, _, _ = _given(values)
    col, pad = torch.from_numpy(values["col"].copy())[None], (size - 1) // 2
    return lambda: torch.nn.functional.fold(col, (height, width), size, padding=pad, stride=stride)


@contest()
def im2col():
    return (
        Contest(("im2col",), SIZES, _entries, _bytes, lambda v: _loop(v, False), _numpy, _cynet, _torch),
        Contest(
            ("col2im",),
            SIZES,
            _entries,
            _bytes,
            lambda v: _loop(v, True),
            _numpy_back,
            _cynet_back,
            _torch_back,
        ),
    )
