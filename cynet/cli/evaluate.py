"""Evaluate trained weights on a test set: accuracy over all and per class, calibration, confusion matrix."""

import json
import os
import shlex
import sys

from cynet.data.registry import placed
from cynet.runs.datasets import known, of_pictures

from . import trained
from .parser import UsageError, refusing
from .registry import command
from .values import add_threads, integer

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
    trained.add_views(group)
    group.add_argument(
        "--int8", action="store_true",
        help="the net in eight bits, as `cynet export --c DIR --int8` writes it, to the same whole numbers",
    )  # fmt: skip
    group.add_argument(
        "--samples", type=integer(1), metavar="N", help="of --int8: as for export (default: 500)"
    )
    group = parser.add_argument_group("running")
    group.add_argument("--batch-size", type=integer(1), default=250, metavar="N", help="pictures in a batch")
    group.add_argument(
        "--json", metavar="FILE", help=f"write all numbers there, too; {STDOUT}: to standard output alone"
    )
    add_threads(group)


@command("a trained model on a test set: accuracy, classes, calibration, confusion", order=2)
def run(flags):
    from cynet.core.tasks import CLASSIFY, LANGUAGE, REGRESS
    from cynet.interop.int8.running import QuantizedNet
    from cynet.report import evaluated
    from cynet.runs import beside, evaluating
    from cynet.train.views import kinds_of

    from . import tables
    from .terminal import say

    _check_json(flags.json)
    trained.set_threads(flags)
    path, stored = trained.locate(flags.weights, "RUN", flags.which)
    model, facts = trained.load(path, "RUN", flags.net)
    name = flags.data or facts.data
    name, flags.data_dir = placed(name, flags.data_dir)
    known(name, "--data", f"cynet evaluate {shlex.quote(flags.weights)} --data ")
    matched = _data(flags, facts, name, stored if name == facts.data else None)
    if facts.task == LANGUAGE and (flags.flip or flags.tta):
        flag = "--flip" if flags.flip else "--tta"
        raise UsageError(f"{flag}: wanted a model of pictures, got one of texts")
    if flags.samples and not flags.int8:
        raise UsageError("--samples: wanted --int8 beside it, got none")
    if flags.int8:
        root = (flags.data_dir if name == facts.data else None) or stored
        model = QuantizedNet(trained.quantized(model, facts, path, facts.data, root, flags.samples))
    tta = kinds_of(facts.tta if flags.tta is None else flags.tta, flags.flip)
    loss = beside.loss_of(flags.weights) if facts.task == REGRESS else None
    found = evaluating.evaluate(
        model, facts, matched, flags.batch_size, flags.flip, tta=",".join(tta), loss=loss
    )
    if facts.task == LANGUAGE:
        return _of_text(flags, found, facts, path, name)
    if facts.task != CLASSIFY:
        return _of_columns(flags, found, facts, path, name)
    strangers = {title: evaluated.taken_for(each, facts) for title, each in found.unknown.items()}
    if flags.json is not None:
        whole = evaluated.document(found.known, facts, path, name, flags.split, tta)
        whole |= {"notes": evaluated.notes_of(matched)}
        whole |= {"unknown": evaluated.unknown(matched, strangers), "int8": flags.int8}
        if _told(flags.json, whole):
            return 0
    say(trained.headline(path, facts, flags.int8))
    for note in evaluated.notes_of(matched):
        say(f"note: {note}")
    for text in tables.evaluation(found, strangers, facts.classes, name, flags.split, tta):
        say(text)
    if unsure := int((~found.known.sure).sum()):
        print(f"warning: {unsure:,} pictures gave NaN; they count as wrong", file=sys.stderr)
    say(f"{flags.split} accuracy {found.known.evaluation.accuracy:.4f}")
    return 0


def _told(path, whole):
    """Write the numbers; whether that was to standard output, alone."""
    from cynet.core.files import write_atomically

    text = json.dumps(whole, indent=1, allow_nan=False)
    if path == STDOUT:
        print(text)
        return True
    write_atomically(path, (text + "\n").encode())
    return False


def _of_text(flags, found, facts, path, name):
    """Say what a model of texts came to; the exit status."""
    from cynet.report import evaluated
    from cynet.runs.lines import accuracies

    from .terminal import say

    if flags.json is not None:
        whole = evaluated.text_document(found.known, facts, path, name, flags.split)
        if _told(flags.json, whole | {"notes": evaluated.notes_of(found.matched)}):
            return 0
    say(trained.headline(path, facts))
    for note in evaluated.notes_of(found.matched):
        say(f"note: {note}")
    say(f"{flags.split} loss {found.known.loss:.4f} on {name}")
    say(accuracies(found.known, facts.classes, flags.split))
    return 0


def _of_columns(flags, found, facts, path, name):
    """Say what a model of several labels, or of numbers, came to; the exit status."""
    from cynet.report import evaluated

    from . import column_tables
    from .terminal import say

    if flags.json is not None:
        whole = evaluated.column_document(found.known, facts, path, name, flags.split, flags.flip)
        if _told(flags.json, whole | {"notes": evaluated.notes_of(found.matched), "int8": flags.int8}):
            return 0
    say(trained.headline(path, facts, flags.int8))
    for note in evaluated.notes_of(found.matched):
        say(f"note: {note}")
    for text in column_tables.evaluation(found.known, facts.classes, name, flags.split, flags.flip):
        say(text)
    if unsure := int((~found.known.sure).sum()):
        print(f"warning: {unsure:,} samples gave NaN; they count as wrong", file=sys.stderr)
    say(column_tables.last(found.known, flags.split))
    return 0


def _check_json(path):
    from cynet.core.output import check_output

    if path is not None and path != STDOUT:
        with refusing("--json"):
            check_output(path)


def _data(flags, facts, name, stored):
    """The data set as the model sees it."""
    from cynet.runs import beside, matching

    root = flags.data_dir or stored
    if root and not os.path.exists(root):
        raise UsageError(f"--data-dir: no such file or folder: {os.path.abspath(root)}")
    more = beside.data_options(flags.weights, name)
    if flags.skip_damaged:
        of_pictures("--skip-damaged", name)
        more["skip_damaged"] = True
    with refusing("--data-dir" if root else "--data"):
        return matching.load(facts, name, root, flags.split, **more)
