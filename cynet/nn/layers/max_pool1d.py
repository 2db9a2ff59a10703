"""Max-pooling of sequences."""

from cynet.nn import registry

from .max_pool2d import MaxPool2d
from .pool1d import Pool1d, one


@registry.layer(
    examples={
        "MaxPool1d(2)": (2, 9, 4),
        "MaxPool1d(3, 2, 1, ceil_mode=True)": (3, 8, 11),
        "MaxPool1d(3, 2, 'same')": (2, 9, 4),
        "MaxPool1d(2, 1, 1, 3)": (2, 9, 4),
    }
)
class MaxPool1d(Pool1d, MaxPool2d):
    """The greatest value of each window of sequences (N, L, C), as `MaxPool2d` has it.

    Parameters
    ----------
    kernel_size : int
    stride : int, optional
    padding : int, (before, after) or "same", optional
    dilation : int, optional
    ceil_mode : bool, optional
        As for `MaxPool2d`.
    """

    def __init__(
        self,
        kernel_size: int,
        stride: int | None = None,
        padding: int | tuple[int, int] | str = 0,
        dilation: int = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
        self.dilation = self.dilation[1]  # of images one row high

    def apart(self) -> tuple[int, int]:
        return 1, one("dilation", self.dilation)
