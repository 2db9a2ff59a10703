"""The name that was probably meant."""

import itertools

import pytest

from cynet.core.hints import edits, near, plain


def by_search(one, other):
    """The fewest changes of letters, found by trying all: texts of two letters, up to four long."""
    letters, reached, steps = "ab", {one}, 0
    while other not in reached:
        new = set()
        for text in reached:
            for i in range(len(text) + 1):
                new |= {text[:i] + letter + text[i:] for letter in letters}
                new |= {text[:i] + letter + text[i + 1 :] for letter in letters if i < len(text)}
                new.add(text[:i] + text[i + 1 :])
                new.add(text[:i] + text[i : i + 2][::-1] + text[i + 2 :])
        reached, steps = new, steps + 1
    return steps


def test_the_distance_is_the_fewest_changes_of_letters():
    texts = ["".join(t) for n in range(4) for t in itertools.product("ab", repeat=n)]
    for one in texts:
        for other in texts:
            assert edits(one, other) == by_search(one, other), (one, other)
    assert edits("kitten", "sitting") == 3 and edits("form", "from") == 1


@pytest.mark.parametrize(("name", "known", "wanted"), [
    ("trian", ["train", "data"], "train"), ("Train", ["train"], "train"), ("tr", ["train"], None),
    ("tra", ["train"], "train"), ("batchsize", ["batch-size"], "batch-size"), ("size_batch", ["batch-size"],
     "batch-size"), ("--no-augment", ["--augment", "--no-augments"], "--no-augments"),
    ("--no-augment", ["--augment"], None), ("augment", ["--no-augment"], None), ("xyz", ["train"], None),
    ("ab", ["ac"], "ac"), ("a", ["b"], None), ("abc", ["axy"], None), ("abcdef", ["abxyef"], "abxyef"),
    ("abcde", ["axyde"], "axyde"), ("abcd", ["axyd"], None), ("abcdefghi", ["abcxyzghi"], "abcxyzghi"),
    ("abcdefgh", ["abcxyzgh"], None), ("bat", ["cat", "hat"], "cat"), ("bat", ["hat", "cat"], "hat"),
    ("epoch", ["epochs-more", "epochs"], "epochs"),
    ("size-batch", ["size-batchs", "batch-size"], "batch-size"),
    ("", ["a"], None), ("train", [], None), ("a" * 100, ["a" * 99 + "b"], "a" * 99 + "b"),
    ("a" * 101, ["a" * 101], None), ("--no_augment", ["--no-augment"], "--no-augment"),
    ("tra", ["trap", "train"], "trap"), ("tra", ["train", "trade-off"], "train"), ("abcd", ["abxd"], "abxd"),
])  # fmt: skip
def test_the_nearest_name_or_none(name, known, wanted):
    assert near(name, known) == wanted


def test_a_name_without_its_dashes():
    assert plain("--Batch_Size now") == "batch-size-now"
