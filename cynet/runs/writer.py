"""Writer: a trained net of texts that goes on from a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cynet.core.tasks import LANGUAGE, MAX
from cynet.core.types import AnyArray, AnyPath
from cynet.data.text import Vocabulary
from cynet.data.text.reading import folded, with_line_ends
from cynet.data.text.vocabulary import WORD
from cynet.train.generation import begun, one_by_one, stepper

from . import nets
from .weights import file_of, load_weights


class Writer:
    """A trained net of texts that goes on from a prompt.

    Parameters
    ----------
    source : path
        A run folder, or a weights file.
    weights : {"last", "best"}, optional
        Which of a run folder's; default: those that the run came to.
    model : str, callable or Layer, optional
        The net, as "FILE.py:NAME" or a function that builds it: wanted where it has layers that cynet does
        not know.

    Attributes
    ----------
    path : Path
        The weights file.
    facts : Facts
    vocabulary : Vocabulary

    Raises
    ------
    OSError
        When the weights cannot be read.
    ValueError
        Naming the file, when they are damaged, or those of no model of texts, or do not tell of its tokens.

    Examples
    --------
    >>> writer = Writer("runs/mine")
    >>> print(writer("Alice ", 200, "sample", temperature=0.7, seed=3))
    """

    def __init__(self, source: AnyPath, weights: str | None = None, model: Any = None) -> None:
        self.path = file_of(source, weights)
        self.model, self.facts = load_weights(self.path, nets.builder(model))
        if self.facts.task != LANGUAGE:
            raise ValueError(f"{self.path}: wanted a model of texts, got one of task {self.facts.task}")
        if self.facts.vocabulary is None:
            raise ValueError(f"{self.path}: wanted weights that tell of their vocabulary, got others")
        self.vocabulary = Vocabulary.from_dict(self.facts.vocabulary)
        try:
            stepper(self.model)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def tokens(self, prompt: str) -> AnyArray:
        """The tokens of a prompt; a ValueError names what of it the model does not know."""
        try:
            found = self.vocabulary.encode(self._as_text(prompt))
        except ValueError as error:
            raise ValueError(str(error).removeprefix("text: ")) from None
        if not len(found):
            raise ValueError(f"wanted a {self.vocabulary.level} or more, got {prompt!r:.80}")
        return found

    def __call__(self, prompt: str, length: int, strategy: str = MAX, **options: Any) -> str:
        """The prompt, and what the model goes on with; arguments are those of `train.generation.generate`."""
        return "".join(self.pieces(prompt, length, strategy, **options))

    def pieces(
        self,
        prompt: str,
        length: int,
        strategy: str = MAX,
        temperature: float = 1.0,
        beam_width: int = 5,
        seed: int = 0,
    ) -> Iterator[str]:
        """As a call, in pieces: the prompt, then each token's text when it is found, a beam's at its end."""
        read = begun(self.model, self.tokens(prompt))
        found = one_by_one(read, length, strategy, temperature, beam_width, seed)
        return self._spelled(self._as_text(prompt), found)

    def _spelled(self, prompt: str, tokens: Iterable[int]) -> Iterator[str]:
        yield prompt
        texts, gap = self.vocabulary.texts, " " if self.vocabulary.level == WORD else ""
        before = "" if prompt[-1].isspace() else gap
        for token in tokens:
            yield before + texts[token]
            before = gap

    def _as_text(self, prompt: str) -> str:
        """With the line ends, and where the model's text was folded the spaces, that a text is read with."""
        if not isinstance(prompt, str):
            return prompt
        if self.facts.fold:
            return folded(prompt)
        return prompt if "\r" in self.vocabulary.entries else with_line_ends(prompt)

    def __repr__(self) -> str:
        return f"Writer({str(self.path)!r}: {self.vocabulary!r})"
