"""The frameworks that cynet can be held against: what each can do, loaded when one is wanted."""

import importlib

PEERS = {  # which measurements each takes part in
    "torch": ("train", "infer", "shapes", "memory", "import", "loader", "language-model", "table"),
    "onnxruntime": ("infer",),
    "openvino": ("infer",),
}
FIXED = "onnxruntime", "openvino"  # whose nets have weights that cannot change
TOLERANCE = 1e-3  # of outputs, relative to the largest


def able(what):
    """The peers that take part in a measurement."""
    return tuple(name for name, known in PEERS.items() if what in known)


def check_able(name, what):
    """Refuse a peer where it cannot take part.

    Raises
    ------
    ValueError
        Which says what it can.
    """
    if what not in PEERS[name]:
        raise ValueError(
            f"wanted {' or '.join(able(what))} for {what}, got {name}, which takes part in "
            f"{', '.join(PEERS[name])}"
        )


def load(name, part="peer"):
    """The module that runs a peer; `part` "steps": without what makes its nets of cynet's.

    Raises
    ------
    ValueError
        When the peer is not installed.
    """
    try:
        return importlib.import_module(f".{name}_{part}", __package__)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        raise ValueError(f"wanted the package {name}, got none (python -m pip install {name})") from None


def check_close(name, ours, theirs):
    """Refuse to compare with a peer that computes something else.

    Parameters
    ----------
    name : str
    ours, theirs : ndarray
        Outputs of one shape.

    Raises
    ------
    ValueError
    """
    error = float(abs(ours - theirs).max())
    if not error <= TOLERANCE * max(1.0, float(abs(theirs).max())):
        raise ValueError(f"wanted the same logits from cynet and {name}, got a difference of {error:.3g}")
