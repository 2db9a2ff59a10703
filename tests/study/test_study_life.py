"""A study as a call from Python: what is trained, shown and written, and what stops it."""

import signal

import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet.runs.errors import FailedError, RefusedError
from cynet.runs.session import Settings
from cynet.study import choices, life, study_figures, study_report
from cynet.study.study import Experiment, Trial
from cynet.train import Stopped

SETTINGS = Settings(model="uwnet1", data="tiny", batch_size=8, steps=2, workers=0)
EXPERIMENT = Experiment(SETTINGS, (0.1,), (), 1)


class Screen:
    def __init__(self):
        self.seen, self.closed = [], 0

    def finished(self, run, number):
        self.seen.append((number, run.batch_norm, run.lr))

    def close(self):
        self.closed += 1


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(study_figures, "loss", lambda runs: b"loss")
    monkeypatch.setattr(study_figures, "accuracy", lambda runs, chance: b"accuracy")


def test_it_is_trained_shown_and_written(tmp_path, undrawn):
    training, test = life.pictures(SETTINGS)
    screen, said = Screen(), []
    assert life.conduct(EXPERIMENT, training, test, tmp_path, screen, said.append) == 0
    assert screen.seen == [(1, False, 0.1), (2, True, 0.1)] and screen.closed
    assert said[0] == f"2 runs of 2 steps; folder {tmp_path}"
    assert said[-1].startswith("done after ") and said[-1].endswith(f"{tmp_path / study_report.SUMMARY}")
    assert len((tmp_path / study_report.RESULTS).read_text().splitlines()) == 3


def test_stopped_by_a_signal_it_writes_what_there_is(tmp_path, undrawn, monkeypatch):
    def stopped(*_):
        yield Trial("sweep", False, 0.1, 0, 2, 1.0, 0.5, False, (2.0, 1.0))
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(life.study, "study", stopped)
    screen, said = Screen(), []
    training, test = life.pictures(SETTINGS)
    assert life.conduct(EXPERIMENT, training, test, tmp_path, screen, said.append) == signal.SIGTERM
    assert said[1] == "stopped by SIGTERM after 1 of 2 runs; writing these" and screen.closed
    assert "1 runs of 2 (stopped before the end)" in (tmp_path / study_report.SUMMARY).read_text()


def test_what_breaks_is_told_with_its_run_and_nothing_is_written(tmp_path, monkeypatch):
    def broken(*_):
        raise MemoryError
        yield

    monkeypatch.setattr(life.study, "study", broken)
    screen = Screen()
    with pytest.raises(FailedError, match=r"^run 1: MemoryError$"):
        life.conduct(EXPERIMENT, *life.pictures(SETTINGS), tmp_path, screen, lambda line: None)
    assert screen.closed and not list(tmp_path.iterdir())


def test_pictures_that_do_not_fit_are_refused_by_the_name_of_the_setting():
    large = Settings(data="tiny", batch_size=65)
    with pytest.raises(RefusedError, match=r"^batch_size: wanted at most the 64 training pictures, got 65"):
        life.pictures(large)
    with pytest.raises(RefusedError, match=r"^--data: "):
        life.pictures(Settings(data="none"), lambda name: f"--{name}")


@pytest.mark.parametrize("text", ["", "a", "0", ".1,.1", ".1,", "-1", "inf", "nan", ".1 ,x"])
def test_rates_that_are_none_are_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"wanted RATE,... such as .01,.1, all different and above 0, got"):
        choices.rates(text)


def test_rates_are_read_as_they_are_spelled():
    for rates in (choices.RATES, choices.ROUNDS):
        assert choices.rates(choices.spelled(rates)) == rates
    assert choices.spelled(choices.RATES) == ".001,.003,.01,.03,.1,.3,1"
    with pytest.raises(ValueError, match=r"wanted each rate less than the one before, got '.1,.3'"):
        choices.rounds(".1,.3")


def test_a_batch_of_all_pictures_is_one():
    training, _ = life.pictures(Settings(data="tiny", batch_size=64))
    assert len(training) == 64


