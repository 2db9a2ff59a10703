"""The command of the batch-norm study: what its flags become, how it ends, what it shows."""

import io
import signal

import pytest

from cynet import cli
from cynet.cli.batchnorm_study import _Screen
from cynet.core import drawing
from cynet.study import life
from cynet.study.choices import RATES, ROUNDS
from cynet.study.study import Trial


@pytest.fixture
def conducted(monkeypatch):
    """What a study is made of, in place of one; it ends with what `status` holds."""
    calls, status = [], [0]

    def conduct(experiment, training, test, folder, screen, say):
        calls.append((experiment, training, test, folder, screen.runs))
        return status[0]

    monkeypatch.setattr(life, "conduct", conduct)
    monkeypatch.setattr(life, "pictures", lambda settings, called: [called("batch_size"), "to test"])
    monkeypatch.setattr(drawing, "figure_class", lambda: None)
    return calls, status


@pytest.mark.parametrize("name", ["batchnorm-study", "batchnorm_study"])
def test_every_flag_reaches_the_experiment(conducted, tmp_path, monkeypatch, name):
    calls, _ = conducted
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    words = "--model vgg_small --data cifar10 --data-dir there --steps 7 --seeds 2 --batch-size 9 --threads 3"
    words += " --rates .5,.25 --rounds .2,.1 --run-dir here"
    assert cli.main([name, *words.split()]) == 0 and cli.main([name]) == 0
    (experiment, training, test, folder, runs), (plain, *_, own, count) = calls
    s = experiment.settings
    assert (s.model, s.data, s.data_dir, s.steps, s.batch_size, s.threads, s.workers) == (
        "vgg_small", "cifar10", "there", 7, 9, 3, 0,
    )  # fmt: skip
    assert (experiment.rates, experiment.rounds, experiment.seeds) == ((0.5, 0.25), (0.2, 0.1), 2)
    assert (training, test, folder.name, runs) == ("--batch-size", "to test", "here", 2 * 2 * 4)
    assert (plain.rates, plain.rounds, plain.seeds, plain.settings.threads) == (RATES, ROUNDS, 3, None)
    assert own.name.startswith("batchnorm-study-shapes10-") and count == 2 * 3 * 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_study_that_was_stopped_ends_with_the_status_of_the_signal(conducted, tmp_path, number):
    conducted[1][0] = number
    assert cli.main(["batchnorm-study", "--run-dir", str(tmp_path / "a")]) == 128 + number


@pytest.mark.parametrize(("words", "line"), [
    ("--model uwnet9", "--model: wanted one of "), ("--data shapes11", "--data: wanted one of "),
    ("--model own.py", "--model: wanted one of "), ("--data-dir .", "--data-dir: shapes10 is made by code"),
    ("--data cifar10 --data-dir gone", "--data-dir: no such file or folder: gone"),
])  # fmt: skip
def test_what_cannot_be_studied_is_refused_before_a_folder_is_made(
    conducted, tmp_path, monkeypatch, capsys, words, line
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["batchnorm-study", *words.split()]) == 2
    assert capsys.readouterr().err.startswith(f"cynet batchnorm-study: error: {line}")
    assert conducted[0] == [] and not list(tmp_path.iterdir())


def test_a_refusal_calls_the_command_as_it_was_called(capsys):
    for name in ("batchnorm-study", "batchnorm_study"):
        assert cli.main([name, "--stepps", "3"]) == 2
        assert capsys.readouterr().err == (
            f"cynet {name}: error: unknown flag: --stepps (did you mean --steps?)\n"
        )


def trial(norm, lr, seed, accuracy=None):
    return Trial("sweep", norm, lr, seed, 4, 1.25, accuracy, accuracy is None, (2.0, 1.0))


def test_a_run_is_a_line_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    screen = _Screen(12)
    screen.finished(trial(True, 0.003, 2, 0.75), 1)
    screen.finished(trial(False, 1.0, 0), 12)
    screen.close()
    assert capsys.readouterr().out == (
        "1/12  sweep   batch norm  lr 0.003  seed 2  loss 1.2500  accuracy 0.7500\n"
        "12/12  sweep   plain       lr 1      seed 0  diverged\n"
    )


def test_runs_move_a_bar_on_a_terminal_which_is_taken_away(monkeypatch, capsys):
    written = io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", written)
    screen = _Screen(3)
    screen.finished(trial(False, 0.1, 0, 0.5), 1)
    screen.finished(trial(True, 0.1, 1), 2)
    assert (screen.bar.n, screen.bar.total, screen.bar.leave) == (2, 3, False)
    assert screen.bar.postfix == "sweep batch norm lr 0.1 seed 1 diverged"
    screen.close()
    assert screen.bar.disable and capsys.readouterr().out == ""
