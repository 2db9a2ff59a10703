"""The parts of a text by the name of a data set: of a file, or of the text that comes with cynet."""

from cynet.core.types import AnyPath
from cynet.data.registry import dataset

from .corpus import Text, embedded, load
from .token_set import TokenSet
from .vocabulary import CHARACTER, Vocabulary

LENGTH = 100  # of sequences, where nobody says it


@dataset(order=8, own=True, texts=True, vocabulary=True, makes=("cynet.data.text.token_set", "TokenSet"))
def text(
    root: AnyPath,
    split: str,
    sequence_length: int = LENGTH,
    level: str = CHARACTER,
    fold: bool = False,
    vocabulary: Vocabulary | None = None,
) -> TokenSet:
    """A part of a text of the user's own, the file `root`: its first 80 % are for training."""
    return _part(load(root, level, fold, vocabulary=vocabulary), split, sequence_length)


@dataset(order=8, embedded=True, texts=True, vocabulary=True, makes=("cynet.data.text.token_set", "TokenSet"))
def alice(
    root: AnyPath | None,
    split: str,
    sequence_length: int = LENGTH,
    level: str = CHARACTER,
    fold: bool = False,
    vocabulary: Vocabulary | None = None,
) -> TokenSet:
    """A part of the text that comes with cynet: Alice's Adventures in Wonderland."""
    return _part(embedded(level, fold, vocabulary=vocabulary), split, sequence_length)


def _part(whole: Text, split: str, sequence_length: int) -> TokenSet:
    tokens = whole.train if split == "train" else whole.test
    found = TokenSet(tokens, sequence_length, whole.vocabulary)
    found.notes = whole.notes
    return found
