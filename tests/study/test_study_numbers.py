"""The numbers of a batch-norm study: from losses to steps, means, tables and sentences, by hand."""

from math import isnan, nan
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from cynet.study import study, study_report
from cynet.study.study import ANNEAL, SWEEP, Experiment, Trial
from cynet.train import Session, Settings, evaluate

pytestmark = pytest.mark.usefixtures("one_thread")


def run(lr=0.1, accuracy=0.5, losses=(2.0, 1.0), seed=0, norm=False, phase=SWEEP, steps=None):
    steps = len(losses) if steps is None else steps
    loss = nan if isnan(accuracy) else losses[-1]
    return Trial(phase, norm, lr, seed, steps, loss, accuracy, isnan(accuracy), tuple(losses))


@pytest.mark.parametrize(("losses", "target", "step"), [
    ([3, 2, 1], 3, 1), ([3, 2, 1], 2.5, 2), ([3, 2, 1], 2, 2), ([3, 2, 1], 1, 3), ([3, 2, 1], 0.9, None),
    ([1, 5, 1], 1, 1), ([], 1, None),
])  # fmt: skip
def test_the_first_step_at_which_a_loss_is_reached(losses, target, step):
    assert study.steps_to(np.array(losses, float), target) == step if losses else True


def test_the_window_is_a_twentieth_of_a_run():
    assert [study.window([0] * n) for n in (1, 20, 29, 31, 40, 50, 200)] == [1, 1, 1, 2, 2, 2, 10]
    losses = np.arange(40, 0, -1.0)
    assert list(study.smooth(losses, 4)[:5]) == [40, 39.5, 39, 38.5, 37.5]
    assert study.steps_to(losses, 37.5) == 4  # means of two


def test_the_final_loss_is_the_mean_of_the_last_tenth():
    assert study.final_loss([9.0, 1.0]) == 1.0
    assert study.final_loss([float(n) for n in range(30)]) == 28.0
    assert study.final_loss([float(n) for n in range(15)]) == 13.5


def test_means_and_spreads_over_seeds():
    assert study.mean_and_spread([]) == pytest.approx((nan, nan), nan_ok=True)
    assert study.mean_and_spread([1.0, 2.0, 6.0]) == pytest.approx((3.0, np.sqrt(7)))
    mean, spread = study.mean_curve([run(losses=(4.0, 2.0)), run(losses=(2.0, 0.0), seed=1)])
    assert list(mean) == [3.0, 1.0] and spread == pytest.approx([np.sqrt(2)] * 2)
    mean, spread = study.mean_curve([run(losses=(4.0, 2.0)), run(accuracy=nan, losses=(9.0,))])
    assert list(mean) == [4.0, 2.0] and list(spread) == [0.0, 0.0]
    assert study.mean_curve([run(accuracy=nan)]) == (None, None)


def test_a_rate_is_stood_where_each_seed_is_above_twice_chance():
    assert study.learned([run(accuracy=0.21)], False, 0.1, 0.1)
    assert not study.learned([run(accuracy=0.2)], False, 0.1, 0.1)
    assert not study.learned([run(accuracy=0.9), run(accuracy=0.2, seed=1)], False, 0.1, 0.1)
    assert not study.learned([run(accuracy=0.9, norm=True)], False, 0.1, 0.1)
    assert not study.learned([run(accuracy=0.9, phase=ANNEAL)], False, 0.1, 0.1)
    runs = [run(0.1, 0.9), run(0.3, 0.5), run(1.0, 0.1)]
    assert study.stood(runs, False, 0.1) == 0.3 and study.stood(runs, True, 0.1) is None
    assert study.best_rate(runs, SWEEP, False) == 0.1 and study.best_rate(runs, ANNEAL, False) is None
    assert study.rates_of([*runs, run(0.1, seed=1), run(9.0, norm=True)], SWEEP) == [0.1, 0.3, 1.0, 9.0]
    assert study.rates_of([*runs, run(9.0, norm=True)], SWEEP, True) == [9.0]
    assert len(study.chosen([*runs, run(0.1, seed=1)], SWEEP, False)) == 4
    assert len(study.chosen([*runs, run(0.1, seed=1)], SWEEP, False, 0.1)) == 2


def test_a_plan_is_walked_seed_by_seed():
    experiment = Experiment(Settings(steps=3), (0.1, 0.3), (0.1, 0.01), 2)
    assert experiment.runs == 16
    sweep = [(SWEEP, norm, (rate,), seed) for seed in (0, 1) for rate in (0.1, 0.3) for norm in (False, True)]
    anneal = [(ANNEAL, norm, (0.1, 0.01), seed) for seed in (0, 1) for norm in (False, True)]
    assert list(experiment.trainings()) == sweep + anneal
    with pytest.raises(ValueError, match="wanted"):
        Experiment(Settings(steps=3), seeds=0)


