"""Add: the sum of several arrays."""

from cynet.core.types import Array, Shape
from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(examples={"Add()": ((3, 9, 7, 4), (3, 9, 7, 4))})
class Add(Layer):
    """y = x0 + x1 + ..., of two arrays or more of one shape, from the first to the last."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) < 2 or len(set(shapes)) > 1:
            got = " and ".join(map(str, shapes)) + (" alone" if len(shapes) < 2 else "")
            raise ValueError(f"wanted equal shapes to add, two or more, got {got}")
        return shapes[0]

    def forward(self, *xs: Array) -> Array:
        y = arrays.add(*xs[:2])
        for x in xs[2:]:
            y = arrays.add(y, x)
        self.save(len(xs), y.shape)
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        count, shape = self.saved()
        return (self.gradient(dy, shape),) * count
