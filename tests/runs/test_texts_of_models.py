"""A text as a model reads it: how it is cut for an evaluation, and what the model has no token for."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.data.text import TokenSet, Vocabulary
from cynet.runs import texts

FACTS = SimpleNamespace(picture_shape=(7,))


@pytest.mark.parametrize(("tokens", "asked", "rows"), [
    (2, None, 1), (199, None, 1), (200, None, 2), (299, None, 2), (6399, None, 63), (6400, None, 64),
    (9999, None, 64), (6400, 3, 3), (250, 3, 2), (9999, 99, 64),
])  # fmt: skip
def test_an_evaluation_has_few_and_long_rows(tokens, asked, rows):
    text = TokenSet(np.arange(tokens) % 2, 5, Vocabulary("ab"))
    batches = texts.evaluated_batches(text, FACTS, *(() if asked is None else (asked,)))
    assert (batches.batch_size, batches.sequence_length, batches.random_starts) == (rows, 7, False)
    assert batches.dataset.vocabulary == text.vocabulary


@pytest.mark.parametrize(("letters", "named"), [
    ("abc", "'b', 'c'"), ("bcdef", "'b', 'c', 'd', 'e', 'f'"),
    ("bcdefg", "'b', 'c', 'd', 'e', 'f' and 1 more"),
    ("abcdefghi", "'b', 'c', 'd', 'e', 'f' and 3 more"), ("a\nb", r"'\\n', 'b'"),
])  # fmt: skip
def test_what_a_model_has_no_token_for_is_named_up_to_five(letters, named):
    text = TokenSet(np.arange(len(letters)), 3, Vocabulary(sorted(letters)))
    with pytest.raises(ValueError, match="a text of the model's own characters, mine also has ") as caught:
        texts._renumbered(text, Vocabulary("a"), "mine")
    assert str(caught.value).endswith(f" has {named}")


def test_an_unknown_token_says_how_many_tokens_of_a_text_it_takes():
    text = TokenSet([0, 1, 2, 2] * 500, 3, Vocabulary(["b", "c", "d"], "word"))
    found = texts._renumbered(text, Vocabulary(["a", "b"], "word", unknown=True), "mine")
    assert found.tokens.tolist() == [1, 2, 2, 2] * 500 and found.sequence_length == 3
    assert found.notes == ("1,500 of 2,000 words, which the model does not know, are the unknown one",)
    known = texts._renumbered(TokenSet([0, 0], 3, Vocabulary("b")), Vocabulary("ab", unknown=True), "mine")
    assert known.tokens.tolist() == [1, 1] and known.notes == ()


def test_a_text_is_loaded_with_the_level_and_length_of_the_model(monkeypatch):
    own, asked = Vocabulary(["a", "b"], "word"), []
    found = TokenSet([0, 1], 7, own)
    monkeypatch.setattr(texts.data, "load", lambda *given, **more: asked.append((*given, more)) or found)
    facts = SimpleNamespace(picture_shape=(7,), vocabulary=own.to_dict(), fold=False)
    options = {"fold": True, "level": "character", "sequence_length": 3}
    assert texts.load(facts, "text", "a.txt", "test", **options) is found
    options = {"fold": True, "level": "word", "sequence_length": 7, "vocabulary": own}
    assert asked == [("text", "a.txt", "test", options)]
    facts.fold = True
    texts.load(facts, "text", "a.txt", "test")
    assert asked[1] == ("text", "a.txt", "test", options)
    facts.vocabulary = None
    with pytest.raises(ValueError, match="wanted a model that tells of its vocabulary, got one "):
        texts.load(facts, "text", "a.txt", "test")
    with pytest.raises(ValueError, match="wanted a text, as the model's, mnist is none"):
        texts.load(facts, "mnist", None, "test")
