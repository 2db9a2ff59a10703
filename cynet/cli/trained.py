"""Finding a trained model, and data for it: what evaluate, predict and report have in common."""

import sys

from cynet.runs.filenames import KEPT
from cynet.runs.ranges import NONE, RANGES

from .parser import UsageError, refusing
from .values import flag

VIEWS = flag(RANGES["tta"].parse)
WHERE = "a run folder, or a .safetensors file"


def add_weights(group):
    """The flag --weights."""
    group.add_argument(
        "--weights",
        dest="which",
        choices=tuple(KEPT),
        help="which of the run's weights: the last, or the best (default: what it came to)",
    )
    add_model(group)


def add_model(group):
    """The flag --model."""
    group.add_argument(
        "--model", dest="net", metavar="FILE.py[:NAME]",
        help="the code of its net, where that has layers that cynet does not know",
    )  # fmt: skip


def add_views(group):
    """The flag --tta."""
    group.add_argument(
        "--tta",
        type=_views,
        metavar="NAME,...",
        help="mean the probabilities over views of each picture: flip, shift, diagonal (moved by a pixel), "
        "or none (default: as in the model's training)",
    )


def _views(text):
    return "" if text == NONE else VIEWS(text)


def set_threads(flags):
    from cynet.core.threads import set_num_threads

    if flags.threads:
        set_num_threads(flags.threads)


def locate(path, argument, which=None):
    """(weights file, data folder of its run or None) of a run folder, or of a file, perhaps in one.

    Parameters
    ----------
    path : str
    argument : str
        What an error calls it.
    which : {"last", "best"}, optional
        Those of a run folder.
    """
    from cynet.runs import beside
    from cynet.runs.weights import file_of

    try:
        with refusing(argument):
            file = file_of(path, which)
    except UsageError as error:
        if isinstance(error.__cause__, ValueError):  # of `which`, beside a file
            raise UsageError(f"--{error.__cause__}") from error
        raise
    stored, notes = beside.data_of(file)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return file, stored


def load(path, argument, net=None):
    """(model, Facts) of a weights file, whose net's code is at `net`."""
    from cynet.runs import nets
    from cynet.train import load_weights

    build = nets.builder(net_of(net, path))
    with refusing(argument):
        return load_weights(path, build)


def net_of(net, path):
    """The `OwnNet` that --model names, or None; it is said where the run of a weights file has other code."""
    from cynet.runs import nets, own_code
    from cynet.runs.run import Run

    with refusing("--model"):
        found = nets.of(net)
    run = Run(path.parent)
    if found and own_code.known(run.path, run.environment):
        other = own_code.difference(run.path, run.environment, found)
        if other:
            print(f"note: --model: {other[0]} ({other[1]})", file=sys.stderr)
    return found


def quantized(model, facts, path, name, root, count):
    """A net in eight bits, its ranges from `count` samples for training of the data set `name` in `root`."""
    from cynet.runs import exporting

    with refusing("--data-dir" if root else "--data"):
        training = exporting.samples(facts, path, root, name)
    with refusing("--int8"):
        return exporting.in_eight_bits(model, facts, training, count or exporting.SAMPLES)


def headline(path, facts, int8=False):
    """What the model in a weights file is, and whether it is looked at in eight bits, in a line."""
    from cynet.core.names import printable

    norm, bits = " with batch norm" if facts.is_normed else "", ", in eight bits" if int8 else ""
    return f"{path}: {facts.model}{norm}, trained on {printable(facts.data)}{bits}"
