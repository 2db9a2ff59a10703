"""The frameworks that cynet can be held against, loaded when one is wanted."""

import importlib

PEERS = ("torch",)


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
