"""Fetch published data sets, check data sets, published or your own, and draw what a network sees of them."""

import contextlib
import os
from pathlib import Path

from cynet.data import registry
from cynet.runs.augmentations import MIXED, names_of, transforms
from cynet.runs.datasets import known, of_pictures
from cynet.runs.ranges import RANGES, augmentation
from cynet.runs.settings import data_options

from .options import OPTIONS, flag_of
from .parser import Failure, UsageError, refusing
from .registry import command
from .values import flag, integer

SHAPES = "image_size", "layout", "task"  # settings that say what samples and labels are
WHAT = {
    "fetch": "download the files of a data set, or what is missing of them",
    "check": "count and verify: files by size and MD5, pictures by class, each damaged picture by its name",
    "show": "draw augmented samples of each class as one PNG picture",
}


def add_flags(parser):
    parser.description += (
        f" Their names: {', '.join(registry.names())}. Your own pictures are image_folder, folders with "
        "pictures of each class; image_list, lists of pictures; or arrays, a .npz file."
    )
    of = parser.commands(WHAT)
    for name, each in of.items():
        names = registry.FETCHED if name == "fetch" else registry.names()
        each.add_argument("name", metavar="NAME", help=f"the data set: {', '.join(names)}")
        each.add_argument(
            "--data-dir", metavar="DIR", help="the folder with its files (default: data; shapes10 needs none)"
        )
        if name != "fetch":
            text = "one part alone" if name == "check" else "which part"
            each.add_argument("--split", choices=("train", "test"), help=text)
            text = "leave damaged pictures of image_folder and image_list out"
            each.add_argument("--skip-damaged", action="store_true", help=text)
            text = "draws the test pictures of an image_folder that has no folder for them"
            each.add_argument("--split-seed", type=integer(0), default=0, metavar="N", help=text)
            for setting in SHAPES:
                option, kind = OPTIONS[setting], flag(RANGES[setting].parse)
                each.add_argument(flag_of(setting), type=kind, metavar=option.metavar, help=option.help)
    of["fetch"].add_argument(
        "--mirror",
        metavar="URL",
        help="base of another address (default: the environment's CYNET_MIRROR, or the authors' address)",
    )
    show = of["show"]
    show.set_defaults(split="train")
    show.add_argument("--output", metavar="FILE", help="the picture (default: NAME-SPLIT.png)")
    show.add_argument("--columns", type=integer(1, 100), default=10, metavar="N", help="samples of a class")
    show.add_argument("--classes", type=integer(1, 1000), default=20, metavar="N", help="the most classes")
    show.add_argument("--padding", type=integer(0, 100), default=4, metavar="N", help="of the random crop")
    show.add_argument("--cutout", type=integer(0, 100), default=0, metavar="N", help="side of a grey square")
    show.add_argument(
        "--augment", type=flag(augmentation), default=True, metavar="NAME[:ARG],...",
        help="what is done to them, as cynet train takes it (default: a random crop and a flip)",
    )  # fmt: skip
    show.add_argument("--no-augment", dest="augment", action="store_false", help="the pictures as they are")
    show.add_argument("--seed", type=integer(0), default=0, metavar="N", help="of choice and augmentation")
    show.add_argument("--epoch", type=integer(0), default=0, metavar="N", help="another epoch's augmentation")


@command("fetch data sets, check them, draw what a network sees of them", order=8)
def run(flags):
    flags.name, flags.data_dir = registry.placed(flags.name, flags.data_dir)
    known(flags.name, "NAME", f"cynet data {flags.what} ")
    if getattr(flags, "skip_damaged", False):
        of_pictures("--skip-damaged", flags.name)
    return _RUNS[flags.what](flags)


def _fetch(flags):
    from cynet.data.sets import download, sources

    if flags.name not in sources.PUBLISHED:
        wanted = ", ".join(sources.PUBLISHED)
        raise UsageError(f"NAME: wanted a data set that is published ({wanted}), got {flags.name!r}")
    mirror = os.environ.get(download.MIRROR) if flags.mirror is None else flags.mirror
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise UsageError(f"--mirror: wanted an address with http:// or https://, got {mirror!r}")
    try:
        for path in download.fetch(flags.name, flags.data_dir or "data", mirror):
            print(f"{path}: {path.stat().st_size:,} bytes, as published")
    except ValueError as error:
        raise Failure(error) from error
    return 0


