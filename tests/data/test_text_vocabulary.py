"""A vocabulary: tokens of a text and back, and as plain data."""

import json

import numpy as np
import pytest
from damages import COUNT, damaged_values
from hypothesis import given, settings
from hypothesis import strategies as st

from cynet.data.text import Vocabulary, vocabulary

LETTERS = Vocabulary("\n abcé\u2028😀", unknown=True)
WORDS = Vocabulary(["A", "a", "cat", "sat"], "word", unknown=True)


def test_tokens_are_the_places_of_entries():
    tokens = LETTERS.encode("a cab\né😀")
    assert tokens.dtype == np.int64 and tokens.tolist() == [2, 1, 4, 2, 3, 0, 5, 7]
    assert LETTERS.decode(tokens) == "a cab\né😀" and len(LETTERS) == 9 and LETTERS.unknown_token == 8
    assert WORDS.encode("\ta cat\nsat ").tolist() == [1, 2, 3] and WORDS.decode([1, 2, 3]) == "a cat sat"
    assert Vocabulary("ab").unknown_token is None and len(Vocabulary("ab")) == 2
    for each in (LETTERS, WORDS):
        assert each.encode("").shape == (0,) and each.encode("").dtype == np.int64 and each.decode([]) == ""


def test_what_is_unknown_is_named_with_its_place():
    with pytest.raises(ValueError, match=r"^text: wanted characters of the vocabulary, got "
                       r"'d' \(U\+0064\) at 2, "
                       r"'\\x00' \(U\+0000\) at 4, '\\udce9' \(U\+DCE9\) at 5$"):  # fmt: skip
        LETTERS.encode("abdd\0\udce9")
    with pytest.raises(ValueError, match=r"got 'd' .* at 0, .*'h' \(U\+0068\) at 4 and others$"):
        LETTERS.encode("defgh" + "i" * 1000)
    with pytest.raises(ValueError, match=r"wanted words of the vocabulary, got 'dog' at 1, '<unk>' at 3$"):
        WORDS.encode("a dog sat <unk>")


def test_what_is_unknown_may_become_the_unknown_token():
    assert LETTERS.encode("ad\ud800b", unknown=True).tolist() == [2, 8, 8, 3]
    assert LETTERS.decode([2, 8]) == "a\ufffd"
    assert (
        WORDS.encode("a dog <unk>", unknown=True).tolist() == [1, 4, 4] and WORDS.decode([1, 4]) == "a <unk>"
    )
    with pytest.raises(ValueError, match="unknown: wanted a vocabulary with an unknown token"):
        Vocabulary("ab").encode("c", unknown=True)


@pytest.mark.parametrize(("tokens", "error", "problem"), [
    ([0, 9], ValueError, r"tokens\[1\]: wanted 0 to 8, got 9"),
    ([-1], ValueError, r"tokens\[0\]: wanted 0 to 8, got -1"),
    (np.uint64([2**64 - 1]), ValueError, r"tokens\[0\]: wanted 0 to 8"),
    ([0.0], TypeError, r"tokens: wanted integers \(n,\), got float64 \(1,\)"),
    ([[1]], TypeError, "tokens: wanted integers"),
    (3, TypeError, "tokens: wanted integers"),
    ("ab", TypeError, "tokens: wanted integers"),
    (None, TypeError, "tokens: wanted integers"),
    ([True], TypeError, "tokens: wanted integers"),
    ([2**70], TypeError, "tokens: wanted integers"),
    ([[1], [1, 2]], TypeError, "tokens: wanted integers"),
])  # fmt: skip
def test_tokens_that_are_none_are_refused(tokens, error, problem):
    with pytest.raises(error, match=problem):
        LETTERS.decode(tokens)


@pytest.mark.parametrize(("make", "error", "problem"), [
    (lambda: Vocabulary(""), ValueError, "entries: wanted 1 to 65,536, got 0"),
    (lambda: Vocabulary("ba"), ValueError, r"entries\[1\]: wanted each once, sorted .* got 'a' after 'b'"),
    (lambda: Vocabulary("aa"), ValueError, r"entries\[1\]: wanted each once"),
    (lambda: Vocabulary(["a", "bc"]), ValueError, r"entries\[1\]: wanted one character, got 'bc'"),
    (lambda: Vocabulary(["", "b"]), ValueError, r"entries\[0\]: wanted one character, got ''"),
    (lambda: Vocabulary("\0a"), ValueError, r"entries\[0\]: wanted one character"),
    (lambda: Vocabulary("a\ud800"), ValueError, r"entries\[1\]: wanted one character"),
    (lambda: Vocabulary(["a", 3]), ValueError, r"entries\[1\]: wanted one character, got 3"),
    (lambda: Vocabulary({"a": 1}), TypeError, "entries: wanted a list of str"),
    (lambda: Vocabulary(None), TypeError, "entries: wanted a list of str"),
    (lambda: Vocabulary(["a b"], "word"), ValueError, r"entries\[0\]: wanted a word of 1 to 100 letters"),
    (lambda: Vocabulary(["<unk>"], "word"), ValueError, r"entries\[0\]: wanted a word"),
    (lambda: Vocabulary(["a" * 101], "word"), ValueError, r"entries\[0\]: wanted a word"),
    (lambda: Vocabulary("ab", "letter"), ValueError, 'level: wanted "character" or "word", got \'letter\''),
    (lambda: Vocabulary("ab", unknown=1), TypeError, "unknown: wanted True or False, got 1"),
    (lambda: LETTERS.encode(b"ab"), TypeError, "text: wanted a str, got b'ab'"),
    (lambda: LETTERS.encode("ab", unknown=1), TypeError, "unknown: wanted True or False"),
])  # fmt: skip
def test_bad_arguments_are_named(make, error, problem):
    with pytest.raises(error, match=problem):
        make()


def test_a_vocabulary_may_be_as_large_as_a_file_can_carry():
    most = vocabulary.MOST_ENTRIES
    entries = [f"{number:06}" for number in range(most + 1)]
    assert (
        len(Vocabulary(entries[:most], "word")) == len(Vocabulary(entries[: most - 1], "word", True)) == most
    )
    for count, unknown in ((most, True), (most + 1, False)):
        with pytest.raises(ValueError, match=rf"entries: wanted 1 to {most - unknown:,}, got {count:,}"):
            Vocabulary(entries[:count], "word", unknown)


@pytest.mark.parametrize("each", [LETTERS, WORDS, Vocabulary("a")])
def test_it_is_plain_data(each):
    data = json.loads(json.dumps(each.to_dict()))
    found = Vocabulary.from_dict(data)
    assert found == each and hash(found) == hash(each) and found.to_dict() == data
    assert found != Vocabulary("xy") and each != data


def test_names_can_be_shown():
    assert LETTERS.names == ("\\n", " ", "a", "b", "c", "é", "\\u2028", "😀", "<unk>")
    assert repr(LETTERS) == "Vocabulary(8 characters and the unknown one)"


@settings(max_examples=COUNT, deadline=None)
@given(value=st.sampled_from([LETTERS, WORDS]).flatmap(lambda each: damaged_values(each.to_dict())))
def test_damaged_data_is_refused_or_a_vocabulary(value):
    try:
        found = Vocabulary.from_dict(value)
    except ValueError as error:
        assert str(error).startswith("vocabulary: ") and len(str(error)) < 300
    else:
        assert found.to_dict() == {**value, "entries": list(value["entries"])}
        entry = found.entries[0]
        assert found.decode(found.encode(entry)) == entry
