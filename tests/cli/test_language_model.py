"""`cynet language-model`: train on a text, and let it write."""

import json
import sys

import pytest

from cynet import cli
from cynet.cli import language_model as command
from cynet.cli import train
from cynet.cli.gathering import gather
from cynet.cli.options import OPTIONS
from cynet.cli.parser import Parser
from cynet.runs import recipes
from cynet.runs.origins import read
from cynet.runs.writer import Writer

pytestmark = pytest.mark.usefixtures("one_thread")
CONTENT = "the quick brown fox jumps over the lazy dog. " * 40
SMALL = ("--model-option", "embedding=6", "--model-option", "hidden=12", "--batch-size", 8, "--no-report")


def said(capsys, *arguments):
    status = cli.main(["language-model", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("language")
    (place / "own.txt").write_text(CONTENT)
    flags = ("--text", place / "own.txt", "--sequence-length", 20, "--epochs", 25, "--lr", 0.02)
    arguments = ["train", *flags, *SMALL, "--run-dir", place / "run"]
    assert cli.main(["language-model", *map(str, arguments)]) == 0
    return place / "run"


@pytest.mark.parametrize(("arguments", "recipe", "option"), [
    ([], "alice", {"embedding": 64, "hidden": 128}),
    (["--data", "alice", "--model-option", "cell=lstm"], "alice",
     {"embedding": 64, "hidden": 128, "cell": "lstm"}),
    (["--text", "a.txt", "--model-option", "hidden=7"], "language_model", {"embedding": 512, "hidden": 7}),
    (["--data", "text", "--data-dir", "a.txt"], "language_model", {"embedding": 512, "hidden": 512}),
    (["--recipe", "alice", "--model-option", "hidden=7"], "alice", {"embedding": 64, "hidden": 7}),
    (["--model", "language_model", "--model-option", "hidden=7"], "alice", {"embedding": 64, "hidden": 7}),
])  # fmt: skip
def test_it_begins_with_the_settings_of_a_recipe(monkeypatch, arguments, recipe, option):
    parser, seen = Parser("language-model", ""), []
    command.add_flags(parser)
    monkeypatch.setattr(command.train, "run", seen.append)
    command.run(parser.parse_args(["train", *arguments]))
    values, origins = gather(seen[0])
    assert origins["epochs"] == f"recipe {recipe}" and values["model"] == "language_model"
    assert json.loads(values["model_option"]) == option
    assert values["data_dir"] == ("a.txt" if "a.txt" in arguments else None)


@pytest.mark.parametrize(("file", "arguments", "option"), [
    (None, "", {"embedding": 64, "hidden": 128}),
    (None, "--model-option layers=2", {"embedding": 64, "hidden": 128, "layers": 2}),
    ('model = "language_model"', "--model-option hidden=2", {"embedding": 64, "hidden": 2}),
    (None, "--model net.py", None), (None, "--model net.py --model-option width=2", {"width": 2}),
    ('model = "uwnet0"', "", None), ("model_option = '{\"hidden\": 3}'", "", {"hidden": 3}),
    ("model_option = '{\"hidden\": 3}'", "--model-option layers=2", {"layers": 2}),
])  # fmt: skip
def test_options_of_a_recipe_are_for_its_own_net_and_stay_beside_those_of_flags(
    tmp_path, file, arguments, option
):
    parser = Parser("train", "")
    train.add_flags(parser)
    if file is not None:
        (tmp_path / "own.toml").write_text(file)
        arguments += f" --config {tmp_path}/own.toml"
    values, _ = gather(parser.parse_args(["--recipe", "alice", *arguments.split()]))
    assert (json.loads(values["model_option"]) if option else values["model_option"]) == option


@pytest.mark.parametrize(("content", "words"), [
    (None, "no such file or folder: "), (b"", "wanted text, got an empty file"),
    (b"caf\xe9", "wanted text in UTF-8, got 0xe9"), (b"hi", "wanted at least two characters in each part"),
])  # fmt: skip
@pytest.mark.parametrize("more", [(), ("--lr-find",), ("--recipe", "alice")])
def test_a_text_that_cannot_be_read_is_told_by_its_flag(tmp_path, capsys, content, words, more):
    if content is not None:
        (tmp_path / "own.txt").write_bytes(content)
    status, out, err = said(capsys, "train", "--text", tmp_path / "own.txt", *more)
    assert (status, out) == (2, "") and err.startswith("cynet language-model: error: --text: ")
    assert words in err and err.count("\n") == 1 and "--data-dir" not in err
    given = ("--data", "text", "--data-dir", tmp_path / "own.txt")
    assert said(capsys, "train", *given)[2] == err.replace("--text", "--data-dir")


def test_what_a_recipe_gives_is_refused_with_the_flag_that_gives_another(tmp_path, capsys):
    (tmp_path / "own.txt").write_text("ab\ncd e")
    status, _, err = said(capsys, "train", "--text", tmp_path / "own.txt")
    words = "batch_size: wanted at most 2, so that each row has two of the 5 tokens, got 256 (--batch-size)"
    assert (status, err) == (2, f"cynet language-model: error: recipe language_model: {words}\n")


def test_other_errors_of_a_text_keep_their_flags(tmp_path, capsys):
    (tmp_path / "own.txt").write_text(CONTENT)
    status, _, err = said(capsys, "train", "--text", tmp_path / "own.txt", "--batch-size", 5000)
    assert status == 2 and err.startswith("cynet language-model: error: --batch-size: wanted at most 720")


@pytest.mark.parametrize(("options", "words"), [
    (["cell=rnn"], "cell: wanted 'gru' or 'lstm', got 'rnn'"),
    (["hidden=0"], "hidden: wanted at least 1, got 0"),
    (["embedding=many"], "embedding: wanted an int, got 'many'"),
    (["layers=1001"], "layers: wanted at most 1000, got 1001"),
    (["tied=true", "hidden=3"], "tied: wanted hidden=512, as the embedding, got 3"),
])  # fmt: skip
def test_an_option_that_the_net_does_not_take_is_told_by_its_flag(tmp_path, capsys, options, words):
    (tmp_path / "own.txt").write_text(CONTENT)
    flags = ("--text", tmp_path / "own.txt", "--batch-size", 8)
    given = [part for option in options for part in ("--model-option", option)]
    status, out, err = said(capsys, "train", *flags, *given)
    assert (status, out) == (2, "") and err == f"cynet language-model: error: --model-option: {words}\n"


def test_it_writes_what_it_learnt(run, capsys):
    for more in (("--strategy", "max"), ("--strategy", "beam", "--beam-width", 3), ("--temperature", 0)):
        status, out, err = said(capsys, "generate", run, "--prompt", "the quick ", "--length", 9, *more)
        assert (status, out, err) == (0, "the quick brown fox\n", "")
    texts = [
        said(
            capsys, "generate", run / "last.safetensors", "--prompt", "t", "--seed", seed, "--temperature", 3
        )[1]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2] and {len(text) for text in texts} == {302}


@pytest.mark.parametrize(("flags", "words"), [
    ((), "the following arguments are required: --prompt"),
    (("--prompt", "thé"), "--prompt: wanted characters of the vocabulary, got 'é' (U+00E9) at 2"),
    (("--prompt", ""), "--prompt: wanted a character or more, got ''"),
    (("--prompt", "t", "--temperature", -1), "--temperature: wanted a number of at least 0, got '-1'"),
    (("--prompt", "t", "--strategy", "best"), "--strategy: wanted one of max, sample, beam, got 'best'"),
    (("--prompt", "t", "--beam-width", 0), "--beam-width: wanted a whole number from 1 to 256, got '0'"),
    (("--prompt", "t", "--beam-width", 257), "--beam-width: wanted a whole number from 1 to 256, got '257'"),
    (("--prompt", "t", "--length", 0), "--length: wanted a whole number from 1 to 1048576, got '0'"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused(run, capsys, flags, words):
    assert said(capsys, "generate", run, *flags) == (2, "", f"cynet language-model: error: {words}\n")


@pytest.mark.parametrize(("strategy", "flags", "named"), [
    ("max", ("--temperature", 0.3, "--beam-width", 2), ["--temperature", "--beam-width"]),
    ("max", ("--seed", 1), ["--seed"]),
    ("max", ("--temperature", 0, "--seed", 0), ["--temperature", "--seed"]),
    ("beam", ("--temperature", 1, "--beam-width", 2), ["--temperature"]),
    ("sample", ("--temperature", 1, "--beam-width", 2, "--seed", 1), ["--beam-width"]),
])  # fmt: skip
def test_flags_that_change_nothing_are_told(run, capsys, strategy, flags, named):
    given = ("generate", run, "--prompt", "the ", "--length", 5, "--strategy", strategy)
    status, out, err = said(capsys, *given, *flags)
    assert (status, out) == (0, said(capsys, *given, *(flags[-2:] if strategy == "sample" else ()))[1])
    assert err == "".join(f"note: {flag} changes nothing with --strategy {strategy}\n" for flag in named)


def test_help_of_generate_tells_limits_defaults_and_what_is_required(capsys):
    with pytest.raises(SystemExit):
        cli.main(["language-model", "generate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for words in ("--prompt TEXT [", "1 to 256 (default: 5)", "1 to 1,048,576 (default: 300)", "accuracy"):
        assert (words in text) == (words != "accuracy")


def test_help_of_train_tells_the_defaults_of_its_recipes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["language-model", "train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    sheets = [read(recipes.file(name, ""), "") for name in ("language_model", "alice")]
    assert sheets[0].keys() == sheets[1].keys()  # no default of one stands for the other
    for name in sheets[0].keys() - {"model_option"}:
        words, first, second = OPTIONS[name].help, *(str(sheet[name]) for sheet in sheets)
        more = "" if first == second else f"; recipe alice: {second}"
        assert f"{words.partition(' (default')[0]} (default: {first}{more})" in text
    assert "(default: embedding=512 hidden=512; recipe alice: embedding=64 hidden=128)" in text
    for wrong in ("uwnet2", "shapes10)", "sgd)", "1500", "4e-05", "constant with", "after 60%", ": 0.1;"):
        assert wrong not in text


@pytest.mark.parametrize("strategy", ["max", "sample"])
def test_a_text_that_is_stopped_is_shown_as_far_as_it_is(run, capsys, monkeypatch, strategy):
    def stopped(pieces):
        for count, piece in enumerate(pieces):
            if count == 40:
                assert capsys.readouterr().out  # it is shown while it is made
                raise KeyboardInterrupt
            yield piece

    pieces = Writer.pieces
    monkeypatch.setattr(Writer, "pieces", lambda *given, **more: stopped(pieces(*given, **more)))
    given = ("generate", run, "--prompt", "the ", "--strategy", strategy)
    status, out, err = said(capsys, *given)
    assert (status, err) == (130, "cynet language-model: interrupted\n") and out.endswith("\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_is_not_steered_by_what_is_written(run, capsys, monkeypatch, is_terminal):
    odd = "\x1b[31m\x07\x9b\u202e\u2067\u200f\n\tna\xefve \u200d\xa0\r"
    monkeypatch.setattr(Writer, "pieces", lambda *given, **more: iter(["the", *odd]))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    _, out, _ = said(capsys, "generate", run, "--prompt", "the")
    escaped = "\\x1b[31m\\x07\\x9b\\u202e\\u2067\\u200f\n\tna\xefve \u200d\xa0\\r"
    assert out == f"the{escaped if is_terminal else odd}\n"


@pytest.mark.parametrize(("flags", "words"), [
    (("--text", "a", "--data", "alice"), "--text: not allowed with argument --data"),
    (("--text", "a", "--data-dir", "b"), "--text: not allowed with argument --data-dir"),
    (("--text", "a", "--resume", "b", "--data-dir", "c"), "--text: not allowed with argument --data-dir"),
    (("--text", "a", "--resume", "none_such"), "--resume: no such run folder: none_such"),
    (("--text", "none_such.txt"), "no such file or folder: none_such.txt"),
    (("--augment",), "--augment: wanted False for labels of task language"),
])  # fmt: skip
def test_what_cannot_be_trained_is_refused(capsys, flags, words):
    status, out, err = said(capsys, "train", *flags)
    assert (status, out, err.count("\n")) == (2, "", 1) and words in err


def test_a_run_goes_on_with_its_text_at_another_place(tmp_path, capsys):
    text, moved, other = tmp_path / "own.txt", tmp_path / "moved.txt", tmp_path / "other.txt"
    text.write_text(CONTENT)
    flags = ("--text", text, "--sequence-length", 20, "--steps", 4, *SMALL, "--run-dir", tmp_path / "run")
    assert said(capsys, "train", *flags)[0] == 0
    other.write_text(CONTENT.replace("lazy", "zaly"))
    text.rename(moved)
    more = ("train", "--resume", tmp_path / "run", "--steps", 6, "--allow-change", "steps", "--no-report")
    refused = said(capsys, *more)
    assert refused == (2, "", f"cynet language-model: error: --text: no such file or folder: {text}\n")
    status, _, err = said(capsys, *more, "--text", other)
    assert status == 2 and "the data are not those that the run began with" in err
    status, out, _ = said(capsys, *more, "--text", moved)
    assert status == 0 and "going on after step 4" in out
    assert f'data_dir = "{moved}"' in (tmp_path / "run" / "config.toml").read_text()


def test_a_model_of_pictures_writes_nothing(tmp_path, capsys):
    flags = ["--data", "shapes10", "--model", "uwnet0", "--steps", "1", "--batch-size", "8", "--no-report"]
    assert cli.main(["train", *flags, "--run-dir", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    status, _, err = said(capsys, "generate", tmp_path / "run", "--prompt", "a")
    assert status == 2 and "wanted a model of texts, got one of task classify" in err


def test_words_are_written_with_spaces(tmp_path, capsys):
    (tmp_path / "own.txt").write_text(CONTENT)
    flags = ("--text", tmp_path / "own.txt", "--level", "word", "--sequence-length", 9, "--steps", 3)
    assert said(capsys, "train", *flags, *SMALL, "--run-dir", tmp_path / "run")[0] == 0
    writer = Writer(tmp_path / "run")
    text = writer("the quick", 4)
    assert text.startswith("the quick ") and len(text.split()) == 6 and writer.vocabulary.level == "word"
    with pytest.raises(ValueError, match="wanted words of the vocabulary, got 'cat'"):
        writer.tokens("the cat")


@pytest.mark.parametrize("what", ["kernels", "train", "infer", "memory", "profile"])
def test_the_benchmarks_of_pictures_do_not_take_it(capsys, what):
    assert cli.main(["bench", what, "--model", "language_model"]) == 2
    words = "--model: wanted a net of pictures or signals, got language_model, one of texts"
    assert capsys.readouterr().err == f"cynet bench: error: {words}\n"
