"""Floor 3: the nets by name: `create(name)` builds one, `names()` lists them, `register()` adds one's own."""

from __future__ import annotations

import importlib.util

from .registry import model

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the import
if TYPE_CHECKING:
    from typing import Any

    from cynet.nn.layer import Layer

__all__ = ["create", "names", "options", "register"]
CALLS = (
    "cynet.models.calls"  # what looks at shapes and options; the trunk by itself leaves them to the layers
)


def names() -> tuple[str, ...]:
    """The names that `create` knows.

    Returns
    -------
    tuple of str
    """
    return model.names()


def options(name: str) -> dict[str, Any]:
    """The options of a net by name, with their defaults.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    dict
        Without those that a function of one's own takes as ``**options``.

    Raises
    ------
    ValueError
        When the name is unknown; the nearest known one is suggested.

    Examples
    --------
    >>> cynet.models.options("mobilenet_v2")
    {'dropout': 0.2}
    """
    return importlib.import_module(CALLS).options(model[model.checked(name)])


def create(name: str, input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10, **options: Any) -> Layer:
    """A new net with fresh random weights.

    Parameters
    ----------
    name : str
        One of `names()`.
    input_shape : tuple of int
        Of one sample, without the batch: (height, width, channels) of pictures, (length, channels) of
        signals.
    classes : int
        Outputs of the last layer.
    **options
        The net's own: see `options`. ``batch_norm``, where there is one: whether batch norm follows every
        layer with weights but the last, before its activation; default True.

    Returns
    -------
    Layer
        Takes float32 (N, *input_shape), gives logits (N, classes).

    Raises
    ------
    TypeError, ValueError
        When the name is unknown, or an option is, where the nearest known one is suggested; or the shape is
        none, or below the least that the net takes, which is told.
    TypeError
        When a function that was registered returns no Layer.

    Examples
    --------
    >>> cynet.models.create("resnet18", (224, 224, 3), 1000)
    >>> cynet.models.create("uwnet2", (48, 64, 1), classes=3, batch_norm=False)
    """
    build = model[model.checked(name)]
    if importlib.util.find_spec(CALLS):
        build = importlib.import_module(CALLS).Builder(name, build, model.facts(name))
    return build(input_shape, classes, **options)


def register(function: Any = None) -> Any:
    """The decorator of a function that builds a model of one's own, which has then a name as others have.

    It may stand without its brackets. A second function of one name takes the first one's place where both
    are of one module, as a notebook's cell that is run again defines them. Where the name is
    not registered, a training goes on with the net that its run keeps as data, if cynet knows all its layers.

    Parameters
    ----------
    function : callable, optional
        What is decorated, where the decorator stands without brackets.

    Returns
    -------
    callable
        Of a function (input_shape, classes, **options) that returns a new Layer, from float32
        (N, *input_shape) to logits (N, classes); the function, as it is, comes back. Its options have names
        and defaults, or are any. One of (batch_norm, classes, channels), as in earlier versions, will do.

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
    ... def small(input_shape, classes, width=8):
    ...     return cynet.Sequential(
    ...         cynet.Conv2d(input_shape[-1], width, 3), cynet.GlobalAvgPool2d(), cynet.Linear(width, classes)
    ...     )
    >>> cynet.models.create("small", classes=3, width=16)(np.zeros((2, 32, 32, 3), np.float32)).shape
    (2, 3)
    """
    return model() if function is None else model()(function)
