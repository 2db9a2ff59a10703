"""What the nets share whose layers have names: those of torchvision, so that its states load as they are."""

from cynet.nn import BatchNorm2d, Conv2d
from cynet.nn.symbols import Symbol


def convolved(
    x: Symbol, outputs: int, kernel_size: int, stride: int = 1, *, conv: str, norm: str, groups: int = 1
) -> Symbol:
    """Convolution with half the kernel of padding and no bias, batch norm; `conv`, `norm`: their names."""
    layer = Conv2d(
        x.shape[-1],
        outputs,
        kernel_size,
        stride,
        kernel_size // 2,
        groups=groups,
        bias=False,
        name=conv,
    )
    y: Symbol = BatchNorm2d(outputs, name=norm)(layer(x))
    return y