def test_the_runs_are_the_trainings_of_the_plan():
    """The same losses and accuracies as by hand: net, rate and seed each in its place."""
    settings = Settings(data="tiny", model="uwnet2", batch_size=8, steps=3, workers=0, threads=1)
    training, test = tiny.tiny(), tiny.tiny(split="test")
    experiment = Experiment(settings, (0.02, 0.1), (0.1, 0.01), 1)
    runs = list(study.study(experiment, training, test))
    keys = [(one.phase, one.batch_norm, one.lr, one.seed, one.steps) for one in runs]
    assert keys == [
        (SWEEP, False, 0.02, 0, 3), (SWEEP, True, 0.02, 0, 3), (SWEEP, False, 0.1, 0, 3),
        (SWEEP, True, 0.1, 0, 3),
        (ANNEAL, False, 0.1, 0, 3), (ANNEAL, False, 0.01, 0, 6),
        (ANNEAL, True, 0.1, 0, 3), (ANNEAL, True, 0.01, 0, 6),
    ]  # fmt: skip
    for norm in (False, True):
        values = {"batch_norm": norm, "lr": 0.1, "lr_steps": {3: 0.01}, "steps": 6}
        whole = Settings(**vars(settings) | values).resolved(training)
        with Session(whole, training, test) as session:
            batches = zip(range(6), session.batches, strict=False)
            losses = [session.trainer.step(x, y) for _, (x, y) in batches]
            found = [one for one in runs if (one.phase, one.batch_norm) == (ANNEAL, norm)]
            assert [*found[0].losses, *found[1].losses] == losses
            assert found[1].accuracy == evaluate(session.model, session.test_batches).accuracy
            assert found[1].loss == losses[-1] and not found[1].diverged
    first, alone = (one for one in runs if (one.batch_norm, one.lr) == (True, 0.1))
    assert first.losses == alone.losses and first.accuracy == alone.accuracy


def test_a_run_whose_test_loss_is_no_number_has_diverged(monkeypatch):
    settings = Settings(data="tiny", model="uwnet1", batch_size=8, steps=2, workers=0)
    found = SimpleNamespace(loss=np.inf, accuracy=0.9)
    monkeypatch.setattr(study, "evaluate", lambda model, batches: found)
    experiment = Experiment(settings, (0.1,), (0.1, 0.01), 1)
    runs = list(study.study(experiment, tiny.tiny(), tiny.tiny(split="test")))
    assert [(one.phase, one.diverged, len(one.losses)) for one in runs] == [
        (SWEEP, True, 2), (SWEEP, True, 2), (ANNEAL, True, 2), (ANNEAL, True, 2),
    ]  # fmt: skip
    assert all(isnan(one.loss) and isnan(one.accuracy) for one in runs)


# -- what is written of them -------------------------------------------------------------------------------
RUNS = [
    run(0.1, 0.5, (2.0, 1.5, 1.0), 0), run(0.1, 0.7, (2.0, 1.0, 0.5), 1),
    run(1.0, nan, (2.0,), 0), run(1.0, 0.15, (3.0,), 1),
    run(0.1, 0.8, (1.0, 0.5, 0.25), 0, True), run(0.1, 0.9, (1.0, 0.5, 0.25), 1, True),
    run(0.1, 0.6, (2.0, 1.0), 0, False, ANNEAL, 2), run(0.01, 0.65, (0.75, 0.5), 0, False, ANNEAL, 4),
    run(0.1, nan, (9.0,), 0, True, ANNEAL, 1),
]  # fmt: skip
PLAN = Experiment(Settings(steps=3, batch_size=8), (0.1, 1.0), (0.1, 0.01), 2)


def test_the_tables_have_every_number_of_the_runs():
    assert study_report.results(RUNS).splitlines() == [
        "phase,batch_norm,lr,seed,steps,final_loss,test_accuracy,diverged",
        "sweep,0,0.1,0,3,1.0000,0.5000,0", "sweep,0,0.1,1,3,0.5000,0.7000,0", "sweep,0,1,0,1,,,1",
        "sweep,0,1,1,1,3.0000,0.1500,0", "sweep,1,0.1,0,3,0.2500,0.8000,0", "sweep,1,0.1,1,3,0.2500,0.9000,0",
        "anneal,0,0.1,0,2,1.0000,0.6000,0", "anneal,0,0.01,0,4,0.5000,0.6500,0", "anneal,1,0.1,0,1,,,1",
    ]  # fmt: skip
    curves = study_report.curves(RUNS).splitlines()
    assert curves[:4] == ["phase,batch_norm,lr,seed,step,loss", "sweep,0,0.1,0,1,2", "sweep,0,0.1,0,2,1.5",
                          "sweep,0,0.1,0,3,1"]  # fmt: skip
    assert curves[-5:] == ["anneal,0,0.1,0,1,2", "anneal,0,0.1,0,2,1", "anneal,0,0.01,0,3,0.75",
                           "anneal,0,0.01,0,4,0.5", "anneal,1,0.1,0,1,9"]  # fmt: skip


