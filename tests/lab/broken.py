"""Mistakes put into the reference solutions: small replacements of text within one function, and the hint for
each.

Of each exercise and language: (function, the hint's key or None, what is replaced, by what). In Cython a
function's text goes on to the next `def`, with what it calls.
"""

PYTHON = {
    "batchnorm": (
        ("variance", "no 1/N", ".mean(", ".sum("),
        ("variance", "1/(N-1)", ".mean(axis=(0, 2))", ".sum(axis=(0, 2)) / max(1e-30, x.size // groups - 1)"),
        ("variance", "1/rows", ".mean(axis=(0, 2))", ".sum(axis=(0, 2)) / len(x)"),
        ("variance", "root", "return ((parts - m[:, None]) ** 2).mean(axis=(0, 2))",
         "return np.sqrt(((parts - m[:, None]) ** 2).mean(axis=(0, 2)))"),
        ("variance", "mean not subtracted", "parts - m[:, None]", "parts"),
        ("variance", "groups ignored", "x.reshape(len(x), groups, -1)", "x.reshape(len(x), -1, "
                                                                        "groups).swapaxes(1, 2)"),
        ("variance", "one for all", ".mean(axis=(0, 2))", ".mean() * np.ones(groups)"),
        ("variance", "one for all", "((parts - m[:, None]) ** 2).mean(axis=(0, 2))",
         "x.var() * np.ones(groups)"),
        ("variance", "m along n", "m[:, None]", "m"),
        ("variance", "m of group 0", "m[:, None]", "m[0]"),
        ("normalize", "group 0", "(parts - m[:, None]) / np.sqrt(v + EPS)[:, None]",
         "(parts - m[0]) / np.sqrt(v[0] + EPS)"),
        ("normalize", "m of group 0", "m[:, None]", "m[0]"),
        ("normalize", "v of group 0", "np.sqrt(v + EPS)[:, None]", "np.sqrt(v[0] + EPS)"),
        ("normalize", "not divided", " / np.sqrt(v + EPS)[:, None]", ""),
        ("normalize", "multiplied", "/ np.sqrt", "* np.sqrt"),
        ("normalize", "zero", "return y.reshape(x.shape)", "return np.zeros_like(x)"),
        ("normalize", "epsilon outside the root", "np.sqrt(v + EPS)[:, None]", "(np.sqrt(v) + EPS)[:, None]"),
        ("normalize", "no epsilon", "v + EPS", "v"),
        ("normalize", "root twice", "np.sqrt(v + EPS)", "np.sqrt(np.sqrt(v + EPS))"),
        ("normalize", "no root", "np.sqrt(v + EPS)", "(v + EPS)"),
        ("normalize", "mean not subtracted", "parts - m[:, None]", "parts"),
        ("delta_mean", "v along n", "np.sqrt(v + EPS)[:, None]", "np.sqrt(v + EPS)"),
        ("delta_mean", "v of group 0", "np.sqrt(v + EPS)[:, None]", "np.sqrt(v[0] + EPS)"),
        ("delta_mean", "multiplied", "parts / np", "parts * np"),
        ("delta_mean", "not divided", " / np.sqrt(v + EPS)[:, None]", ""),
        ("delta_mean", "sign", "return -", "return "),
        ("delta_mean", "1/N", ".sum(", ".mean("),
        ("delta_mean", "no root", "np.sqrt(v + EPS)", "(v + EPS)"),
        ("delta_mean", "groups ignored", "d.reshape(len(d), len(v), -1)",
         "d.reshape(len(d), -1, len(v)).swapaxes(1, 2)"),
        ("delta_variance", "no 1/2", "-0.5 *", "-1 *"),
        ("delta_variance", "sign", "-0.5", "0.5"),
        ("delta_variance", "power", "-1.5", "-0.5"),
        ("delta_variance", "power -1", "-1.5", "-1.0"),
        ("delta_variance", "power -2", "-1.5", "(-3 // 2)"),
        ("delta_variance", "zero", "-0.5 *", "0 *"),
        ("delta_variance", "power up", "-1.5", "1.5"),
        ("delta_variance", "1/N", ".sum(", ".mean("),
        ("delta_variance", "mean not subtracted", " - m[:, None]", ""),
        ("delta_variance", "without d", "d.reshape(parts.shape) * parts", "parts"),
        ("delta_batch_norm", "dm not over N", "dm[:, None] / n", "dm[:, None]"),
        ("delta_batch_norm", "dv not over N", "parts / n", "parts"),
        ("delta_batch_norm", "over rows", "x.size // len(m)", "len(x)"),
        ("delta_batch_norm", "neither over N", "x.size // len(m)", "1"),
        ("delta_batch_norm", "no 2", "2 * dv", "dv"),
        ("delta_batch_norm", "direct alone", " + by_v + by_m", ""),
        ("delta_batch_norm", "without dm", " + by_m", ""),
        ("delta_batch_norm", "without dv", " + by_v", ""),
        ("delta_batch_norm", "over all columns", "x.size // len(m)", "x.size"),
        ("delta_batch_norm", "dm's sign", "+ by_m", "- by_m"),
        ("delta_batch_norm", "dv's sign", "+ by_v", "- by_v"),
        ("delta_batch_norm", "d not divided", " / np.sqrt(v + EPS)[:, None]", ""),
        ("delta_batch_norm", "no epsilon", "v + EPS", "v"),
        ("delta_batch_norm", None, "direct + by_v", "direct - by_v * 0.3"),
        ("variance", "1/columns", ".mean(axis=(0, 2))", ".mean(axis=(0, 2)) / groups"),
        ("variance", "not squared", "((parts - m[:, None]) ** 2)", "np.abs(parts - m[:, None])"),
        ("normalize", "groups ignored", "return y.reshape(x.shape)",
         "parts = x.reshape(len(x), -1, groups).swapaxes(1, 2)\n"
         "    y = (parts - m[:, None]) / np.sqrt(v + EPS)[:, None]\n"
         "    return y.swapaxes(1, 2).reshape(x.shape)"),
        ("delta_mean", "no epsilon", "v + EPS", "v"),
        ("delta_mean", "epsilon outside the root", "np.sqrt(v + EPS)[:, None]",
         "(np.sqrt(v) + EPS)[:, None]"),
        ("delta_variance", "no epsilon", "(v + EPS)", "v"),
        ("delta_batch_norm", "no root", "np.sqrt(v + EPS)[:, None]", "(v + EPS)[:, None]"),
        ("delta_batch_norm", "without the direct term", "direct + by_v + by_m", "0 * direct + by_v + by_m"),
    ),
    "im2col": (
        ("im2col", "padding of one side", "(size - 1) // 2", "0"),
        ("im2col", "padding of an even size", "(size - 1) // 2", "size // 2"),
        ("im2col", "taps exchanged", "col[:, ky, kx, oy, ox]", "col[:, kx, ky, oy, ox]"),
        ("im2col", "places exchanged", "col.reshape", "col.swapaxes(3, 4).reshape"),
        ("im2col", "channels last", "col.reshape", "np.moveaxis(col, 0, 2).reshape"),
        ("im2col", "stride forgotten", "oy * stride + ky - pad, ox * stride", "oy + ky - pad, ox"),
        ("im2col", "wraps", "0 <= y < height and 0 <= x < width", "-height <= y < height and -width <= x < "
                                                                  "width"),
        ("im2col", "border repeated", "if 0 <= y < height and 0 <= x < width:",
         "y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)\n                    if True:"),
        ("col2im", "assigns", "+=", "="),
        ("col2im", "padding of one side", "(size - 1) // 2", "0"),
        ("col2im", "taps exchanged", "cells[:, ky, kx", "cells[:, kx, ky"),
        ("col2im", "stride forgotten", "oy * stride + ky - padding, ox * stride", "oy + ky - padding, ox"),
        ("col2im", "wraps", "0 <= y < height and 0 <= x < width", "-height <= y < height and -width <= x < "
                                                                  "width"),
        ("col2im", "factor", "return image", "return 2 * image"),
        ("col2im", "padding of an even size", "(size - 1) // 2", "size // 2"),
        ("col2im", "places exchanged", "col.reshape(channels, size, size, out_h, out_w)",
         "col.reshape(channels, size, size, out_w, out_h).swapaxes(3, 4)"),
        ("col2im", "averages", "    return image",
         "    count = np.zeros((height, width))\n"
         "    for ky, kx, oy, ox in np.ndindex(size, size, out_h, out_w):\n"
         "        y, x = oy * stride + ky - padding, ox * stride + kx - padding\n"
         "        if 0 <= y < height and 0 <= x < width:\n            count[y, x] += 1\n"
         "    return image / np.maximum(1, count)"),
        ("col2im", "assigns", "    for ky in range(size):\n        for kx in range(size):\n"
         "            for oy in range(out_h):\n                for ox in range(out_w):\n"
         "                    y, x = oy * stride + ky - padding, ox * stride + kx - padding\n"
         "                    if 0 <= y < height and 0 <= x < width:\n"
         "                        image[:, y, x] += cells[:, ky, kx, oy, ox]",
         "    for oy, ox, ky, kx in np.ndindex(out_h, out_w, size, size):\n"
         "        y, x = oy * stride + ky - padding, ox * stride + kx - padding\n"
         "        if 0 <= y < height and 0 <= x < width:\n"
         "            image[:, y, x] = cells[:, ky, kx, oy, ox]"),
    ),
    "convolution": (
        ("forward", "filters turned", "w[:, :, ky, kx]", "w[:, :, -1 - ky, -1 - kx]"),
        ("forward", "no bias", "y += b[:, None, None]", "pass"),
        ("forward", "bias too often", "b[:, None, None]", "w[0].size * b[:, None, None]"),
        ("forward", "taps exchanged", "w[:, :, ky, kx]", "w[:, :, kx, ky]"),
        ("forward", "last channel alone", "wide[:, :, rows, columns], w[:, :, ky, kx]",
         "wide[:, -1:, rows, columns], w[:, -1:, ky, kx]"),
        ("forward", "padding of one side", "wide = padded(x, w.shape[2])",
         "wide = np.pad(x, ((0, 0), (0, 0), (0, 9), (0, 9)))"),
        ("weight_gradient", "averaged", "return dw", "return dw / len(x)"),
        ("weight_gradient", "last picture alone", "wide[:, :, rows, columns], d)", "wide[-1:, :, rows, "
                                                                                   "columns], d[-1:])"),
        ("weight_gradient", "filters turned", "return dw", "return dw[:, :, ::-1, ::-1]"),
        ("weight_gradient", "taps exchanged", "dw[:, :, ky, kx]", "dw[:, :, kx, ky]"),
        ("input_gradient", "filters turned", "w[:, :, ky, kx]", "w[:, :, -1 - ky, -1 - kx]"),
        ("input_gradient", "taps exchanged", "w[:, :, ky, kx]", "w[:, :, kx, ky]"),
        ("input_gradient", "last filter alone", "d, w[:, :, ky, kx]", "d[:, -1:], w[-1:, :, ky, kx]"),
        ("input_gradient", "padding of one side", "(size - 1) // 2", "0"),
        ("input_gradient", "assigns", "wide[:, :, rows, columns] +=", "wide[:, :, rows, columns] ="),
        ("forward", "stride forgotten", "taps(w.shape[2], stride, out", "taps(w.shape[2], 1, out"),
        ("forward", "wraps", "wide = padded(x, w.shape[2])",
         "size, pad = w.shape[2], (w.shape[2] - 1) // 2\n    wide = padded(x, size)\n"
         "    if pad:\n        wide[:, :, :pad] = wide[:, :, height : height + pad]\n"
         "        wide[:, :, :, :pad] = wide[:, :, :, width : width + pad]"),
        ("weight_gradient", "padding of one side", "wide = padded(x, size)",
         "wide = np.pad(x, ((0, 0), (0, 0), (0, 9), (0, 9)))"),
        ("weight_gradient", "stride forgotten", "taps(size, stride, ", "taps(size, 1, "),
        ("input_gradient", "stride forgotten", "taps(size, stride, ", "taps(size, 1, "),
        ("input_gradient", "wraps", "    return wide",
         "    if pad:\n        wide[:, :, height : height + pad] += wide[:, :, :pad]\n"
         "        wide[:, :, :, width : width + pad] += wide[:, :, :, :pad]\n    return wide"),
        ("input_gradient", "assigns",
         "        wide[:, :, rows, columns] += np.einsum(\"nfyx,fc->ncyx\", d, w[:, :, ky, kx])",
         "        for f in range(len(w)):\n"
         "            wide[:, :, rows, columns] = np.einsum(\"nyx,c->ncyx\", d[:, f], w[f, :, ky, kx])"),
    ),
    "maxpool": (
        ("forward", "starts at 0", "-np.inf", "0"),
        ("forward", "padding of one side", "(size - 1) // 2", "0"),
        ("forward", "last of equals", "value > y", "value >= y"),
        ("forward", "winner in the window", "row * width + column", "ky * size + kx"),
        ("forward", "winner exchanged", "row * width + column", "column * height + row"),
        ("forward", "stride forgotten", "oy * stride + ky - pad, ox * stride", "oy + ky - pad, ox"),
        ("forward", "padding counts",
         "continue", "y[:, :, oy, ox] = np.maximum(y[:, :, oy, ox], 0)\n                        continue"),
        ("backward", "assigns", "+=", "="),
        ("backward", "ones", "+= d[i, c, oy, ox]", "+= 1"),
        ("backward", "sign", "+=", "-="),
        ("backward", "factor", "return dx", "return dx / 2"),
        ("forward", "mean", "    return y, winner",
         "    for oy, ox in np.ndindex(out_h, out_w):\n"
         "        rows = range(oy * stride - pad, oy * stride - pad + size)\n"
         "        columns = range(ox * stride - pad, ox * stride - pad + size)\n"
         "        rows = [row for row in rows if 0 <= row < height]\n"
         "        columns = [column for column in columns if 0 <= column < width]\n"
         "        y[:, :, oy, ox] = x[:, :, rows][..., columns].mean((2, 3))\n    return y, winner"),
        ("backward", "exchanged", "row, column = divmod(winner[i, c, oy, ox], width)",
         "column, row = divmod(winner[i, c, oy, ox], height)\n"
         "        row, column = divmod(min(row * width + column, height * width - 1), width)"),
        ("backward", "shared", "    return dx",
         "    count = np.zeros_like(dx)\n    for i, c, oy, ox in np.ndindex(d.shape):\n"
         "        count[i, c].reshape(-1)[winner[i, c, oy, ox]] += 1\n    return dx / np.maximum(1, count)"),
    ),
    "activations": (
        ("logistic", "sign", "np.exp(-x)", "np.exp(x)"),
        ("logistic", "tanh", "1 / (1 + np.exp(-x))", "np.tanh(x)"),
        ("logistic", "overflow", "1 / (1 + np.exp(-x))", "np.exp(x) / (1 + np.exp(x))"),
        ("logistic_gradient", "of x", "d * y * (1 - y)", "d * logistic(y) * (1 - logistic(y))"),
        ("logistic_gradient", "no d", "d * y", "y"),
        ("logistic_gradient", "no 1 - y", " * (1 - y)", ""),
        ("relu", "absolute", "np.maximum(x, 0)", "np.abs(x)"),
        ("relu", "negative part", "np.maximum", "np.minimum"),
        ("relu_gradient", "of d", "x > 0", "d > 0"),
        ("relu_gradient", "no mask", "np.where(x > 0, d, 0)", "d.copy()"),
        ("relu_gradient", "at zero", "x > 0", "x >= 0"),
        ("leaky_relu", "slope", "SLOPE", "0.1"),
        ("leaky_relu", "no slope", "SLOPE * x", "0"),
        ("leaky_relu", "slope alone", "SLOPE * x", "SLOPE"),
        ("leaky_relu_gradient", "of d", "x > 0", "d > 0"),
        ("leaky_relu_gradient", "no slope", "SLOPE * d", "0"),
        ("leaky_relu_gradient", "at zero", "x > 0", "x >= 0"),
        ("logistic", "exponential", "1 / (1 + np.exp(-x))", "np.exp(x)"),
        ("logistic_gradient", "of tanh", "d * y * (1 - y)", "d * (1 - y * y)"),
        ("relu", "leaky", "np.maximum(x, 0)", "np.maximum(x, 0.01 * x)"),
        ("relu", "step", "np.maximum(x, 0)", "(x > 0).astype(np.float32)"),
        ("relu_gradient", "no d", "np.where(x > 0, d, 0)", "(x > 0) * 1.0"),
        ("relu_gradient", "times x", "np.where(x > 0, d, 0)", "np.where(x > 0, d * x, 0)"),
        ("leaky_relu", "exchanged", "x, SLOPE * x", "SLOPE * x, x"),
        ("leaky_relu_gradient", "slope alone", "SLOPE * d", "SLOPE"),
        ("leaky_relu_gradient", "no d", "d, SLOPE * d", "1, SLOPE"),
    ),
    "softmax-loss": (
        ("softmax", "overflow", " - x.max(axis=1, keepdims=True)", ""),
        ("softmax", "columns", "powers.sum(axis=1, keepdims=True)", "powers.sum(axis=0)"),
        ("softmax", "largest of all", "x.max(axis=1, keepdims=True)", "x.max()"),
        ("softmax", "not divided", "powers / powers.sum(axis=1, keepdims=True)", "powers"),
        ("losses", "overflow", "greatest = x.max(axis=1)", "greatest = np.zeros(len(x), np.float32)"),
        ("losses", "log of 0", "return np.log(total) + greatest - x[np.arange(len(x)), labels]",
         "return -np.log(softmax(x)[np.arange(len(x)), labels])"),
        ("losses", "log of p + a small number",
         "return np.log(total) + greatest - x[np.arange(len(x)), labels]",
         "return -np.log(softmax(x)[np.arange(len(x)), labels] + 1e-12)"),
        ("losses", "log2", "return np.log(total) + greatest - x[np.arange(len(x)), labels]",
         "return (np.log(total) + greatest - x[np.arange(len(x)), labels]) / np.log(2)"),
        ("losses", "largest of all", "x.max(axis=1)", "x.max() * np.ones(len(x))"),
        ("losses", "sign", "return np.log(total) + greatest - x", "return -np.log(total) - greatest + x"),
        ("losses", "max not put back", "np.log(total) + greatest", "np.log(total)"),
        ("losses", "first", "labels]", "0 * labels]"),
        ("gradient", "no 1/rows", "p / len(x)", "p"),
        ("gradient", "sign", "return p", "return -p"),
        ("gradient", "no one-hot", "-= 1", "-= 0"),
        ("gradient", "1/classes", "p / len(x)", "p / x.shape[1]"),
        ("gradient", "whole columns", "p[np.arange(len(x)), labels]", "p[:, labels]"),
        ("gradient", "everywhere", "p[np.arange(len(x)), labels] -= 1", "p -= 1"),
        ("softmax", "over all", "return powers / powers.sum(axis=1, keepdims=True)",
         "powers = np.exp(x - x.max())\n    return powers / powers.sum()"),
        ("softmax", "logarithm", "return powers / powers.sum(axis=1, keepdims=True)",
         "return np.log(powers / powers.sum(axis=1, keepdims=True))"),
        ("softmax", "columns", "axis=1, keepdims=True", "axis=0"),
        ("losses", "overflow", "return np.log(total) + greatest - x",
         "return np.log(np.exp(x).sum(axis=1)) - x"),
        ("losses", "log of p + a small number",
         "return np.log(total) + greatest - x[np.arange(len(x)), labels]",
         "return -np.log(softmax(x)[np.arange(len(x)), labels] + 1e-7)"),
        ("losses", "largest", ", labels]", ", x.argmax(1)]"),
        ("losses", "mean", "return np.log(total) + greatest - x[np.arange(len(x)), labels]",
         "return (np.log(total) + greatest - x[np.arange(len(x)), labels]) / len(x)"),
        ("gradient", "overflow", "p = softmax(x)", "p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)"),
        ("gradient", "largest of all", "p = softmax(x)",
         "p = np.exp(x - x.max())\n    p /= p.sum(axis=1, keepdims=True)"),
        ("gradient", "label first", "    p[np.arange(len(x)), labels] -= 1\n    return p / len(x)",
         "    p = p / len(x)\n    p[np.arange(len(x)), labels] -= 1\n    return p"),
    ),
    "sgd": (
        ("velocity", "no decay", " + decay * w", ""),
        ("velocity", "decay's sign", "+ decay", "- decay"),
        ("velocity", "no momentum", "momentum * v + ", ""),
        ("velocity", "momentum forgotten", "momentum * v", "v"),
        ("velocity", "momentum at the gradient", "momentum * v + dw + decay * w", "v + momentum * (dw + "
                                                                                  "decay * w)"),
        ("velocity", "dampened", "dw + decay * w", "(1 - momentum) * (dw + decay * w)"),
        ("step", "uphill", "w - rate", "w + rate"),
        ("step", "no rate", "rate * v", "v"),
        ("step", "step alone", "w - rate * v", "rate * v"),
        ("step", None, "rate * v", "rate * v * v"),
        ("velocity", "sign", "+ dw + decay * w", "- dw - decay * w"),
        ("velocity", "decay of the gradient", "decay * w", "decay * dw"),
        ("velocity", "decay with momentum", "momentum * v + dw + decay * w",
         "momentum * (v + decay * w) + dw"),
        ("step", "rate at w", "w - rate * v", "rate * (w - v)"),
        ("step", "step alone", "w - rate * v", "-rate * v"),
    ),
    "gru": (
        ("step", "z exchanged", "(1 - z) * n + z * h", "z * n + (1 - z) * h"),
        ("step", "order z r n", "r = logistic(a[:, :hidden] + s[:, :hidden])\n    z =",
         "z = logistic(a[:, :hidden] + s[:, :hidden])\n    r ="),
        ("step", "no reset", "r * s[", "s["),
        ("step", "logistic for n", "np.tanh", "logistic"),
        ("step", "no b_hh", " + b_hh", ""),
        ("step", "new state alone", " + z * h", ""),
        ("step", "reset before the product", "r * s[:, 2 * hidden :]",
         "(r * h) @ w_hh[2 * hidden :].T + b_hh[2 * hidden :]"),
        ("step_gradient", "no direct way", " + d * z\n", "\n"),
        ("step_gradient", "z's sign", "(h - n)", "(n - h)"),
        ("step_gradient", "r not in dh", "da_n * r]", "da_n]"),
        ("step_gradient", "no slope of tanh", " * (1 - n * n)", ""),
        ("step_gradient", "no way through r", "da_r = da_n", "da_r = 0 * da_n"),
        ("through_time", "h not carried", "h = step(x, h, w_ih, w_hh, b_ih, b_hh)\n        hs.append(h)",
         "hs.append(step(x, h, w_ih, w_hh, b_ih, b_hh))"),
        ("through_time", "backwards", "for x in xs", "for x in xs[::-1]"),
        ("through_time", "first input", "step(x, h", "step(xs[0], h"),
        ("step", "order n z r", "return (1 - z) * n + z * h",
         "z = logistic(a[:, hidden : 2 * hidden] + s[:, hidden : 2 * hidden])\n"
         "    r = logistic(a[:, 2 * hidden :] + s[:, 2 * hidden :])\n"
         "    n = np.tanh(a[:, :hidden] + r * s[:, :hidden])\n    return (1 - z) * n + z * h"),
        ("step", "bias outside", "r * s[:, 2 * hidden :]",
         "r * (h @ w_hh[2 * hidden :].T) + b_hh[2 * hidden :]"),
        ("step", "no b_ih", " + b_ih", ""),
        ("step_gradient", "no way through z", "da_z = d", "da_z = 0 * d"),
        ("through_time", "late by one", "h = step(x, h, w_ih, w_hh, b_ih, b_hh)\n        hs.append(h)",
         "hs.append(h)\n        h = step(x, h, w_ih, w_hh, b_ih, b_hh)"),
        ("through_time", "last one", "    return np.array(hs)", "    return np.array([hs[-1]] * len(hs))"),
        ("through_time", "backwards",
         "for x in xs:\n        h = step(x, h, w_ih, w_hh, b_ih, b_hh)\n        hs.append(h)",
         "for x in xs[::-1]:\n        h = step(x, h, w_ih, w_hh, b_ih, b_hh)\n        hs.insert(0, h)"),
    ),
}  # fmt: skip

