"""Where the windows of ONNX's convolutions and pools lie, in the words of cynet's layers."""

from __future__ import annotations

from .operation import Operation

NOTSET, VALID, UPPER, LOWER = "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"
MOST = 1 << 20  # of a kernel's side, a stride, a padding


def sides(op: Operation, name: str, count: int, default: int, least: int = 1) -> tuple[int, ...]:
    """An attribute of a number for each of `count` sides."""
    found = op.integers(name, [default] * count)
    if len(found) != count or any(not least <= n <= MOST for n in found):
        raise ValueError(f"{name}: wanted {count} numbers of {least} to {MOST}, got {found!r:.80}")
    return tuple(found)


def pads(op: Operation, size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...],
         dilation: tuple[int, ...]) -> tuple[int, ...]:  # fmt: skip
    """The padding before each side, then that after each, for an input of a size."""
    mode, count = op.text("auto_pad", NOTSET), len(size)
    if mode == NOTSET:
        return sides(op, "pads", 2 * count, 0, least=0)
    if mode not in (VALID, UPPER, LOWER):
        raise ValueError(f"auto_pad: wanted {NOTSET}, {VALID}, {UPPER} or {LOWER}, got {mode!r:.40}")
    op.integers("pads", [])
    if mode == VALID:
        return (0,) * (2 * count)
    total = [
        max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    return split(total, mode)


def split(total: list[int], mode: str) -> tuple[int, ...]:
    """Cells of padding for each side, cut in two: the odd one comes after, or before by `LOWER`."""
    less, more = [n // 2 for n in total], [n - n // 2 for n in total]
    return (*more, *less) if mode == LOWER else (*less, *more)
