"""What a batch-norm study leaves behind: results.csv, curves.csv, two figures and a page of answers."""

from math import isfinite

from cynet.core.files import write_atomically
from cynet.core.folder import own_target

from . import study_figures
from .study import (
    ANNEAL,
    SWEEP,
    best_rate,
    chosen,
    learned,
    mean_and_spread,
    mean_curve,
    rates_of,
    steps_to,
    stood,
)

RESULTS, CURVES, SUMMARY = "results.csv", "curves.csv", "summary.md"
NETS = {False: "without", True: "with"}


def write(folder, experiment, runs, classes, seconds, complete=True):
    """Write every file of a study; figures only when there is a run to draw.

    Parameters
    ----------
    folder : Path
        It exists.
    experiment : Experiment
    runs : sequence of Trial
        Those that are done.
    classes : int
        Of the data set: chance is 1 / classes.
    seconds : float
        How long the runs took.
    complete : bool
        Whether these are all of the experiment.
    """
    _write(folder / RESULTS, results(runs).encode())
    _write(folder / CURVES, curves(runs).encode())
    if runs:
        _write(folder / study_figures.LOSS, study_figures.loss(runs))
        _write(folder / study_figures.ACCURACY, study_figures.accuracy(runs, 1 / classes))
    _write(folder / SUMMARY, summary(experiment, runs, classes, seconds, complete).encode())


def _write(path, data):
    write_atomically(own_target(path), data)


def results(runs):
    """One row a run, as CSV; loss and accuracy of a diverged run are empty."""
    rows = ["phase,batch_norm,lr,seed,steps,final_loss,test_accuracy,diverged"]
    for run in runs:
        numbers = "," if run.diverged else f"{run.loss:.4f},{run.accuracy:.4f}"
        rows.append(
            f"{run.phase},{int(run.batch_norm)},{run.lr:g},{run.seed},{run.steps},{numbers},{int(run.diverged)}"
        )
    return "\n".join(rows) + "\n"


def curves(runs):
    """The loss of every step, as CSV; an annealing's steps go on through its rounds."""
    rows = ["phase,batch_norm,lr,seed,step,loss"]
    for run in runs:
        head = f"{run.phase},{int(run.batch_norm)},{run.lr:g},{run.seed}"
        first = run.steps - len(run.losses) + 1
        rows += [f"{head},{step},{loss:.5g}" for step, loss in enumerate(run.losses, first)]
    return "\n".join(rows) + "\n"


def summary(experiment, runs, classes, seconds, complete=True):
    """The page of answers, in Markdown; parameters as in `write`."""
    s, seeds = experiment.settings, experiment.seeds
    stopped = "" if complete else f" of {experiment.runs} (stopped before the end)"
    parts = [
        f"# Batch norm in {s.model} on {s.data}",
        f"{len(runs)} runs{stopped}, each of {s.steps} steps of {s.batch_size} pictures, in {seconds:.0f} s; "
        f"{seeds} seed{'s' * (seeds > 1)}; SGD with momentum {s.momentum:g} and weight decay "
        f"{s.weight_decay:g}. A final loss is the mean of a run's last tenth of steps; ± is the sample "
        "standard deviation over seeds.",
    ]
    if any(run.phase == SWEEP for run in runs):
        parts += [
            "## Does it converge faster?",
            _faster(runs, 1 / classes),
            "## How large a rate does each stand?",
            _stands(runs, 1 / classes),
            table(runs, SWEEP),
        ]
    if any(run.phase == ANNEAL for run in runs):
        parts += ["## What is the best this model reaches?", _best(runs, 1 / classes), table(runs, ANNEAL)]
    return "\n\n".join(parts) + "\n"