CYTHON = {
    "batchnorm": (
        ("variance", "no 1/N", "total / (x.shape[0] * n)", "total"),
        ("variance", "1/rows", "x.shape[0] * n", "x.shape[0]"),
        ("variance", "accumulates", "v[g] = ", "v[g] += "),
        ("variance", "not squared", "off * off", "(off if off > 0 else -off)"),
        ("normalize", "epsilon outside the root", "sqrt(v[g] + EPS)", "(sqrt(v[g]) + EPS)"),
        ("normalize", "root twice", "sqrt(v[g] + EPS)", "sqrt(sqrt(v[g] + EPS))"),
        ("normalize", "unwritten", "range(g * n, g * n + n)", "range(g * n, g * n + n - 1)"),
        ("delta_mean", "sign", "-sum_of", "sum_of"),
        ("delta_variance", "no 1/2", "-0.5 * ", "-1 * "),
        ("delta_variance", "zero", "-0.5 * ", "(-1 / 2) * "),
        ("delta_variance", "power -1", "-1.5", "-3 / 2"),
        ("delta_batch_norm", "dm not over N", "dm[g] / count", "dm[g]"),
        ("delta_batch_norm", "no 2", "2 * dv", "dv"),
        ("delta_mean", "race", "cdef Py_ssize_t g, n = d.shape[1] // v.shape[0]\n"
         "    for g in prange(v.shape[0], nogil=True, schedule=\"static\"):\n"
         "        dm[g] = -sum_of(d, g * n, n) / sqrt(v[g] + EPS)",
         "cdef Py_ssize_t i, g, n = d.shape[1] // v.shape[0]\n    dm[:] = 0\n"
         "    for i in prange(d.shape[0], nogil=True, schedule=\"static\"):\n"
         "        for g in range(v.shape[0]):\n            add_row(d, v, dm, i, g, n)\n\n\n"
         "cdef void add_row(const float[:, ::1] d, const float[::1] v, float[::1] dm, Py_ssize_t i, "
         "Py_ssize_t g,\n"
         "                  Py_ssize_t n) noexcept nogil:\n    cdef Py_ssize_t j\n"
         "    for j in range(g * n, g * n + n):\n        dm[g] -= d[i, j] / sqrt(v[g] + EPS)"),
    ),
    "im2col": (
        ("im2col", "padding of one side", "(size - 1) // 2", "0"),
        ("im2col", "taps exchanged", "ky = row // size % size, kx = row % size", "kx = row // size % size, "
                                                                                 "ky = row % size"),
        ("im2col", "places exchanged", "oy * out_w + ox", "ox * out_h + oy"),
        ("im2col", "unwritten", "            else:\n                col[row, oy * out_w + ox] = 0\n", ""),
        ("im2col", "stride forgotten", " * stride", ""),
        ("col2im", "assigns", "+=", "="),
        ("col2im", "accumulates", "    image[c, :, :] = 0\n", ""),
        ("col2im", "padding of one side", "(size - 1) // 2", "0"),
    ),
    "convolution": (
        ("forward", "filters turned", "w[f, c, ky, kx]", "w[f, c, size - 1 - ky, size - 1 - kx]"),
        ("forward", "no bias", "total = b[f]", "total = 0"),
        ("forward", "padding of one side", "(size - 1) // 2", "0"),
        ("forward", "accumulates", "ox] = total", "ox] += total"),
        ("weight_gradient", "last picture alone", "for i in range(x.shape[0]):", "for i in range(x.shape[0] "
                                                                                 "- 1, x.shape[0]):"),
        ("weight_gradient", "taps exchanged", "dw[f, c, ky, kx]", "dw[f, c, kx, ky]"),
        ("input_gradient", "assigns", "+=", "="),
        ("input_gradient", "filters turned", "w[f, c, ky, kx]", "w[f, c, size - 1 - ky, size - 1 - kx]"),
    ),
    "maxpool": (
        ("forward", "starts at 0", "-INFINITY", "0"),
        ("forward", "last of equals", "> best", ">= best"),
        ("forward", "winner in the window", "row * width + column\n", "ky * size + kx\n"),
        ("forward", "padding of one side", "(size - 1) // 2", "0"),
        ("backward", "assigns", "+=", "="),
        ("backward", "accumulates", "    dx[i, :, :, :] = 0\n", ""),
    ),
    "activations": (
        ("logistic", "sign", "exp(-x[i])", "exp(x[i])"),
        ("logistic_gradient", "no 1 - y", " * (1 - y[i])", ""),
        ("relu", "absolute", "else 0", "else -x[i]"),
        ("relu_gradient", "of d", "if x[i] > 0", "if d[i] > 0"),
        ("leaky_relu", "no slope", "SLOPE * x[i]", "0"),
        ("leaky_relu_gradient", "accumulates", "dx[i] =", "dx[i] +="),
        ("leaky_relu_gradient", "no slope", "SLOPE * d[i]", "0"),
    ),
    "softmax-loss": (
        ("softmax", "not divided", " / total)", ")"),
        ("softmax", "overflow", "exp(x[i, k] - greatest)", "exp(x[i, k])"),
        ("losses", "max not put back", " + greatest", ""),
        ("losses", "first", "- x[i, label]", "- x[i, 0]"),
        ("gradient", "no 1/rows", " / x.shape[0]", ""),
        ("gradient", "no one-hot", " - (1 if k == label else 0)", ""),
        ("gradient", "accumulates", "dx[i, k] =", "dx[i, k] +="),
    ),
    "sgd": (
        ("velocity", "no decay", " + decay * w[i]", ""),
        ("velocity", "decay's sign", "+ decay", "- decay"),
        ("velocity", "accumulates", "new_v[i] =", "new_v[i] +="),
        ("step", "uphill", "w[i] - rate", "w[i] + rate"),
        ("step", "no rate", "rate * v[i]", "v[i]"),
        ("step", "unwritten", "prange(w.shape[0],", "prange(w.shape[0] - 1,"),
    ),
    "gru": (
        ("step", "z exchanged", "(1 - z) * n + z * h[i, j]", "z * n + (1 - z) * h[i, j]"),
        ("step", "no reset", "r * s)", "s)"),
        ("step", "new state alone", " + z * h[i, j]", ""),
        ("step_gradient", "no direct way", "        dh[i, j] += <float>(d[i, j] * z)\n", ""),
        ("step_gradient", "r not in dh", "da_n * r * w_hh", "da_n * w_hh"),
        ("step_gradient", "depends", "    dx[i, :] = 0\n", ""),
        ("through_time", "h not carried", "h if t == 0 else hs[t - 1]", "h"),
    ),
}  # fmt: skip


def sections(source):
    """(start, end) of each function's text by its name, to the next `def` at the beginning of a line."""
    places, at = [], source.find("\ndef ")
    while at >= 0:
        places.append(at + 1)
        at = source.find("\ndef ", at + 1)
    ends = [*places[1:], len(source)]
    return {source[a + 4 : source.index("(", a)]: (a, b) for a, b in zip(places, ends, strict=True)}


def changed(source, function, old, new):
    """A solution with a replacement in one function; AssertionError where the text is not there."""
    start, end = sections(source)[function]
    part = source[start:end]
    assert old in part, (function, old)
    return source[:start] + part.replace(old, new) + source[end:]