def test_the_tables_of_the_summary_have_a_row_for_each_rate():
    assert study_report.table(RUNS, SWEEP).splitlines()[2:] == [
        "| 0.1 | 0.750 ± 0.354 | 0.250 ± 0.000 | 0.6000 ± 0.1414 | 0.8500 ± 0.0707 |",
        "| 1 | 3.000 (one run), 1 of 2 diverged | not run | 0.1500 (one run), 1 of 2 diverged | not run |",
    ]
    assert study_report.table(RUNS, ANNEAL).splitlines()[2:] == [
        "| 0.1 | 1.000 (one run) | 1 of 1 diverged | 0.6000 (one run) | 1 of 1 diverged |",
        "| 0.01 | 0.500 (one run) | not run | 0.6500 (one run) | not run |",
    ]


def test_the_sentences_of_the_summary_have_the_numbers_of_the_runs():
    text = study_report.summary(PLAN, RUNS, 10, 12.4)
    for words in (
        "# Batch norm in uwnet2 on shapes10\n",
        "9 runs, each of 3 steps of 8 pictures, in 12 s; 2 seeds; ",
        "momentum 0.9 and weight decay 4e-05",
        "At the rate that suits it best (0.1), the net without batch norm "
        "comes to a loss of 0.750 in 3 steps.",
        "At its own best rate (0.1), the net with batch norm is there after 2.",
        "at rate 0.1 after 2 steps.", "twice the accuracy of chance (0.20).",
        "- without batch norm: at most 0.1; best at 0.1, with accuracy 0.6000 ± 0.1414\n",
        "- with batch norm: at most 0.1; best at 0.1, with accuracy 0.8500 ± 0.0707\n",
        "After the annealing through the rates 0.1, 0.01.",
        "- without batch norm: test accuracy 0.6500 (one run) after 4 steps, the round at 0.01; the best "
        "seed reached 0.6500; 1 of 1 seeds learned\n",
        "- with batch norm: no round ended without a diverged run\n",
    ):  # fmt: skip
        assert words in text, words
    assert "stopped" not in text
    part = study_report.summary(PLAN, RUNS[:1], 10, 12.4, complete=False)
    assert "1 runs of 16 (stopped before the end), each" in part and "## What is the best" not in part
    assert "Not to be said" in part and "- with batch norm: not run\n" in part
    slow = [run(0.1, 0.5, (2.0, 1.0)), run(0.1, 0.5, (3.0, 2.0), norm=True)]
    text = study_report.summary(PLAN, slow, 10, 1.0)
    assert "does not come there." in text and "at rate 0.1 not within 2 steps." in text
    alone = Experiment(Settings(steps=3), (0.1,), (), 1)
    assert study_report.summary(alone, slow, 10, 1.0).count("1 seed;") == 1


def test_a_seed_has_learned_above_twice_chance_and_those_that_were_lost_count():
    runs = [run(0.1, accuracy, seed=seed, phase=ANNEAL) for seed, accuracy in enumerate((0.21, 0.2))]
    text = study_report.summary(Experiment(Settings(steps=2), (0.1,), (0.1,), 2), runs, 10, 1.0)
    assert "the best seed reached 0.2100; 1 of 2 seeds learned\n" in text
    lost = [*runs, run(0.1, nan, seed=2, phase=ANNEAL), run(0.01, 0.5, seed=0, phase=ANNEAL, steps=4)]
    text = study_report.summary(Experiment(Settings(steps=2), (0.1,), (0.1, 0.01), 3), lost, 10, 1.0)
    assert "0.5000 (one run), over the 1 of 3 seeds that had not diverged after 4 steps, " in text
    assert study_report.table(lost, ANNEAL).splitlines()[-1] == (
        "| 0.01 | 1.000 (one run), 2 of 3 diverged | not run | 0.5000 (one run), 2 of 3 diverged | not run |"
    )
    sweep = [run(0.1, 0.5), run(0.1, 0.5, seed=1), run(0.3, 0.5)]  # there is none of seed 1 at this rate
    assert study_report.table(sweep, SWEEP).splitlines()[-1].startswith("| 0.3 | 1.000 (one run) | not run |")


