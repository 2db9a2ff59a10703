"""The flags of a run's settings: one table says how each field of `Settings` is written on the command line.

What each may be `cynet.runs.ranges` says.
"""

import argparse
import json
from dataclasses import dataclass

from cynet.core.tasks import EVERY, LOSSES
from cynet.core.wording import FLAGS
from cynet.data import registry
from cynet.runs import ranges
from cynet.runs.augmentations import NAMES
from cynet.runs.ranges import OPTIMIZERS, RANGES, SCHEDULES
from cynet.runs.settings import DEFAULTS

from .values import flag


@dataclass(frozen=True)
class Option:
    """How a setting is written.

    Attributes
    ----------
    group : str
        The heading in `--help`.
    metavar : str or None
        None for a flag with a --no- form.
    help : str
    """

    group: str
    metavar: str | None
    help: str


text = flag(ranges.text)  # an argparse type: a text that is not empty

OPTIONS = {
    "model": Option("model", "NAME", "the network to train; or FILE.py[:NAME], a function that builds it"),
    "model_option": Option("model", "KEY=VALUE", "an argument of that function; can be given several times"),
    "batch_norm": Option("model", None, "with batch norm in the network"),
    "init_from": Option("model", "FILE", "start from a .safetensors or .pth file, or a run's last weights"),
    "new_head": Option("model", None, "beside --init-from: take what fits but the last layer with weights"),
    "freeze": Option(
        "model", "PATTERN,...", "leave the parameters at these paths as they are, as 0.*,*.bias"
    ),
    "freeze_after": Option(
        "model", "PATTERN:EPOCHS,...", "train these no more after so many epochs, as 0.bias:3"
    ),
    "whiten": Option(
        "model", None, "set the first convolution's filters from the patches of the training pictures"
    ),
    "data": Option(
        "data", "NAME",
        f"the data set: {', '.join(registry.names())}; or a .npz file, arrays, or a .txt file, a text",
    ),
    "data_dir": Option(
        "data", "DIR",
        "the folder with the data set's files; of arrays also a .npz file, of a text its file",
    ),
    "skip_damaged": Option("data", None, "leave damaged pictures of image_folder and image_list out"),
    "image_size": Option(
        "data", "HxW", "the size that pictures of image_folder are given, as 48x64 (default: 32x32)"
    ),
    "layout": Option(
        "data", "NAME",
        f"what the dimensions of arrays are, where they do not tell: {', '.join(ranges.LAYOUTS)}",
    ),
    "sequence_length": Option(
        "data", "N", "of a text: tokens that a network is given at a time (default: 100)"
    ),
    "level": Option(
        "data", "NAME", f"of a text: what a token is, {' or '.join(ranges.LEVELS)} (default: character)"
    ),
    "fold": Option("data", None, "of a text: make one space of every run of white space"),
    "random_starts": Option(
        "data", None,
        "of a text: train on ten sequences in a row from random places, not on the whole in order"
    ),
    "task": Option("data", "NAME", f"what the labels are for: {', '.join(EVERY)} (default: what they tell)"),
    "loss": Option("training", "NAME", f"of task regress: {', '.join(LOSSES)} (default: mse)"),
    "augment": Option(
        "data", "NAME[:ARG],...",
        "crop at random from pictures padded by 4 pixels, and flip them; or what the names say, as "
        f"random-resized-crop,flip,rotate:15 ({', '.join(NAMES)})",
    ),
    "validation": Option(
        "data", "SHARE",
        "hold out this share of each class's training pictures, as .2, and choose the best weights on them; "
        "the test set is looked at once, at the end",
    ),
    "split_seed": Option(
        "data", "N",
        "of the choice of pictures that are held out, or are for testing where a folder has no part for it",
    ),
    "batch_size": Option("data", "N", "pictures that go through the network at once"),
    "accumulate": Option("data", "N", "such batches of a step, whose gradients are averaged"),
    "shards": Option(
        "data", "N", "parts that a step's batch is cut into, each by itself: see --distributed, which has 8"
    ),
    "sync_batch_norm": Option("data", None, "beside --shards: batch norm over the whole batch"),
    "balanced": Option("data", None, "draw every class as often as another"),
    "steps": Option("training", "N", "steps to train (default: 1500)"),
    "epochs": Option("training", "N", "or passes over the training set, as 9.9"),
    "evaluate_every": Option("training", "N", "epochs from one evaluation to the next"),
    "lr": Option(
        "training", "RATE",
        "learning rate, the greatest one (default: 0.1; of adam, adamw and task regress 0.001)",
    ),
    "schedule": Option(
        "training", "NAME",
        f"how the rate changes: {', '.join(SCHEDULES)} (default: steps, constant with --lr)",
    ),
    "lr_steps": Option(
        "training", "STEP:RATE,...",
        "the rate from each of these steps on (default of the schedule steps: a tenth of the rate after 60%% "
        "of the steps, and a hundredth after 84%%)",
    ),
    "lr_factor": Option(
        "training", "PATTERN:FACTOR,...", "multiply the rate of the parameters at these paths, as *.bias:64"
    ),
    "lr_drop": Option("training", "EPOCHS:FACTOR", "or: multiply it by this after every so many epochs"),
    "warmup": Option("training", "STEPS", "steps in which the rate rises to the schedule's"),
    "optimizer": Option("training", "NAME", f"what makes the steps: {', '.join(OPTIMIZERS)}"),
    "momentum": Option("training", "M", "of the optimiser; of adam and adamw its first beta"),
    "weight_decay": Option("training", "D", "pull towards zero"),
    "no_decay": Option("training", "NAME,...", "without this pull: norm (layers' weights and biases), bias"),
    "label_smoothing": Option("training", "S", "share spread over all classes"),
    "class_weights": Option(
        "training", "NAME", "balanced: weigh every class as much as another in the loss of training"
    ),
    "clip_norm": Option("training", "NORM", "scale greater gradients down to this norm"),
    "ema": Option("training", "D", "keep the average of the weights with this decay, as .999"),
    "lookahead": Option(
        "training", "STEPS:DECAY[:POWER]",
        "slow weights, followed after every so many steps, of which so much is kept then, as 5:.5; with a "
        "power it rises to that in the course of the training",
    ),
    "mixup": Option("training", "ALPHA", "train on pictures between two, as .2; 0: never"),
    "tta": Option(
        "training", "NAME,...",
        "evaluate the mean of a picture's views: flip, shift (by a pixel, four ways), diagonal (two ways)"
    ),
    "patience": Option("training", "N", "stop after N epochs without a better accuracy"),
    "seed": Option("training", "N", "of weights, order and augmentation"),
    "threads": Option("running", "N", "of the kernels (default: OMP_NUM_THREADS, or all)"),
    "workers": Option("running", "N", "loader processes; auto: what is fastest on this machine"),
    "checkpoint_every": Option("running", "N", "steps between checkpoints, and after epochs"),
    "checkpoint_minutes": Option("running", "M", "the same in minutes; 0: never"),
    "tensorboard": Option("running", None, "write event files for TensorBoard, too"),
}  # fmt: skip


