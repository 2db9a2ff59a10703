"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .lookahead import Lookahead as Lookahead
from .optimizers import SGD as SGD

__all__ = ["SGD", "Adam", "AdamW", "Lookahead"]
