"""Residual: a body with a shortcut around it."""

from cynet.core import arrays
from cynet.core.layer import Layer


class Residual(Layer):
    """y = body(x) + shortcut(x), or body(x) + x without a shortcut (He et al. 2015, section 3.2).

    Parameters
    ----------
    body : Layer
    shortcut : Layer, optional
        Wanted where the body changes the shape.
    """

    def __init__(self, body, shortcut=None):
        if not isinstance(body, Layer):
            raise TypeError(f"body: wanted a Layer, got {body!r}")
        if shortcut is not None and not isinstance(shortcut, Layer):
            raise TypeError(f"shortcut: wanted a Layer or None, got {shortcut!r}")
        self.body, self.shortcut = body, shortcut

    def output_shape(self, shape):
        of_body = self.body.checked_shape(shape, "body")
        of_shortcut = self.shortcut.checked_shape(shape, "shortcut") if self.shortcut else shape
        if of_body != of_shortcut:
            raise ValueError(
                f"wanted equal shapes to add, got {of_body} from body and {of_shortcut} beside it"
            )
        return of_body

    def trace(self, shape, path=""):
        for name, layer in self.children():
            yield from layer.trace(shape, f"{path}.{name}" if path else name)

    def forward(self, x):
        return arrays.add(self.body(x), self.shortcut(x) if self.shortcut else x)

    def backward(self, dy):
        if not self.input_grad:
            for _, layer in self.children():
                layer.backward_spared(dy)
            return None
        return arrays.add(self.body.backward(dy), self.shortcut.backward(dy) if self.shortcut else dy)

    def __repr__(self):
        return f"Residual({self.body!r}, shortcut={self.shortcut!r})"
