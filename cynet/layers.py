"""The layers under their public name; their files lie in nn/layers and nn/containers."""

from cynet.nn import *  # noqa: F403
from cynet.nn import __all__  # noqa: F401
