"""A Writer goes on from a prompt by the weights, the vocabulary and the options that were asked for."""

import json

import pytest

import cynet
from cynet import cli
from cynet.core.threads import get_num_threads
from cynet.data.text import Vocabulary
from cynet.models.language_model import language_model
from cynet.runs import writer as module
from cynet.runs.facts import Facts
from cynet.runs.filenames import BEST, WEIGHTS
from cynet.runs.weights import save_weights
from cynet.runs.writer import Writer

OPTIONS = {"embedding": 6, "hidden": 8}


def saved(path, vocabulary, told=True, seed=0, **more):
    names = vocabulary.names
    facts = Facts(
        "language_model", True, "text", names, (), (), (10,), task="language", kind="tokens",
        vocabulary=vocabulary.to_dict() if told else None, model_option=json.dumps(OPTIONS), **more,
    )  # fmt: skip
    cynet.seed(seed)
    save_weights(path, language_model((10,), len(names), **OPTIONS), facts)


@pytest.fixture
def run(tmp_path):
    """A folder with the last and the best weights, which are not the same."""
    for seed, name in enumerate((WEIGHTS, BEST)):
        saved(tmp_path / name, Vocabulary("abcd"), seed=seed)
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What `one_by_one` is called with, the prompt in place of what read it; it gives the tokens 0, 1."""
    calls = []

    def one_by_one(tokens, *more):
        calls.append((list(tokens), *more))
        return [0, 1]

    monkeypatch.setattr(module, "begun", lambda model, tokens: tokens)
    monkeypatch.setattr(module, "one_by_one", one_by_one)
    return calls


def test_it_has_the_weights_that_are_named(run):
    last, best = Writer(run, "last"), Writer(run, "best")
    assert (last.path.name, best.path.name) == (WEIGHTS, BEST)
    one, other = (each.model[0].weight.data for each in (last, best))
    assert (one != other).any() and last.vocabulary == Vocabulary("abcd")
    assert repr(last) == f"Writer({str(run / WEIGHTS)!r}: Vocabulary(4 characters))"


def test_what_is_asked_of_a_writer_is_asked_of_the_net(run, asked):
    writer = Writer(run, "last")
    assert writer("ba", 7) == "baab" and list(writer.pieces("d", 2)) == ["d", "a", "b"]
    more = {"temperature": 0.5, "beam_width": 3, "seed": 9}
    assert writer("c", 8, "beam", **more) == "cab"
    assert asked == [([1, 0], 7, "max", 1.0, 5, 0), ([3], 2, "max", 1.0, 5, 0), ([2], 8, "beam", 0.5, 3, 9)]


def test_a_prompt_has_the_line_ends_of_a_text(tmp_path, asked):
    saved(tmp_path / "a.safetensors", Vocabulary("\nab"))
    assert Writer(tmp_path / "a.safetensors")("b\r\na\r", 2) == "b\na\n\na" and asked[0][0] == [2, 0, 1, 0]
    saved(tmp_path / "b.safetensors", Vocabulary("\n\rab"))  # a vocabulary that was made in Python
    assert Writer(tmp_path / "b.safetensors")("b\r\n", 2) == "b\r\n\n\r"


def test_words_stand_apart_from_the_prompt(tmp_path, asked):
    saved(tmp_path / "a.safetensors", Vocabulary(["cat", "sat"], "word", unknown=True))
    writer = Writer(tmp_path / "a.safetensors")
    assert writer("sat cat", 2) == "sat cat cat sat" and writer("cat\n", 2) == "cat\ncat sat"
    assert list(writer.pieces("sat  ", 2)) == ["sat  ", "cat", " sat"]
    with pytest.raises(ValueError, match=r"^wanted a word or more, got ' '$"):
        writer.tokens(" ")
    with pytest.raises(ValueError, match=r"^wanted words of the vocabulary, got 'dog' at 1$"):
        writer.tokens("cat dog")


def test_a_prompt_is_folded_as_the_text_of_the_net_was(tmp_path, asked):
    for fold in (True, False):
        saved(tmp_path / "a.safetensors", Vocabulary(" ab"), fold=fold)
        writer = Writer(tmp_path / "a.safetensors")
        assert writer.tokens("a b").tolist() == [1, 0, 2]
        if fold:
            assert writer.tokens("a\n\t b\n").tolist() == [1, 0, 2, 0]
            assert writer("a\n", 2) == "a  a" and asked[-1][0] == [1, 0]
    with pytest.raises(ValueError, match=r"wanted characters of the vocabulary, got '\\n'"):
        writer.tokens("a\n")


def test_weights_that_do_not_tell_their_vocabulary_are_refused_by_name(tmp_path):
    saved(tmp_path / "a.safetensors", Vocabulary("ab"), told=False)
    with pytest.raises(ValueError, match=r"/a\.safetensors: wanted weights that tell of their vocabulary"):
        Writer(tmp_path / "a.safetensors")


def test_every_flag_of_generate_reaches_the_net(run, asked, monkeypatch, capsys):
    threads = []
    monkeypatch.setattr("cynet.core.threads.set_num_threads", threads.append)
    command = ["language-model", "generate", str(run), "--prompt", "ba", "--weights"]
    assert cli.main([*command, "best"]) == 0 and threads == [] and get_num_threads() > 0
    flags = "--strategy beam --temperature 0.5 --beam-width 3 --seed 9 --length 8 --threads 1"
    assert cli.main([*command, "last", *flags.split()]) == 0
    assert asked == [([1, 0], 300, "sample", 1.0, 5, 0), ([1, 0], 8, "beam", 0.5, 3, 9)] and threads == [1]
    assert capsys.readouterr().out == "baab\nbaab\n"


@pytest.mark.parametrize(("flag", "most"), [
    ("--length", 1 << 20), ("--beam-width", 256), ("--seed", 2**63 - 1)
])  # fmt: skip
def test_flags_of_generate_end_at_their_limits(run, asked, capsys, flag, most):
    command = ["language-model", "generate", str(run), "--weights", "last", "--prompt", "a", flag]
    assert cli.main([*command, str(most)]) == 0 and most in asked[0]
    assert cli.main([*command, str(most + 1)]) == 2
    assert f"{flag}: wanted a whole number from " in capsys.readouterr().err


def test_the_weights_of_a_run_are_those_that_are_asked_for(run, monkeypatch):
    seen = []
    monkeypatch.setattr("cynet.runs.writer.Writer.__init__", lambda self, path, **_: seen.append(path.name))
    monkeypatch.setattr("cynet.runs.writer.Writer.tokens", lambda self, prompt: [0])
    monkeypatch.setattr("cynet.runs.writer.Writer.pieces", lambda self, *given, **more: ())
    for which in ("last", "best"):
        cli.main(["language-model", "generate", str(run), "--prompt", "a", "--weights", which])
    assert seen == [WEIGHTS, BEST]


def test_a_net_that_writes_nothing_is_refused_by_its_file(tmp_path):
    """One that remembers nothing of what it read, and one that is none of texts."""
    names = ("a", "b")
    facts = Facts("own", True, "text", names, (), (), (10,), task="language", kind="tokens",
                  vocabulary=Vocabulary("ab").to_dict())  # fmt: skip
    none = cynet.Sequential(cynet.nn.Embedding(2, 4), cynet.Linear(4, 2))
    save_weights(tmp_path / "a.safetensors", none, facts)
    with pytest.raises(
        ValueError, match=r"/a\.safetensors: model: wanted Embedding, GRU or LSTM, and Linear"
    ):
        Writer(tmp_path / "a.safetensors")
    rows = Facts("own", True, "rows", names, (0.0,), (1.0,), (1,), kind="float32")
    save_weights(tmp_path / "b.safetensors", cynet.Linear(1, 2), rows)
    with pytest.raises(
        ValueError, match=r"/b\.safetensors: wanted a model of texts, got one of task classify$"
    ):
        Writer(tmp_path / "b.safetensors")