def table(runs, phase):
    """A row for each rate, as a Markdown table: final loss and test accuracy of both nets."""
    rows = [
        "| rate | loss without | loss with | accuracy without | accuracy with |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    rates = rates_of(runs, phase)
    begun = {net: len(chosen(runs, phase, net, rates[0])) for net in NETS} if phase == ANNEAL else {}
    for lr in rates:
        found = [(chosen(runs, phase, net, lr), begun.get(net, 0)) for net in NETS]
        cells = [_cell(*those, "loss", "{:.3f}") for those in found]
        cells += [_cell(*those, "accuracy", "{:.4f}") for those in found]
        rows.append(f"| {lr:g} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(runs, begun, name, form):
    """`begun`: how many annealings there were; a run that diverged is in no later round."""
    count = max(begun, len(runs))
    lost = count - sum(not run.diverged for run in runs)
    text = _plus_minus((getattr(run, name) for run in runs), form) if lost < count else ""
    note = f"{lost} of {count} diverged" if lost and runs else ""
    return ", ".join(filter(None, (text, note))) or "not run"


def _plus_minus(values, form="{:.4f}"):
    mean, spread = mean_and_spread(values)
    return form.format(mean) + (f" ± {form.format(spread)}" if isfinite(spread) else " (one run)")


def _faster(runs, chance):
    best = {net: best_rate(runs, SWEEP, net) for net in NETS}
    if None in best.values():
        return "Not to be said: one of the nets has no finished run that did not diverge."
    curve = {net: mean_curve(chosen(runs, SWEEP, net, best[net]))[0] for net in NETS}
    target = curve[False][-1]
    steps = steps_to(curve[True], target)
    lines = [
        f"At the rate that suits it best ({best[False]:g}), the net without batch norm comes to a loss of "
        f"{target:.3f} in {len(curve[False])} steps. At its own best rate ({best[True]:g}), the net with "
        f"batch norm {f'is there after {steps}' if steps else 'does not come there'}."
    ]
    reached = []
    for lr in rates_of(runs, SWEEP):
        plain, normed = (mean_curve(chosen(runs, SWEEP, net, lr))[0] for net in NETS)
        if learned(runs, False, lr, chance) and normed is not None:
            steps = steps_to(normed, plain[-1])
            reached.append(f"{lr:g} after {steps}" if steps else f"{lr:g} not within {len(normed)}")
    if reached:
        lines.append(
            "At equal rates, where the net without learns at all, the one with batch norm comes to the "
            f"other's final loss at rate {', '.join(reached)} steps."
        )
    return "\n".join(lines)


def _stands(runs, chance):
    lines = [
        "A net stands a rate when no seed diverges and each ends with more than twice the accuracy of chance "
        f"({2 * chance:.2f})."
    ]
    for net, name in NETS.items():
        if not rates_of(runs, SWEEP, net):
            lines.append(f"- {name} batch norm: not run")
            continue
        top = stood(runs, net, chance)
        best = best_rate([run for run in runs if learned(runs, net, run.lr, chance)], SWEEP, net)
        text = f"- {name} batch norm: " + ("none of the rates" if top is None else f"at most {top:g}")
        if best is not None:
            found = chosen(runs, SWEEP, net, best)
            text += f"; best at {best:g}, with accuracy {_plus_minus(run.accuracy for run in found)}"
        lines.append(text)
    return "\n".join(lines)


def _best(runs, chance):
    rates = ", ".join(f"{lr:g}" for lr in rates_of(runs, ANNEAL))
    lines = [
        f"After the annealing through the rates {rates}. The round is the one of the greatest mean test "
        "accuracy, chosen by the test set it is then reported on. Where the sweep has the first rate too, "
        "the first round repeats those runs.",
        "",
    ]
    first = rates_of(runs, ANNEAL)[0]
    begun = {
        net: len(chosen(runs, ANNEAL, net, first)) for net in NETS
    }  # one that diverged has no later round
    for net, name in NETS.items():
        best = best_rate(runs, ANNEAL, net)
        if best is None:
            lines.append(f"- {name} batch norm: no round ended without a diverged run")
            continue
        found = chosen(runs, ANNEAL, net, best)
        of = f", over the {len(found)} of {begun[net]} seeds that had not diverged" * (
            len(found) < begun[net]
        )
        top = max(run.accuracy for run in found)
        learning = sum(run.accuracy > 2 * chance for run in found)
        lines.append(
            f"- {name} batch norm: test accuracy {_plus_minus(run.accuracy for run in found)}{of} after "
            f"{found[0].steps} steps, the round at {best:g}; the best seed reached {top:.4f}; {learning} of "
            f"{begun[net]} seeds learned"
        )
    return "\n".join(lines)
