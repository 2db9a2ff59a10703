"""Residual: a body with a shortcut around it."""

from cynet.kernels.pointwise import arrays
from cynet.nn import registry
from cynet.nn.layer import Layer, give, require_layer, taken


@registry.layer(
    examples={
        "Residual(Conv2d(4, 4, 3, padding=1))": (3, 9, 8, 4),
        "Residual(Conv2d(4, 6, 1), Conv2d(4, 6, 1, bias=False))": (2, 5, 4, 4),
    }
)
class Residual(Layer):
    """y = body(x) + shortcut(x), or body(x) + x without a shortcut (He et al. 2015, section 3.2).

    Parameters
    ----------
    body : Layer
    shortcut : Layer, optional
        Wanted where the body changes the shape.
    """

    def __init__(self, body, shortcut=None):
        self.body, self.shortcut = body, shortcut
        self.parts()

    def parts(self):
        """(body, shortcut or None), checked: they may have been set."""
        require_layer("body", self.body)
        if self.shortcut is not None:
            require_layer("shortcut", self.shortcut)
        return self.body, self.shortcut

    def output_shape(self, shape):
        body, shortcut = self.parts()
        of_body = body.checked_shape(shape, "body")
        of_shortcut = shape if shortcut is None else shortcut.checked_shape(shape, "shortcut")
        if of_body != of_shortcut:
            raise ValueError(
                f"wanted equal shapes to add, got {of_body} from body and {of_shortcut} beside it"
            )
        return of_body

    def trace(self, shape, path=""):
        for name, layer in self.children():
            yield from layer.trace(shape, f"{path}.{name}" if path else name)

    def forward(self, x):
        body, shortcut = self.parts()
        y, of_body = body(x), taken(body)
        beside, of_shortcut = (x, None) if shortcut is None else (shortcut(x), taken(shortcut))
        self.save(body, of_body, shortcut, of_shortcut)
        return arrays.add(y, beside)

    def backward(self, dy):
        body, of_body, shortcut, of_shortcut = self.saved()
        give(body, of_body)
        dx = body.backward(dy) if self._wants_dx() else body.backward_spared(dy)
        if shortcut is not None:
            give(shortcut, of_shortcut)
            dy = shortcut.backward(dy) if self._wants_dx() else shortcut.backward_spared(dy)
        return arrays.add(dx, dy) if self._wants_dx() else None

    def __repr__(self):
        return f"Residual({self.body!r}, shortcut={self.shortcut!r})"
