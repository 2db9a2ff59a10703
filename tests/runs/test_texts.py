"""Runs on texts: the same trainer, folder, checkpoints and commands as runs on pictures."""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny
from own_nets import Doubled

import cynet
from cynet import cli, data
from cynet.data.text import Text, TokenSet, Vocabulary
from cynet.runs import beginning, checkpoint, life, remarks, texts
from cynet.runs.facts import Facts
from cynet.runs.log import Voice
from cynet.runs.origins import gathered
from cynet.runs.resolving import epoch_steps
from cynet.runs.settings import DEFAULTS
from cynet.runs.state import capture, checked, restore
from cynet.runs.weights import digests, save_weights
from cynet.train import Predictor, Session, Settings, load_weights

pytestmark = pytest.mark.usefixtures("one_thread")
CONTENT = "the quick brown fox jumps over the lazy dog. " * 40
OPTIONS = {"embedding": 6, "hidden": 8}
SETTINGS = Settings(
    model="language_model", model_option=json.dumps(OPTIONS), data="text", batch_size=4, optimizer="adam",
    lr=0.01, steps=30, sequence_length=10,
)  # fmt: skip
RUN = (
    "--model", "language_model", "--model-option", "embedding=6", "--model-option", "hidden=8",
    "--data", "text", "--batch-size", 4, "--optimizer", "adam", "--lr", 0.01,
    "--sequence-length", 10, "--no-report",
)  # fmt: skip


def parts(content=CONTENT, length=10, **options):
    text = Text.of(content, **options)
    return [TokenSet(tokens, length, text.vocabulary) for tokens in (text.train, text.test)]


def session(training=None, test=None, net=None, **changes):
    if training is None:
        training, test = parts()
    return Session(replace(SETTINGS, **changes).resolved(training), training, test, model=net)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "own.txt").write_text(CONTENT)
    return tmp_path / "own.txt"


def train(*arguments):
    return cli.main(["train", *map(str, arguments)])


@pytest.fixture
def run(tmp_path, file, capsys):
    path = tmp_path / "run"
    assert train(*RUN, "--data-dir", file, "--steps", 45, "--run-dir", path) == 0
    capsys.readouterr()
    return path