def flag_of(name):
    """'--batch-size' for 'batch_size'."""
    return FLAGS(name)


class Merged(argparse.Action):
    """Puts what a flag gives, each time a JSON object, into one."""

    def __call__(self, parser, namespace, values, option_string=None):
        before = json.loads(getattr(namespace, self.dest) or "{}")
        setattr(namespace, self.dest, json.dumps(before | json.loads(values), sort_keys=True))


def add_flags(parser):
    """A flag for every setting, in groups; one that is not given is None."""
    groups = {}
    for name, option in OPTIONS.items():
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        default = DEFAULTS[name]
        if RANGES[name] is ranges.FLAG:
            kind = {"action": argparse.BooleanOptionalAction}
            shown = "yes" if default else "no"
        elif isinstance(default, bool):
            kind = {"type": flag(RANGES[name].parse), "metavar": option.metavar, "nargs": "?", "const": True}
            shown = "yes" if default else "no"
            groups[option.group].add_argument(
                flag_of(f"no_{name}"), dest=name, action="store_false", default=None, help=f"without --{name}"
            )
        else:
            kind, shown = {"type": flag(RANGES[name].parse), "metavar": option.metavar}, default
        if name == "model_option":
            kind["action"] = Merged
        help_text = option.help + ("" if default is None else f" (default: {shown})")
        groups[option.group].add_argument(flag_of(name), default=None, help=help_text, **kind)
    return groups
