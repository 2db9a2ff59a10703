"""Average pooling of sequences."""

from cynet.nn import registry

from .avg_pool2d import AvgPool2d
from .pool1d import Pool1d


@registry.layer(
    examples={
        "AvgPool1d(2)": (2, 9, 4),
        "AvgPool1d(3, 2, 1, True, False)": (3, 8, 11),
        "AvgPool1d(3, 2, 'same')": (2, 9, 4),
    }
)
class AvgPool1d(Pool1d, AvgPool2d):
    """The mean of each window of sequences (N, L, C), as `AvgPool2d` has it.

    Parameters
    ----------
    kernel_size : int
    stride : int, optional
    padding : int, (before, after) or "same", optional
    ceil_mode : bool, optional
        As for `Pool1d`.
    count_include_pad : bool, optional
        As for `AvgPool2d`.
    """

    def __init__(
        self,
        kernel_size: int,
        stride: int | None = None,
        padding: int | tuple[int, int] | str = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