def test_a_study_that_is_stopped_before_its_first_run_leaves_tables_and_no_figures(tmp_path, monkeypatch):
    def stopped(*_):
        raise Stopped(signal.SIGINT)
        yield

    monkeypatch.setattr(life.study, "study", stopped)
    screen, said = Screen(), []

    def say(line):
        said.append((line.partition(" ")[0], screen.closed))

    assert life.conduct(EXPERIMENT, *life.pictures(SETTINGS), tmp_path, screen, say) == signal.SIGINT
    assert said == [("2", 0), ("stopped", 1), ("stopped", 2)]  # the bar is away before anything is said
    names = {study_report.RESULTS, study_report.CURVES, study_report.SUMMARY}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert "0 runs of 2 (stopped before the end)" in (tmp_path / study_report.SUMMARY).read_text()


def test_nothing_is_written_through_a_link_in_the_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other.csv").write_text("mine")
    (tmp_path / "run" / study_report.RESULTS).symlink_to(tmp_path / "other.csv")
    with pytest.raises(OSError, match="link"):
        study_report.write(tmp_path / "run", EXPERIMENT, [], 10, 1.0)
    assert (tmp_path / "other.csv").read_text() == "mine"


def test_a_loss_has_five_digits_in_the_curves():
    run = Trial("sweep", False, 0.1, 0, 2, 1.0, 0.5, False, (1.23456789, 1e-5 / 3))
    assert study_report.curves([run]).splitlines()[1:] == [
        "sweep,0,0.1,0,1,1.2346", "sweep,0,0.1,0,2,3.3333e-06",
    ]  # fmt: skip


def test_a_folder_of_pictures_that_cannot_be_read_is_told_by_its_flag(tmp_path):
    absent = Settings(data="cifar10", data_dir=str(tmp_path / "none"))
    with pytest.raises(RefusedError, match=r"^--data_dir: "):
        life.pictures(absent, lambda name: f"--{name}")


def test_what_a_study_says_and_writes_is_that_of_its_own_time_and_runs(tmp_path, undrawn, monkeypatch):
    clock = iter([1000.0, 1012.4])
    monkeypatch.setattr(life.time, "monotonic", lambda: next(clock))
    runs = [Trial("sweep", norm, 0.1, 0, 2, 1.0, 0.5, False, (2.0, 1.0)) for norm in (False, True)]
    asked, chances = [], []
    monkeypatch.setattr(life.study, "study", lambda *given: asked.append(given) or iter(runs))
    monkeypatch.setattr(study_figures, "accuracy", lambda runs, chance: chances.append(chance) or b"")
    training, test = life.pictures(SETTINGS)
    said = []
    assert life.conduct(EXPERIMENT, training, test, tmp_path, Screen(), said.append) == 0
    assert said == [f"2 runs of 2 steps; folder {tmp_path}", f"done after 12 s: {tmp_path / 'summary.md'}"]
    assert asked[0][:3] == (EXPERIMENT, training, test) and chances == [1 / 3]  # tiny has three classes
    assert "2 runs, each of 2 steps of 8 pictures, in 12 s; 1 seed;" in (tmp_path / "summary.md").read_text()
    assert "twice the accuracy of chance (0.67)" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "loss.png").read_bytes() == b"loss"
    assert (tmp_path / "results.csv").read_text().count("\n") == 3


def test_what_breaks_after_a_run_is_told_with_the_next_one(tmp_path, monkeypatch):
    def broken(*_):
        yield Trial("sweep", False, 0.1, 0, 2, 1.0, 0.5, False, (2.0, 1.0))
        raise ValueError("it does not fit")

    monkeypatch.setattr(life.study, "study", broken)
    with pytest.raises(FailedError, match=r"^run 2: it does not fit$"):
        life.conduct(EXPERIMENT, *life.pictures(SETTINGS), tmp_path, Screen(), lambda line: None)


def test_a_stop_is_asked_for_in_every_walk_over_batches():
    """`watch` wraps the batches of the training and those of the test."""
    walks = []

    def watch(batches):
        walks.append(batches)
        return iter(batches)

    training, test = life.pictures(SETTINGS)
    list(life.study.study(EXPERIMENT, training, test, watch))
    assert len(walks) == 2 * 2
