"""What layers.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from .nn import *  # noqa: F403