def _shapes(flags):
    """What the flags say of the samples' shape and labels, as `cynet.data.load` takes it."""
    return data_options({setting: getattr(flags, setting) for setting in SHAPES})


@contextlib.contextmanager
def _reading():
    """Within this context a data set is read: what refuses it is a flag on its shape, or else its place."""
    try:
        with refusing("--data-dir"):
            yield
    except UsageError as error:
        setting, _, text = str(error.__cause__).partition(": ")
        setting = {"size": "image_size"}.get(setting, setting)
        if setting not in SHAPES:
            raise
        raise UsageError(f"{flag_of(setting)}: {text}") from error


def _check(flags):
    from cynet.data import balance, checking, inspection
    from cynet.data.images import damaged

    published = inspection.published_files(flags.name, Path(flags.data_dir or "data"))
    for path, problem in published:
        print(f"{path}: {problem or 'as published'}")
    if wrong := sum(problem is not None for _, problem in published):
        raise Failure(f"{wrong} file{'s are' if wrong > 1 else ' is'} not as published: fetch again")
    parts, told = [], set()
    for split in [flags.split] if flags.split else ["train", "test"]:
        with _reading():
            part = checking.part(flags.name, flags.data_dir, split, flags.split_seed, **_shapes(flags))
            for line in part.lines(f"cynet train {balance.ADVICE}" if split == "train" else ""):
                print(line)
        for note in part.notes:
            if note not in told and (flags.skip_damaged or damaged.LEFT_OUT not in note):
                print(f"  note: {note}")
            told.add(note)
        for line in damaged.lines(part.problems):
            print(f"  cannot be used: {line}")
        parts.append(part)
    if refusal := checking.refusal(parts, flags.skip_damaged, "--skip-damaged leaves damaged ones out"):
        raise Failure(refusal)
    return 0


def _show(flags):
    from cynet.core import png
    from cynet.core.files import write_atomically
    from cynet.core.output import check_output
    from cynet.data import inspection, loading

    output = flags.output or f"{flags.name}-{flags.split}.png"
    with refusing("--output"):
        check_output(output)
    with _reading():
        more = {"split_seed": flags.split_seed, "skip_damaged": flags.skip_damaged} | _shapes(flags)
        dataset = loading.load(flags.name, flags.data_dir, flags.split, **more)
    if flags.name in registry.dataset.those(texts=True):
        raise UsageError(f"NAME: wanted pictures to draw, got the text {flags.name}")
    of, notes = _changes(flags, dataset)
    with refusing("--augment" if isinstance(flags.augment, str) else "NAME"):
        canvas = inspection.mosaic(dataset, of, flags.columns, flags.classes, flags.seed, flags.epoch)
    canvas = inspection.enlarged(canvas, dataset.picture_shape)
    write_atomically(output, png.encode(canvas))
    shown = inspection.shown(dataset, flags.classes)
    print(f"{output}: {canvas.shape[1]} x {canvas.shape[0]}; rows from the top: {', '.join(shown)}")
    if (channels := dataset.picture_shape[2]) not in (1, 3):
        notes.append(f"of {channels} channels the first is drawn, as grey")
    for note in [*getattr(dataset, "notes", ()), *notes]:
        print(f"note: {note}")
    return 0


def _changes(flags, dataset):
    """What is done to the pictures that are drawn, and a list of notes on what is not."""
    from cynet.data import inspection

    if dataset.images.dtype != "uint8":
        if isinstance(flags.augment, str):
            raise UsageError(f"--augment: wanted pictures of bytes, uint8, got {dataset!r} of floats")
        return [], ["floats are drawn as they are, each picture from its least to its greatest"]
    if flags.augment is True:
        return inspection.augmentation(flags.padding, flags.cutout), []
    mixed = [name for name in names_of(flags.augment or "") if name in MIXED]
    notes = [f"{name} mixes pictures of whole batches: it is not drawn" for name in mixed]
    return transforms(flags.augment), notes


_RUNS = {"fetch": _fetch, "check": _check, "show": _show}