SUMMARY = """# Batch norm in uwnet2 on shapes10

9 runs, each of 3 steps of 8 pictures, in 12 s; 2 seeds; SGD with momentum 0.9 and weight decay 4e-05. A \
final loss is the mean of a run's last tenth of steps; ± is the sample standard deviation over seeds.

## Does it converge faster?

At the rate that suits it best (0.1), the net without batch norm comes to a loss of 0.750 in 3 steps. At its \
own best rate (0.1), the net with batch norm is there after 2.
At equal rates, where the net without learns at all, the one with batch norm comes to the other's final \
loss at rate 0.1 after 2 steps.

## How large a rate does each stand?

A net stands a rate when no seed diverges and each ends with more than twice the accuracy of chance (0.20).
- without batch norm: at most 0.1; best at 0.1, with accuracy 0.6000 ± 0.1414
- with batch norm: at most 0.1; best at 0.1, with accuracy 0.8500 ± 0.0707

{sweep}

## What is the best this model reaches?

After the annealing through the rates 0.1, 0.01. The round is the one of the greatest mean test accuracy, \
chosen by the test set it is then reported on. Where the sweep has the first rate too, the first round \
repeats those runs.

- without batch norm: test accuracy 0.6500 (one run) after 4 steps, the round at 0.01; the best seed reached \
0.6500; 1 of 1 seeds learned
- with batch norm: no round ended without a diverged run

{anneal}
"""


def test_the_whole_summary_of_a_study():
    tables = {phase: study_report.table(RUNS, phase) for phase in (SWEEP, ANNEAL)}
    assert study_report.summary(PLAN, RUNS, 10, 12.4) == SUMMARY.format(**tables)
    for phase in (SWEEP, ANNEAL):
        assert tables[phase].splitlines()[:2] == [
            "| rate | loss without | loss with | accuracy without | accuracy with |",
            "| ---: | ---: | ---: | ---: | ---: |",
        ]
    alone = study_report.summary(PLAN, [one for one in RUNS if one.phase == ANNEAL], 10, 1.0)
    assert (
        alone.count("\n## ") == 1
        and alone.partition("\n## ")[2] == SUMMARY.format(**tables).rpartition("\n## ")[2]
    )


def test_a_net_that_stands_no_rate_and_one_that_stands_several():
    """Of those that it stands the best is told, though another one has a greater mean."""
    runs = [run(0.1, 0.3), run(0.1, 0.3, seed=1), run(0.3, 0.9), run(0.3, 0.2, seed=1), run(0.05, 0.4)]
    runs += [run(0.1, 0.2, norm=True), run(0.3, nan, norm=True)]
    text = study_report.summary(PLAN, runs, 10, 1.0)
    assert "\n- without batch norm: at most 0.1; best at 0.05, with accuracy 0.4000 (one run)\n" in text
    assert "\n- with batch norm: none of the rates\n" in text


def test_equal_rates_are_compared_where_the_net_without_learns():
    runs = [run(0.1, 0.5, (3.0, 2.0, 1.0)), run(0.1, 0.5, (3.0, 2.0, 1.5), norm=True),
            run(0.2, 0.5, (3.0, 2.0, 1.75)), run(0.2, 0.6, (1.75, 1.0, 0.5), norm=True),
            run(0.3, 0.1, (3.0, 2.0, 1.0)), run(0.3, 0.6, (0.5, 0.5, 0.5), norm=True),
            run(0.4, 0.5, (3.0, 2.0, 1.0)), run(0.4, nan, (9.0,), norm=True)]  # fmt: skip
    assert "at rate 0.1 not within 3, 0.2 after 1 steps." in study_report.summary(PLAN, runs, 10, 1.0)


def test_steps_and_seeds_are_at_least_one_and_the_plan_counts_its_runs():
    for settings, seeds, words in ((Settings(), 1, "steps"), (Settings(steps=3), 0, "seeds")):
        with pytest.raises((ValueError, TypeError), match=f"^{words}: wanted"):
            Experiment(settings, (0.1,), (), seeds)
    alone = Experiment(Settings(steps=1), (0.1, 0.2), (), 3)
    assert alone.runs == 12 == len(list(alone.trainings()))
    assert {phase for phase, *_ in alone.trainings()} == {SWEEP}
    rounds = Experiment(Settings(steps=1), (), [0.2, 0.1], 2)
    assert rounds.runs == 8 and next(iter(rounds.trainings())) == (ANNEAL, False, (0.2, 0.1), 0)


def test_the_best_rate_of_equals_is_the_first_and_losses_have_four_digits():
    assert study.best_rate([run(0.3, 0.5), run(0.1, 0.5)], SWEEP, False) == 0.3
    one = Trial(SWEEP, True, 1e-05, 7, 30, 1.23456, 0.98765, False, (1.0,))
    assert study_report.results([one]).splitlines()[1] == "sweep,1,1e-05,7,30,1.2346,0.9877,0"
    assert study_report.curves([one]).splitlines()[1] == "sweep,1,1e-05,7,30,1"
    assert study_report.results([]).count("\n") == study_report.curves([]).count("\n") == 1
