"""Floor 3: the nets by name: `create(name)` builds one, `names()` lists them."""

from __future__ import annotations

from cynet.core import checks

from .registry import model

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the import
if TYPE_CHECKING:
    from cynet.nn import Sequential


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
    """
    build = model[model.checked(name)]
    batch_norm, classes = checks.flag("batch_norm", batch_norm), checks.integer("classes", classes, 1)
    return build(batch_norm, classes, checks.integer("channels", channels, 1))
