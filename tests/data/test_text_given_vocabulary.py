"""A text that is read with the vocabulary of a net."""

import pytest

from cynet import data
from cynet.data.text import Text, Vocabulary, embedded, load

OWN = Vocabulary("abc")


def test_tokens_are_those_of_the_vocabulary_in_both_parts():
    text = Text.of("ccccccccab", vocabulary=OWN)
    assert text.train.tolist() == [2] * 8 and text.test.tolist() == [0, 1]
    assert text.vocabulary is OWN and text.notes == ()


def test_the_level_is_the_vocabularys(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("cat dog " * 6 + "cow cat")
    words = Vocabulary(["cat", "cow"], "word", unknown=True)
    text = load(path, level="character", vocabulary=words)
    assert (
        text.train.tolist() == [0, 2] * 5 + [0] and text.test.tolist() == [2, 1, 0] and text.level == "word"
    )
    assert text.notes == ("5 of 11 words to train on and 1 of 3 words to test are the unknown one",)


def test_rare_words_are_known():
    words = Vocabulary(["cat", "dog"], "word", unknown=True)
    assert Text.of("cat cat cat cat dog", rarest=9, vocabulary=words, train=0.5).test.tolist() == [0, 0, 1]


def test_an_unknown_token_that_nothing_needs_is_no_note():
    assert Text.of("abcabc", vocabulary=Vocabulary("abc", unknown=True)).notes == ()


@pytest.mark.parametrize(("content", "named"), [
    ("abcabcdab", "'d'"), ("abczyxwvab", "'v', 'w', 'x', 'y', 'z'"),
    ("abczyxwvuab", "'u', 'v', 'w', 'x', 'y' and 1 more"),
])  # fmt: skip
def test_what_the_vocabulary_lacks_is_named(tmp_path, content, named):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        load(path, vocabulary=OWN)
    assert str(caught.value) == f"{path}: wanted characters of the vocabulary, got {named}"


def test_what_is_no_vocabulary_is_refused():
    with pytest.raises(TypeError, match="vocabulary: wanted a Vocabulary, got 'abc'"):
        Text.of("abcabc", vocabulary="abc")


def test_data_sets_take_it(tmp_path):
    (tmp_path / "a.txt").write_text("ccccccccab")
    assert data.load("text", tmp_path / "a.txt", "test", vocabulary=OWN).tokens.tolist() == [0, 1]
    of_alice = embedded().vocabulary
    larger = Vocabulary(sorted([*of_alice.entries, *"\x01[]"]))
    found = data.load("alice", None, "train", vocabulary=larger)
    assert found.vocabulary is larger and found.tokens.min() == 1
