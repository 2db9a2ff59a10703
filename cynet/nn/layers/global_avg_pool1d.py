"""Mean over each channel of a sequence."""

from cynet.core.types import Shape
from cynet.nn import registry

from .global_avg_pool2d import GlobalAvgPool2d


@registry.layer(examples={"GlobalAvgPool1d()": (3, 9, 11)})
class GlobalAvgPool1d(GlobalAvgPool2d):
    """(N, L, C) to (N, C): the mean along each sequence."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3 or shape[1] < 1:
            raise ValueError(f"wanted an input (N, L, C) with L at least 1, got shape {shape}")
        return shape[0], shape[2]
