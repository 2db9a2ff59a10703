"""Residual: a body with a shortcut around it."""

from cynet.nn import registry
from cynet.nn.layer import Layer, require_layer
from cynet.nn.layers.add import Add
from cynet.nn.structure import Call, Parts

from .container import Container

SUM = Add()


@registry.layer(
    examples={
        "Residual(Conv2d(4, 4, 3, padding=1))": (3, 9, 8, 4),
        "Residual(Conv2d(4, 6, 1), Conv2d(4, 6, 1, bias=False))": (2, 5, 4, 4),
    }
)
class Residual(Container):
    """y = body(x) + shortcut(x), or body(x) + x without a shortcut (He et al. 2015, section 3.2).

    Parameters
    ----------
    body : Layer
    shortcut : Layer, optional
        Wanted where the body changes the shape.
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self.body, self.shortcut = body, shortcut
        self.parts()

    def parts(self) -> Parts:
        require_layer("body", self.body)
        if self.shortcut is None:
            return Call("body", self.body), Call("", SUM, 1, 0)
        require_layer("shortcut", self.shortcut)
        return Call("body", self.body), Call("shortcut", self.shortcut), Call("", SUM, 1, 2)

    def __repr__(self) -> str:
        return f"Residual({self.body!r}, shortcut={self.shortcut!r})"
