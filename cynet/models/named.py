"""What the nets share whose layers have names: those of torchvision, so that its states load as they are."""

from typing import TypeVar

from cynet.nn import BatchNorm2d, Conv2d
from cynet.nn.layer import Layer
from cynet.nn.symbols import Symbol

Named = TypeVar("Named", bound=Layer)


def named(name: str, layer: Named) -> Named:
    """The layer, with a name for a graph's paths."""
    layer.name = name
    return layer


def convolved(
    x: Symbol, outputs: int, kernel_size: int, stride: int = 1, *, conv: str, norm: str, groups: int = 1
) -> Symbol:
    """Convolution with half the kernel of padding and no bias, batch norm; `conv`, `norm`: their names."""
    sizes = x.shape[-1], outputs, kernel_size, stride, kernel_size // 2
    y = named(conv, Conv2d(*sizes, groups=groups, bias=False))(x)
    found: Symbol = named(norm, BatchNorm2d(outputs))(y)
    return found