def test_a_run_learns_and_tells_perplexity_and_accuracy(tmp_path, file, capsys):
    path = tmp_path / "run"
    assert train(*RUN, "--data-dir", file, "--epochs", 3, "--run-dir", path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "data text: 1,439 training and 359 test tokens of 28 different ones" in lines
    assert "task language: which token comes next, by character" in lines
    assert lines[-2].startswith("test accuracy 0.") and lines[-2].endswith(" of 357 tokens")
    assert re.fullmatch(r"test perplexity \d+\.\d{4}", lines[-1])
    assert any(re.match(r"epoch 1  step 36/108 .* test perplexity .* tokens/s", line) for line in lines)
    rows = [line.split(",") for line in (path / "metrics.csv").read_text().splitlines()]
    assert rows[0] == ["step", "epoch", "lr", "train_loss", "train_accuracy", "test_loss", "test_perplexity",
                       "test_accuracy", "seconds"]  # fmt: skip
    assert [row[0] for row in rows[1:]] == ["36", "72", "108"]
    for row in rows[1:]:
        assert math.exp(float(row[5])) == pytest.approx(float(row[6]), rel=1e-4)
    assert float(rows[3][6]) < float(rows[1][6]) < 28


def test_an_epoch_is_the_text_once():
    training, _ = parts()
    for batch, length in ((4, 10), (3, 7), (1, 100), (719, 2)):
        settings = replace(SETTINGS, batch_size=batch, sequence_length=length, task="language")
        wanted = len(data.text.Sequences(training.tokens, batch, length))
        assert epoch_steps(settings, len(training)) == wanted
    with pytest.raises(
        ValueError, match="batch_size: wanted at most 720, so that each row has two of the 1440 "
    ):
        replace(SETTINGS, batch_size=721).resolved(training)


def test_a_step_has_the_tokens_of_the_mean_one():
    counted = []
    observer = cynet.train.Observer()
    observer.stepped = lambda progress: counted.append(progress.images)
    with session(steps=72) as made:  # 359 tokens of each of 4 rows: 35 batches of 10 and one of 9
        made.train([observer])
        assert counted == ([40] * 35 + [36]) * 2 and sum(counted) == pytest.approx(72 * made.step_count)


def test_no_workers_are_chosen_for_a_text(run, file, capsys):
    more = ("--steps", 50, "--allow-change", "steps", "--no-report")
    assert train("--resume", run, *more) == 0
    out = capsys.readouterr().out + (run / "log.txt").read_text()
    assert out.count(" threads, 0 loader workers; ") == 3 and " chosen: " not in out


def test_a_text_of_one_token_alone_is_told():
    with session(*parts("a" * 1000)) as made:
        assert remarks.of(made) == ["all 800 tokens to train on are “a”: there is nothing to learn"]
    with session(*parts("\n" * 1000)) as made:
        assert remarks.of(made)[0].startswith("all 800 tokens to train on are “\\n”: ")
    with session() as made:
        assert remarks.of(made) == []


@pytest.mark.parametrize(("count", "batch", "length", "line"), [
    (4800, 256, 100, "1 step of 256 rows of 100 tokens: try --batch-size 5 (10 steps)"),
    (4800, 16, 100, "3 steps of 16 rows of 100 tokens: try --batch-size 5 (10 steps)"),
    (4800, 6, 100, "8 steps of 6 rows of 100 tokens: try --batch-size 5 (10 steps)"),
    (4800, 5, 100, None),
    (902, 2, 100, "5 steps of 2 rows of 100 tokens: try --batch-size 1 (10 steps)"),
    (901, 1, 100, "9 steps of 1 row of 100 tokens: try --batch-size 1 and --sequence-length 99 (10 steps)"),
    (11, 1, 4, "3 steps of 1 row of 4 tokens: try --batch-size 1 and --sequence-length 1 (10 steps)"),
    (10, 5, 1, "1 step of 5 rows of 1 token"),
])  # fmt: skip
def test_a_text_that_is_short_for_its_batches_is_told_what_suits_it(count, batch, length, line):
    tokens = np.arange(count) % 7
    text = TokenSet(tokens, length, Vocabulary("abcdefg"))
    with session(text, text, batch_size=batch, sequence_length=length) as made:
        assert remarks.of(made) == ([f"an epoch is {line}"] if line else [])
        assert len(made.batches) == epoch_steps(made.settings, len(text))
    numbers = re.search(r"--batch-size (\d+)(?: and --sequence-length (\d+))? \((\d+) steps", line or "")
    if numbers:
        rows, other, steps = (int(each or length) for each in numbers.groups())
        assert len(data.text.Sequences(tokens, rows, other)) == steps


def test_the_bar_says_tokens(file, tmp_path):
    made = []
    real = life.Company.screen

    def screen(*given, **more):
        made.append((given, more["what"]))
        return real(*given, **more)

    company = life.Company(Voice(None), screen)
    given = {name: value for name, value in vars(SETTINGS).items() if value != DEFAULTS[name]}
    values, origins = gathered([("python", given | {"data_dir": str(file)})], company.names)
    beginning.begin(values, origins, tmp_path / "run", company)
    assert made == [((30, pytest.approx(1436 / 36)), "tokens")]


def test_the_weights_depend_on_length_level_and_folding(file):
    found = []
    for more in ({}, {"sequence_length": 9}, {"level": "word"}, {"fold": True}, {"random_starts": True}):
        settings = {"sequence_length": 10} | more
        options = {name: value for name, value in settings.items() if name != "random_starts"}
        content = CONTENT.replace("jumps", "jumps\n\n")
        file.write_text(content)
        training, test = (data.load("text", file, split, **options) for split in ("train", "test"))
        with session(training, test, **settings) as made:
            made.train()
            found.append(digests(made.model))
    assert all(one != other for i, one in enumerate(found) for other in found[:i])


def test_random_starts_begin_the_state_anew_after_ten_batches():
    training, _ = parts()
    settings = replace(SETTINGS, random_starts=True).resolved(training)
    batches = texts.training_batches(training, settings)
    assert [number for number in range(len(batches)) if batches.begins(number)] == [0, 10, 20, 30]
    assert len(batches) == 36 and all(x.shape == (4, 10) for x, _ in batches)
    other = texts.training_batches(training, replace(settings, seed=1))
    assert not np.array_equal(other.order(0), batches.order(0))


def test_a_text_too_short_for_random_starts_is_refused(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text("to be or not to be, " * 6)  # 96 characters to train on
    flags = ("--data-dir", path, "--random-starts", "--run-dir", tmp_path / "run", "--batch-size", 2)
    assert train(*[flag for flag in RUN if flag != "--no-report"], *flags) == 2
    assert capsys.readouterr().err == (
        "cynet train: error: --sequence-length: wanted at most 9, so that 10 sequences from a random place "
        "fit the 96 tokens, got 10\n"
    )


def test_the_rate_drops_after_every_so_many_epochs():
    training, _ = parts()
    settings = replace(SETTINGS, steps=None, epochs=7, lr_drop="2:.5").resolved(training)
    assert settings.schedule == "steps" and settings.lr_steps == {72: 0.005, 144: 0.0025, 216: 0.00125}
    assert settings.resolved(training) == settings
    short = replace(SETTINGS, lr_drop="2:.5").resolved(training)
    assert (short.schedule, short.lr_steps) == ("constant", {}) and short.resolved(9) == short
    with pytest.raises(ValueError, match="lr_drop: wanted at most 1,000 drops in 99999 steps, got 2,777"):
        replace(SETTINGS, steps=99999, lr_drop="1:.5").resolved(training)


def test_a_longer_run_drops_its_rate_later(run, file, tmp_path, capsys):
    path = tmp_path / "other"
    assert train(*RUN, "--data-dir", file, "--lr-drop", "2:.5", "--epochs", 1, "--run-dir", path) == 0
    more = ("--epochs", 3, "--allow-change", "epochs")
    assert train("--resume", path, *more, "--no-report") == 0
    whole = tmp_path / "whole"
    assert train(*RUN, "--data-dir", file, "--lr-drop", "2:.5", "--epochs", 3, "--run-dir", whole) == 0
    assert (path / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()
    assert 'schedule = "steps"' in (path / "config.toml").read_text()


@pytest.mark.parametrize(("changes", "words"), [
    ({"augment": "crop"}, "augment: wanted False for labels of task language, got crop"),
    ({"mixup": 0.2}, "mixup: wanted 0 for"), ({"validation": 0.1}, "validation: wanted 0 for"),
    ({"tta": "flip"}, "tta: wanted none"), ({"balanced": True}, "balanced: wanted False"),
    ({"class_weights": "balanced"}, "class_weights: wanted none"),
    ({"accumulate": 2}, "accumulate: wanted 1"),
    ({"loss": "mse"}, "loss: wanted task regress"), ({"task": "classify"}, "task: wanted language"),
    ({"sequence_length": 11}, "sequence_length: wanted 10, as the text has, got 11"),
    ({"level": "word"}, "level: wanted character, as the text has, got word"),
    ({"batch_norm": False}, "batch_norm: wanted True for language_model"),
    ({"model": "uwnet2", "model_option": None},
     r"model: uwnet2 cannot .* \(did you mean model language_model\?\)"),
    ({"model": "conv1d_small", "model_option": None}, "model: conv1d_small cannot take the tokens of text"),
    ({"model_option": '{"cell": "rnn"}'}, "cell: wanted 'gru' or 'lstm'"),
])  # fmt: skip
def test_what_does_not_go_with_a_text_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        session(**changes)


@pytest.mark.parametrize(
    "flags", [("--sequence-length", 5), ("--level", "word"), ("--fold",), ("--random-starts",)]
)
def test_what_does_not_go_with_pictures_is_refused(tmp_path, capsys, flags):
    assert train("--data", "tiny", *flags, "--run-dir", tmp_path / "run") == 2
    assert capsys.readouterr().err.startswith(f"cynet train: error: {flags[0]}: wanted a text")
    with pytest.raises(ValueError, match=f"{flags[0][2:].replace('-', '_')}: wanted a text beside it"):
        name = flags[0][2:].replace("-", "_")
        replace(Settings(), **{name: {"level": "word", "sequence_length": 5}.get(name, True)}).resolved(
            tiny.tiny()
        )


def test_the_net_of_texts_takes_no_pictures(capsys):
    assert train("--data", "tiny", "--model", "language_model", "--batch-size", 8) == 2
    assert "input_shape: wanted (length,) of tokens" in capsys.readouterr().err
    rows = data.ArrayDataset(
        np.random.default_rng(0).random((40, 7), np.float32), np.arange(40) % 2, layout="NF"
    )
    with pytest.raises(ValueError, match=r"model: language_model cannot take the rows .*: it gives \(7, 2\)"):
        Session(Settings(model="language_model", batch_size=4, steps=2).resolved(rows), rows, rows)


def test_other_texts_to_test_with_are_refused():
    training, _ = parts()
    _, test = parts(CONTENT.replace("quick", "QUICK"))
    with pytest.raises(ValueError, match="data: wanted tokens for testing of the same vocabulary"):
        session(training, test)
    with pytest.raises(ValueError, match="data: wanted samples for testing as those for training"):
        session(training, tiny.tiny())
    bare = TokenSet(np.arange(30) % 5, 10)
    with pytest.raises(ValueError, match="data: wanted tokens for testing below 5, as for training, got 6"):
        session(bare, TokenSet(np.arange(30) % 7, 10))
    with session(bare, bare) as made:
        made.train()
        assert made.facts.vocabulary is None and made.facts.classes == tuple("01234")


def test_a_net_of_ones_own_is_trained_and_tried_first():
    with session(net=lambda input_shape, classes: Doubled(classes), model_option=None) as made:
        made.train()
        assert set(cynet.train.carrying.carried(made.model)) == {"body.1.h", "body.2.h"}

    def flat(input_shape, classes):
        return cynet.Sequential(cynet.nn.Embedding(classes, 4), cynet.Linear(4, classes + 1))

    with pytest.raises(
        ValueError, match=r"wanted an output of shape \(N, 10, 28\) for inputs of \(N, 10\), got"
    ):
        session(net=flat, model_option=None)


# -- checkpoints ---------------------------------------------------------------------------------------------
def kept(made):
    tensors, state = capture(made)
    return tensors, json.loads(json.dumps(state))


def half_way(cell="gru", steps=50):
    made = session(model_option=json.dumps(OPTIONS | {"cell": cell, "layers": 2}), steps=steps)
    made.train()
    return made


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_checkpoint_within_an_epoch_has_the_states_that_are_carried(cell):
    with half_way(cell) as made:
        tensors, state = kept(made)
        names = {"carried.1.h"} | ({"carried.1.c"} if cell == "lstm" else set())
        assert {name for name in tensors if name.startswith("carried.")} == names
        assert tensors["carried.1.h"].shape == (2, 4, 8) and tensors["carried.1.h"].any()
        checked(tensors, state)
        packed = checkpoint.pack(tensors, state)
        assert packed == checkpoint.pack(*kept(made))
        for name, array in {"carried.1.h": None, "carried.1.x": tensors["carried.1.h"]}.items():
            broken = {key: value for key, value in tensors.items() if key != name}
            broken |= {} if array is None else {name: array}
            with pytest.raises(ValueError, match=f"(missing|unexpected): {name}"):
                checked(broken, state)
        for wrong in (np.zeros((2, 5, 8), np.float32), np.zeros((2, 4, 8))):
            with pytest.raises(ValueError, match=r"(shape|dtype) of carried\.1\.h"):
                checked(tensors | {"carried.1.h": wrong}, state)


def test_a_checkpoint_between_epochs_has_none():
    with half_way(steps=36) as made:
        tensors, state = kept(made)
        assert state["place"]["batch"] == 0 and not any(name.startswith("carried.") for name in tensors)
        odd = tensors | {"carried.1.h": np.zeros((2, 4, 8), np.float32)}
        with pytest.raises(ValueError, match=r"unexpected: carried\.1\.h"):
            checked(odd, state)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_session_goes_on_to_the_same_bytes(cell):
    options = json.dumps(OPTIONS | {"cell": cell, "layers": 2})
    with session(model_option=options, steps=50) as whole:
        whole.train()
        wanted, last = digests(whole.model), cynet.train.carrying.carried(whole.model)
    with session(model_option=options, steps=50) as first:
        observer = type("Stop", (cynet.train.Observer,), {})()
        taken = {}

        def stepped(progress):
            if progress.step == 20:
                taken["kept"] = kept(first)

        observer.stepped = stepped
        first.train([observer])
    with session(model_option=options, steps=50) as second:
        restore(second, *taken["kept"])
        assert second.trainer.steps == 20
        second.train()
        assert digests(second.model) == wanted
        now = cynet.train.carrying.carried(second.model)
        assert now.keys() == last.keys() and all(np.array_equal(now[name], last[name]) for name in last)


@pytest.mark.parametrize(("flags", "name"), [
    (("--batch-size", 5), "batch-size"), (("--sequence-length", 7), "sequence-length"),
])  # fmt: skip
def test_other_sizes_begin_a_new_epoch(run, capsys, flags, name):
    assert train("--resume", run, *flags, "--steps", 60, "--no-report", "--allow-change", "steps") == 2
    assert f"{name.replace('-', '_')} (was" in capsys.readouterr().err
    more = ("--allow-change", "steps", "--allow-change", name, "--no-report")
    assert train("--resume", run, *flags, "--steps", 60, *more) == 0
    assert (run / "metrics.csv").read_text().splitlines()[-1].startswith("60,3,")


def test_verify_and_diff_find_the_same_steps(run, tmp_path, capsys):
    assert cli.main(["verify", str(run), "--steps", "45"]) == 0
    assert "equal: 45 losses" in capsys.readouterr().out
    other = shutil.copytree(run, tmp_path / "other")
    assert cli.main(["diff", str(run), str(other)]) == 0
    assert "equal: the losses of 45 steps" in capsys.readouterr().out
    assert cli.main(["diff", "--replay", str(run), str(other)]) in (0, 1)
    assert cli.main(["runs", str(run)]) == 0


# -- weights -------------------------------------------------------------------------------------------------
def test_weights_tell_their_vocabulary(run):
    model, facts = load_weights(run)
    vocabulary = Vocabulary.from_dict(facts.vocabulary)
    assert facts.kind == "tokens" and facts.task == "language" and facts.output_shape == (10, 28)
    assert (facts.mean, facts.std, facts.picture_shape) == ((), (), (10,))
    assert vocabulary.names == facts.classes
    assert vocabulary.decode(vocabulary.encode("the lazy fox")) == "the lazy fox"
    assert model(np.zeros((1, 3), np.int64)).shape == (1, 3, 28)
    facts.check()


BAD = [
    ({"kind": "uint8"}, "kind: wanted tokens of task language alone"),
    ({"task": "classify"}, "kind: wanted tokens of task language alone"),
    ({"mean": (0.0,)}, "mean: wanted 0 numbers"), ({"std": (1.0,)}, "std: wanted 0 numbers"),
    ({"picture_shape": (10, 2)}, "picture_shape: wanted a length of tokens"),
    ({"picture_shape": (1 << 17,)}, "picture_shape: wanted at most"),
    ({"vocabulary": {}}, "vocabulary: wanted a table"),
    ({"vocabulary": {"level": "character", "entries": ["b", "a"], "unknown": False}}, "vocabulary: entries"),
    ({"vocabulary": {"level": "character", "entries": ["a"], "unknown": False}},
     "vocabulary: wanted the names"),
    ({"fold": 1}, "fold: wanted true or false"),
    ({"vocabulary": [1]}, "vocabulary: wanted a table"), ({"kept": (3, 3)}, "kept: wanted none"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), BAD)
def test_facts_that_contradict_each_other_are_refused(changes, words):
    vocabulary = Vocabulary("ab").to_dict()
    facts = Facts("language_model", True, "text", ("a", "b"), (), (), (10,), task="language", kind="tokens",
                  vocabulary=vocabulary)  # fmt: skip
    facts.check()
    with pytest.raises(ValueError, match=words):
        replace(facts, **changes).check()


def test_pictures_have_no_vocabulary():
    with session() as made:
        vocabulary = made.facts.vocabulary
    training = tiny.tiny()
    facts = replace(Settings().facts(training), vocabulary=vocabulary)
    with pytest.raises(ValueError, match="vocabulary: wanted none of uint8"):
        facts.check()

    with pytest.raises(ValueError, match="fold: wanted false of uint8, got true"):
        replace(facts, vocabulary=None, fold=True).check()


# -- commands ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fold", [True, False])
def test_weights_alone_tell_that_white_space_was_folded(tmp_path, capsys, fold):
    own, other, place = tmp_path / "own.txt", tmp_path / "other.txt", tmp_path / "run"
    own.write_text(CONTENT.replace(". ", ".\n\n") if fold else CONTENT)
    flags = (*RUN, "--data-dir", own, *(("--fold",) if fold else ()))
    assert train(*flags, "--epochs", 1, "--run-dir", place) == 0
    alone = shutil.copy(place / "last.safetensors", tmp_path / "alone.safetensors")
    assert load_weights(alone)[1].fold is fold
    assert (b'"fold"' in alone.read_bytes()) is fold  # others stay as they were
    other.write_text("the lazy\ndog jumps.\n" * 20)
    capsys.readouterr()
    for data_of in (("--data", "text", "--data-dir", other), ("--data", other)):
        assert cli.main(["evaluate", *map(str, (alone, *data_of))]) == (0 if fold else 2)
        assert ("got '\\n'" in capsys.readouterr().err) is not fold
    if fold:  # and weights from before it was noted are read as the run around them was
        model, facts = load_weights(alone)
        save_weights(place / "last.safetensors", model, replace(facts, fold=False))
        assert cli.main(["evaluate", str(place)]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("test perplexity ")


def test_weights_are_evaluated_as_in_their_training(run, capsys):
    last = (run / "metrics.csv").read_text().splitlines()[-1].split(",")
    assert cli.main(["evaluate", str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"test perplexity {float(last[6]):.4f}"
    assert cli.main(["evaluate", str(run), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] == 357 and found["perplexity"] == pytest.approx(float(last[6]), rel=1e-4)
    assert cli.main(["evaluate", str(run), "--flip"]) == 2
    assert "--flip: wanted a model of pictures" in capsys.readouterr().err
    assert cli.main(["evaluate", str(run), "--data", "tiny"]) == 2
    assert "wanted a text, as the model's, tiny is none" in capsys.readouterr().err


def test_another_text_is_read_with_the_models_tokens(run, tmp_path, capsys):
    other = tmp_path / "other.txt"
    other.write_text("dog lazy the over jumps fox brown quick the. " * 20)
    assert cli.main(["evaluate", str(run), "--data", str(other)]) == 0
    other.write_text("Übung " * 50)
    assert cli.main(["evaluate", str(run), "--data", str(other)]) == 2
    assert "other.txt: wanted characters of the vocabulary, got 'Ü'" in capsys.readouterr().err


def test_of_another_text_all_is_known_that_the_model_knows(tmp_path, capsys):
    own, other, place = tmp_path / "own.txt", tmp_path / "other.txt", tmp_path / "run"
    own.write_text(CONTENT)
    assert train(*RUN, "--data-dir", own, "--level", "word", "--epochs", 1, "--run-dir", place) == 0
    other.write_text(
        "the " * 80 + "quick brown fox jumps over the lazy dog. " * 3
    )  # seldom, and only at its end
    capsys.readouterr()
    assert cli.main(["evaluate", str(place), "--data", str(other)]) == 0
    assert "unknown" not in capsys.readouterr().err


def test_an_unknown_token_takes_what_a_model_does_not_know():
    own = Vocabulary("ab", unknown=True)
    found = texts._renumbered(TokenSet([0, 1, 2], 3, Vocabulary("bcd")), own, "text")
    assert found.tokens.tolist() == [1, 2, 2] and found.vocabulary is own
    assert found.notes == ("2 of 3 characters, which the model does not know, are the unknown one",)


def test_it_is_no_model_of_pictures(run, tmp_path, capsys):
    with pytest.raises(ValueError, match="cynet language-model generate"):
        Predictor(run)
    assert cli.main(["predict", str(run), str(tmp_path / "x.npy")]) == 2
    assert "cynet language-model generate" in capsys.readouterr().err


def test_rates_are_looked_for(file, tmp_path, capsys):
    assert train(*RUN, "--data-dir", file, "--lr-find", "--run-dir", tmp_path / "rates") == 0
    assert "suggestion: --lr" in capsys.readouterr().out


def test_a_loss_that_is_no_number_is_explained(file, tmp_path, capsys):
    path = tmp_path / "run"
    flags = [*RUN, "--data-dir", file, "--steps", 40, "--run-dir", path]
    flags[flags.index("--optimizer") + 1] = "sgd"
    assert train(*flags, "--lr", 1e30) == 1
    out = capsys.readouterr().out
    assert "diagnosis: " in out and "diverged.npz" in out
    with pytest.raises((cynet.train.Diverged, ArithmeticError)):
        cynet.runs.replay.diverged(path)


def test_the_data_command_looks_at_a_text(file, capsys):
    assert cli.main(["data", "check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "train: 1,440 characters, 28 different ones" in out and "the most frequent: ' ' 2" in out
    assert cli.main(["data", "show", "alice"]) == 2
    assert "wanted pictures to draw, got the text alice" in capsys.readouterr().err
