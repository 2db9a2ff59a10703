"""Texts at their limits: words of a hundred letters, a full vocabulary, blocks, notes with numbers."""

import numpy as np
import pytest

from cynet import data
from cynet.data.text import Sequences, Text, TokenSet, Vocabulary, counting, token_set


def test_a_word_of_a_hundred_letters_is_known_and_a_longer_one_is_not():
    text = Text.of(f"{'x' * 100} {'y' * 101} " * 3, "word", train=0.5, rarest=1)
    assert text.vocabulary == Vocabulary(["x" * 100], "word", unknown=True)
    assert text.train.tolist() == [0, 1, 0] and text.test.tolist() == [1, 0, 1]


def test_a_full_vocabulary_has_no_room_for_the_unknown_one(monkeypatch):
    monkeypatch.setattr(counting, "MOST_ENTRIES", 4)
    assert len(Text.of("abcdabcd", train=0.5).vocabulary) == 4
    assert len(Text.of("abcaabcx", train=0.5).vocabulary) == 4
    wanted = r'text: wanted at most 4 different characters, got 5 .*level="word", or a rarest above 1\)$'
    with pytest.raises(ValueError, match=wanted):
        Text.of("abcdabcx", train=0.5)


def test_notes_tell_how_many_of_each_part_are_the_unknown_one():
    text = Text.of("a" * 5000 + "b" + "c" * 1200, train=5001 / 6201, rarest=2)
    assert text.notes == (
        "1 of 5,001 characters to train on and 1,200 of 1,200 characters to test are the unknown one",
    )
    text = Text.of("a" * 50 + "b" + "a" * 12, train=51 / 63, rarest=2)
    assert text.notes == (
        "1 of 51 characters to train on and 0 of 12 characters to test are the unknown one",
    )
    tested = "1,100 of 1,200 characters to test, which are not in the training part, are the unknown one"
    assert Text.of("a" * 4900 + "c" * 1100, train=0.8).notes == (tested,)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_part_has_the_length_the_folding_and_the_notes_that_were_asked_for(tmp_path, split):
    (tmp_path / "a.txt").write_text("ab  \n" * 40 + "c")
    plain = data.load("text", tmp_path / "a.txt", split)
    assert plain.sequence_length == 100 and plain.classes[:2] == ("\\n", " ")
    options = {"sequence_length": 7, "level": "word", "fold": True}
    found = data.load("text", tmp_path / "a.txt", split, **options | {"level": "character"})
    assert found.sequence_length == 7 and found.classes == (" ", "a", "b", "<unk>")
    sizes = {"train": (160, 96), "test": (41, 25)}[split]  # a space for each run of white space
    assert (len(plain.tokens), len(found.tokens)) == sizes
    assert plain.notes[0].startswith("1 of 41 characters to test")
    assert found.notes[0].startswith("1 of 25 characters to test")
    embedded = data.load("alice", None, split, **options)
    assert embedded.sequence_length == 7 and embedded.vocabulary.level == "word" and embedded.notes
    assert len(data.load("alice", None, split, fold=True)) < len(data.load("alice", None, split))


def test_a_fingerprint_is_of_every_block(monkeypatch):
    monkeypatch.setattr(token_set, "BLOCK", 3)
    marks = {TokenSet(tokens).fingerprint() for tokens in ([0, 1, 0, 1, 1, 0, 0], [0, 1, 0, 1, 1, 0, 1])}
    assert len(marks) == 2
    monkeypatch.setattr(token_set, "BLOCK", 100)
    assert TokenSet([0, 1, 0, 1, 1, 0, 0]).fingerprint() in marks


def test_an_order_is_ones_own_and_of_the_seed_that_is_set_now():
    batches = Sequences(np.arange(200), 2, 3, random_starts=True, seed=1)
    before = batches.order(0).copy()
    batches.order(0)[...] = 0
    assert (batches.order(0) == before).all()
    batches.seed = 2
    assert (batches.order(0) == Sequences(np.arange(200), 2, 3, True, 2).order(0)).all()
    assert (batches.order(0) != before).any()


@pytest.mark.parametrize(("text", "named"), [
    ("zz", "'z' (U+007A) at 0"), ("avwxyzvv", "'v' (U+0076) at 1, ... 'z' (U+007A) at 5"),
    ("uvwxyz", "'u' (U+0075) at 0, ... 'y' (U+0079) at 4 and others"),
])  # fmt: skip
def test_five_unknown_characters_are_named_and_then_that_there_are_others(text, named):
    with pytest.raises(ValueError, match="wanted characters of the vocabulary, got ") as caught:
        Vocabulary("ab").encode(text)
    first, _, last = named.partition(", ... ")
    found = str(caught.value).partition(", got ")[2]
    assert found.startswith(first) and found.endswith(last or first)
    assert found.count(" at ") == (5 if last else 1)


def test_vocabularies_are_equal_in_level_and_unknown_token_too():
    words, letters = Vocabulary(["a", "b"], "word"), Vocabulary("ab")
    assert letters == Vocabulary(["a", "b"]) != words and words != Vocabulary(["a", "b"], "word", True)
    assert hash(letters) == hash(Vocabulary(("a", "b"))) and Vocabulary("ab", unknown=True) != letters


def test_sequences_end_with_their_context():
    with Sequences(np.arange(20), 2, 4) as batches:
        walk = iter(batches)
        next(walk)
    with pytest.raises(RuntimeError, match="this pass over the sequences ended when they were closed"):
        next(walk)
    assert repr(batches) == ("Sequences(TokenSet(20 tokens, 20 different), batch_size=2, sequence_length=4)")


def test_a_place_far_in_a_text_is_told_with_its_thousands():
    with pytest.raises(ValueError, match=r"got 'z' \(U\+007A\) at 1,234$"):
        Vocabulary("ab").encode("ab" * 617 + "z")
