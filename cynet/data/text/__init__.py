"""Texts for language models: files, their vocabulary, and the sequences that a net is trained on."""

from .corpus import Text, embedded, load
from .reading import folded, read
from .sequences import Sequences
from .token_set import TokenSet
from .vocabulary import Vocabulary

__all__ = ["Sequences", "Text", "TokenSet", "Vocabulary", "embedded", "folded", "load", "read"]
