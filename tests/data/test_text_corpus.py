"""A text's tokens, its two parts and its vocabulary, against what plain Python makes of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cynet.core import files
from cynet.data import fingerprint
from cynet.data.sets import bounded
from cynet.data.text import Text, Vocabulary, corpus, counting, embedded, load

FACES = [chr(code) for code in range(0x10000, 0x10000 + 65_537)]


def test_the_embedded_text_is_what_it_was():
    text = embedded()
    assert (len(text), len(text.train), len(text.vocabulary), text.name) == (148_425, 118_740, 69, "alice")
    assert files.digest_of(corpus.ALICE) == "e7be146ff27d6e3b4606e236127a0d41a76aff84c7291b238a9f61996f709f4b"
    assert text.fingerprint() == "118740x1x1x1.3ebcd430.cd54e268.36d0d03e73c6dd0e"
    assert text.vocabulary.decode(text.train[180:217]) == "Alice was beginning to get very tired"
    assert text.notes == (
        "4 of 29,685 characters to test, which are not in the training part, are the unknown one",
    )
    assert corpus.ALICE.stat().st_size < 200_000 and b"Gutenberg" not in corpus.ALICE.read_bytes()


def test_the_embedded_text_as_folded_words():
    text = embedded("word", fold=True, train=0.5, rarest=2)
    assert (
        text.level == "word"
        and abs(len(text.train) - len(text.test)) <= 1
        and "Alice" in text.vocabulary.entries
    )
    assert text.notes[0].endswith("to test are the unknown one") and "words to train on and" in text.notes[0]


def test_the_first_tokens_are_for_training(tmp_path):
    (tmp_path / "a b.txt").write_text("aabbaabbcd")
    text = load(tmp_path / "a b.txt")
    assert text.name == "a b" and text.vocabulary == Vocabulary("ab", unknown=True)
    assert text.train.tolist() == [0, 0, 1, 1, 0, 0, 1, 1] and text.test.tolist() == [2, 2]
    assert text.train.dtype == text.test.dtype == np.int32 and len(text) == 10
    assert repr(text) == "Text(a b: 8 + 2 characters, 3 different)"
    half = load(tmp_path / "a b.txt", train=0.5)
    assert len(half.train) == 5 and half.vocabulary.unknown and half.test.tolist() == [0, 1, 1, 2, 2]


def test_the_shortest_text_has_two_tokens_in_each_part():
    text = Text.of("abab", train=0.5)
    assert text.train.tolist() == text.test.tolist() == [0, 1]


def test_a_text_without_unknown_characters_has_no_token_for_them():
    text = Text.of("abab" * 5)
    assert not text.vocabulary.unknown and text.notes == () and len(text.vocabulary) == 2


def test_rare_words_are_unknown():
    text = Text.of("a b " * 4 + "a <unk> " + "x" * 101 + " end end", "word", train=0.8)
    assert len(text) == 13 and text.vocabulary == Vocabulary(["a"], "word", unknown=True)
    assert text.vocabulary.decode(text.test) == "<unk> <unk> <unk>"
    assert Text.of("x" * 101 + " a" * 9, "word", rarest=1).vocabulary.entries == ("a",)
    assert Text.of("a b " * 4, "word", rarest=3).vocabulary.entries == ("a", "b")


def slow(text, level, share, rarest):
    """(entries, whether there is an unknown one, tokens to train on, to test) by lists and dicts."""
    parts = list(text) if level == "character" else text.split()
    cut = int(len(parts) * share)
    counts = Counter(parts[:cut])
    entries = sorted(each for each in counts if counts[each] >= rarest)
    tokens = [entries.index(each) if each in entries else len(entries) for each in parts]
    return entries, len(entries) in tokens, tokens[:cut], tokens[cut:]


@settings(max_examples=150, deadline=None)
@given(
    text=st.text("ab c\n\u2003é😀\U0010ffff", max_size=60), level=st.sampled_from(["character", "word"]),
    share=st.floats(0.05, 0.95), rarest=st.integers(1, 3), chunk=st.integers(1, 20),
)  # fmt: skip
@example(text="a b  ", level="word", share=0.5, rarest=1, chunk=2)
def test_tokens_are_those_of_the_slow_twin(text, level, share, rarest, chunk):
    entries, unknown, train, test = slow(text, level, share, rarest)
    before, counting.CHUNK = counting.CHUNK, chunk
    try:
        found = Text.of(text, level, train=share, rarest=rarest)
    except ValueError as error:
        short = min(len(train), len(test)) < 2
        assert ("at least two" in str(error)) == short and (short or not entries)
    else:
        assert found.vocabulary == Vocabulary(entries, level, unknown)
        assert found.train.tolist() == train and found.test.tolist() == test
    finally:
        counting.CHUNK = before


@pytest.mark.parametrize(("content", "options", "problem"), [
    ("", {}, "text: wanted at least two characters in each part, got 0 to train on and 0 to test"),
    ("abcd", {}, "got 3 to train on and 1 to test"),
    ("abcdefgh", {"train": 0.1}, "got 0 to train on and 8 to test"),
    (" \n\t " * 9, {"level": "word"}, "wanted at least two words in each part, got 0 to train"),
    (" \n\t " * 9, {"fold": True}, "wanted at least two characters in each part, got 0 to train"),
    ("a b c d e f g h i j", {"level": "word"}, r"words that occur 5 times or more, got none \(a smaller"),
    ("abcdefghij", {"rarest": 2}, "wanted characters that occur 2 times or more, got none"),
    ("".join(FACES) * 2, {"train": 0.5}, r"at most 65,536 different characters, got 65,537 in its training "
     r"part \(take level=\"word\", or a rarest above 1\)"),
    (" ".join(FACES) + " a" * 20, {"level": "word", "rarest": 1, "train": 0.9999},
     r"at most 65,536 different words, got 65,\d\d\d.* \(take a rarest above 1\)"),
])  # fmt: skip
def test_texts_that_will_not_do_are_named(content, options, problem):
    with pytest.raises(ValueError, match=problem):
        Text.of(content, **options)


def test_too_many_different_words_are_not_kept(monkeypatch):
    monkeypatch.setattr(counting, "MOST_WORDS", 3)
    assert len(Text.of("a b a b a b", "word", rarest=1)) == 6
    with pytest.raises(ValueError, match="text: wanted at most 3 different words, got more"):
        Text.of("a b c d e f", "word")


@pytest.mark.parametrize(("make", "error", "problem"), [
    (lambda: Text.of(b"abc"), TypeError, "content: wanted a str"),
    (lambda: Text.of("abc", "letters"), ValueError, "level: wanted"),
    (lambda: Text.of("abc", None), ValueError, "level: wanted"),
    (lambda: Text.of("abc", fold="yes"), TypeError, "fold: wanted True or False"),
    (lambda: Text.of("abc", train=1), ValueError, r"train: wanted a number in \(0, 1\), got 1"),
    (lambda: Text.of("abc", train=0.0), ValueError, r"train: wanted a number in \(0, 1\)"),
    (lambda: Text.of("abc", train="0.8"), TypeError, "train: wanted a number"),
    (lambda: Text.of("abc", rarest=0), ValueError, "rarest: wanted at least 1, got 0"),
    (lambda: Text.of("abc", rarest=1.5), TypeError, "rarest: wanted an int"),
    (lambda: Text([0, 1], [0], Vocabulary("ab")), ValueError, "test: wanted at least 2, got 1"),
    (lambda: Text([0, 2], [0, 1], Vocabulary("ab")), ValueError, r"train\[1\]: wanted 0 to 1, got 2"),
    (lambda: Text([0, 1], [0, 0.5], Vocabulary("ab")), TypeError, "test: wanted integers"),
    (lambda: Text([0, 1], [0, 1], "ab"), TypeError, "vocabulary: wanted a Vocabulary, got 'ab'"),
    (lambda: Text([0, 1], [0, 1], Vocabulary("ab"), 3), TypeError, "name: wanted a str"),
])  # fmt: skip
def test_bad_arguments_of_a_text_are_named(make, error, problem):
    with pytest.raises(error, match=problem):
        make()


def test_a_fingerprint_tells_what_differs():
    whole = Text.of("abcabcabcabcab").fingerprint()
    assert fingerprint.FORM.fullmatch(whole)
    for other in ("abcabcabcabcaa", "acbacbacbacbab", "abdabdabdabdab", "abcabcabcabcabc"):
        assert Text.of(other).fingerprint() != whole
    assert Text.of("abcabcabcabcab", train=0.7).fingerprint() != whole
    assert Text.of("a b " * 9, "word", rarest=1).fingerprint() != Text.of("ab" * 9).fingerprint()


def test_line_ends_do_not_change_a_fingerprint(tmp_path):
    lines = corpus.ALICE.read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbf" + lines)
    assert load(tmp_path / "windows.txt").fingerprint() == embedded().fingerprint()


def test_a_file_that_will_not_do_is_named_by_its_path(tmp_path):
    path = tmp_path / "a\n.txt"
    path.write_text("ab")
    with pytest.raises(ValueError, match=r"/a\\n\.txt: wanted at least two characters in each part"):
        load(path)


def test_memory_that_cannot_be_had_is_said(monkeypatch):
    monkeypatch.setattr(bounded, "free_bytes", lambda: 11)
    with pytest.raises(ValueError, match="big: its 12 bytes do not fit the 11 of memory that are free"):
        Text.of("abc", name="big")


@pytest.mark.parametrize("options", [{"fold": True}, {"train": 0.5}, {"rarest": 40}, {"level": "word"}])
def test_the_text_that_comes_with_cynet_takes_what_a_file_does(options):
    found = embedded(**options).fingerprint()
    assert found == load(corpus.ALICE, **options).fingerprint() != embedded().fingerprint()
