"""Floor 3: the nets by name: `create(name)` builds one, `names()` lists them, `register()` adds one's own."""

from __future__ import annotations

from cynet.core import checks

from .registry import model

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the import
if TYPE_CHECKING:
    from typing import Any

    from cynet.nn import Sequential

__all__ = ["create", "names", "register"]


def names() -> tuple[str, ...]:
    """The names that `create` knows.

    Returns
    -------
    tuple of str
    """
    return model.names()


def create(name: str, batch_norm: bool = True, classes: int = 10, channels: int = 3) -> Sequential:
    """A new model for 32x32 pictures, with fresh random weights.

    Parameters
    ----------
    name : str
        One of `names()`.
    batch_norm : bool
        Whether batch norm follows every layer with weights but the last, before its activation.
    classes : int
        Outputs of the last layer.
    channels : int
        Of a picture: 3 for colour, 1 for grey.

    Returns
    -------
    Sequential
        Takes float32 (N, 32, 32, channels), gives logits (N, classes). resnet20 takes other sizes, too.

    Raises
    ------
    ValueError
        When the name is unknown; the nearest known one is suggested.
    TypeError
        When a function that was registered returns no Layer.
    """
    from cynet.nn.layer import Layer  # not at the top: the names of the models are there without it

    build = model[model.checked(name)]
    batch_norm, classes = checks.flag("batch_norm", batch_norm), checks.integer("classes", classes, 1)
    found: Sequential = build(batch_norm, classes, checks.integer("channels", channels, 1))
    if not isinstance(found, Layer):
        raise TypeError(f"{name}: wanted a Layer from {build.__qualname__}, got {type(found).__name__}")
    return found


def register(function: Any = None) -> Any:
    """The decorator of a function that builds a model of one's own, which has then a name as others have.

    It may stand without its brackets. A second function of one name takes the first one's place where both
    are of one module, as a notebook's cell that is run again defines them. Where a training goes on with
    it, it must be registered before.

    Returns
    -------
    callable
        Of a function (batch_norm, classes, channels) that returns a new Layer, from float32
        (N, H, W, channels) to logits (N, classes); the function, as it is, comes back.

    Raises
    ------
    TypeError
        By the decorator, of what is no function; by `create`, where the function returns no Layer.
    ValueError
        By the decorator, where the name is another model's, or has other letters than those from a to z,
        digits and _.

    Examples
    --------
    >>> @cynet.models.register()
    ... def small(batch_norm, classes, channels):
    ...     return cynet.Sequential(cynet.GlobalAvgPool2d(), cynet.Flatten(), cynet.Linear(channels, classes))
    >>> cynet.models.create("small", classes=3)(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 3)
    """
    return model() if function is None else model()(function)
