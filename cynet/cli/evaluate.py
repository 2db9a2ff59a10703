"""Evaluate trained weights on a test set: accuracy over all and per class, calibration, confusion matrix."""

import json
import os
import shlex
import sys

from cynet.runs.datasets import known, of_pictures

from . import trained
from .parser import UsageError, integer, refusing
from .registry import command

STDOUT = "-"


def add_flags(parser):
    parser.add_argument("weights", metavar="RUN", help=trained.WHERE)
    trained.add_weights(parser)
    group = parser.add_argument_group("data")
    group.add_argument("--data", metavar="NAME", help="the data set (default: the one trained on)")
    group.add_argument("--data-dir", metavar="DIR", help="the folder with its files (default: the run's)")
    group.add_argument(
        "--skip-damaged", action="store_true", help="leave damaged pictures out (default: as the run did)"
    )
    group.add_argument("--split", choices=("train", "test"), default="test", help="which part of it")
    group.add_argument(
        "--flip", action="store_true", help="mean the probabilities of each picture and its mirror image"
    )
    group = parser.add_argument_group("running")
    group.add_argument("--batch-size", type=integer(1), default=250, metavar="N", help="pictures in a batch")
    group.add_argument(
        "--json", metavar="FILE", help=f"write all numbers there, too; {STDOUT}: to standard output alone"
    )
    trained.add_threads(group)


@command("a trained model on a test set: accuracy, classes, calibration, confusion", order=2)
def run(flags):
    from cynet.report import evaluated
    from cynet.runs.session import test_loader
    from cynet.train import predict

    _check_json(flags.json)
    trained.set_threads(flags)
    path, stored = trained.locate(flags.weights, "RUN", flags.which)
    model, facts = trained.load(path, "RUN")
    name = flags.data or facts.data
    known(name, "--data", f"cynet evaluate {shlex.quote(flags.weights)} --data ")
    matched = _data(flags, facts, name, stored if name == facts.data else None)

    def predicted(samples):
        with test_loader(samples, facts, flags.batch_size) as batches:
            return predict(model, batches, flags.flip)

    found = predicted(matched.known)
    others = {title: predicted(each) for title, each in matched.unknown.items()}
    strangers = {title: evaluated.taken_for(each, facts) for title, each in others.items()}
    if flags.json is not None:
        whole = evaluated.document(found, facts, path, name, flags.split, flags.flip)
        whole |= {"notes": evaluated.notes_of(matched)}
        whole |= {"unknown": evaluated.unknown(matched, strangers)}
        text = json.dumps(whole, indent=1, allow_nan=False)
        if flags.json == STDOUT:
            print(text)
            return 0
        _write(flags.json, text + "\n")
    _print(found, facts, flags, path, name, matched, strangers)
    return 0


def _check_json(path):
    from cynet.core.output import check_output

    if path is not None and path != STDOUT:
        with refusing("--json"):
            check_output(path)


def _write(path, text):
    from cynet.core.files import write_atomically

    write_atomically(path, text.encode())


def _data(flags, facts, name, stored):
    """The data set as the model sees it."""
    from cynet.runs import matching

    root = flags.data_dir or stored
    if root and not os.path.exists(root):
        raise UsageError(f"--data-dir: no such file or folder: {os.path.abspath(root)}")
    more = trained.data_options(flags.weights, name)
    if flags.skip_damaged:
        of_pictures("--skip-damaged", name)
        more["skip_damaged"] = True
    with refusing("--data-dir" if root else "--data"):
        return matching.load(facts, name, root, flags.split, **more)


def _print(found, facts, flags, path, name, matched, strangers):
    from cynet.core.names import printable
    from cynet.report import evaluated

    from . import tables
    from .terminal import say

    result = found.evaluation
    say(trained.headline(path, facts))
    for note in evaluated.notes_of(matched):
        say(f"note: {note}")
    mirrored = ", each together with its mirror image" if flags.flip else ""
    say(f"{flags.split} loss {result.loss:.4f} on {result.samples.sum():,} pictures of {name}{mirrored}\n")
    names = tuple(map(printable, facts.classes))
    say(tables.classes(result, names) + "\n")
    say(tables.confusion(result, names) + "\n")
    say(tables.calibration(found.calibration()))
    for line in tables.unknown(matched, strangers):
        say(line)
    if not found.sure.all():
        print(f"warning: {(~found.sure).sum():,} pictures gave NaN; they count as wrong", file=sys.stderr)
    say(f"{flags.split} accuracy {result.accuracy:.4f}")
