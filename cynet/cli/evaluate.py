"""Evaluate trained weights on a test set: the accuracy of each class and over all."""

from .parser import UsageError, integer, refusing


def add_flags(parser):
    parser.add_argument("weights", metavar="RUN", help="a run folder, or a .safetensors file from one")
    group = parser.add_argument_group("data")
    group.add_argument("--data", metavar="NAME", help="the data set (default: the one trained on)")
    group.add_argument("--data-dir", metavar="DIR", help="the folder with its files (default: the run's)")
    group.add_argument("--split", choices=("train", "test"), default="test", help="which part of it")
    group = parser.add_argument_group("running")
    group.add_argument("--batch-size", type=integer(1), default=250, metavar="N", help="pictures in a batch")
    group.add_argument(
        "--threads",
        type=integer(1, 1024),
        metavar="N",
        help="of the kernels (default: OMP_NUM_THREADS, or all)",
    )


def run(flags):
    from cynet import data
    from cynet.core.threads import set_num_threads
    from cynet.train import evaluate, load_weights
    from cynet.train.session import test_loader

    from .terminal import accuracies, say

    if flags.threads:
        set_num_threads(flags.threads)
    path, stored = _locate(flags.weights)
    with refusing("RUN"):
        model, facts = load_weights(path)
    name = flags.data or facts.data
    root = flags.data_dir or (stored if name == facts.data else None)
    with refusing("--data-dir" if root else "--data"):
        samples = data.load(name, root, flags.split)
    if len(samples.classes) != len(facts.classes):
        raise UsageError(
            f"--data: wanted the model's {len(facts.classes)} classes, {name} has {len(samples.classes)}"
        )
    say(f"{path}: {facts.model}{' with batch norm' if facts.batch_norm else ''}, trained on {facts.data}")
    with test_loader(samples, facts, flags.batch_size) as batches:
        result = evaluate(model, batches)
    say(f"{flags.split} loss {result.loss:.4f} on {result.samples.sum():,} pictures of {name}")
    say(accuracies(result, facts.classes, flags.split))
    return 0


def _locate(path):
    """(weights file, data folder of the run or None) of a run folder or a file."""
    import tomllib
    from pathlib import Path

    from cynet.train.rundir import CONFIG, WEIGHTS

    path = Path(path)
    if not path.is_dir():
        return path, None
    if not (path / WEIGHTS).exists():
        raise UsageError(f"RUN: {path} has no {WEIGHTS}")
    try:
        config = tomllib.loads((path / CONFIG).read_text())
    except (OSError, ValueError):  # the weights are enough without it
        return path / WEIGHTS, None
    return path / WEIGHTS, config.get("data_dir")
