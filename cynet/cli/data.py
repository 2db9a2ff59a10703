"""Fetch published data sets, check data sets, published or your own, and draw what a network sees of them."""

import os
from pathlib import Path

from cynet.data import registry
from cynet.runs.datasets import known, of_pictures

from .parser import Failure, UsageError, integer, refusing
from .registry import command

WHAT = {
    "fetch": "download the files of a data set, or what is missing of them",
    "check": "count and verify: files by size and MD5, pictures by class, each damaged picture by its name",
    "show": "draw augmented samples of each class as one PNG picture",
}
SIDE = 128  # pixels that a sample is enlarged to, about


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
    show.add_argument("--no-augment", dest="augment", action="store_false", help="the pictures as they are")
    show.add_argument("--seed", type=integer(0), default=0, metavar="N", help="of choice and augmentation")
    show.add_argument("--epoch", type=integer(0), default=0, metavar="N", help="another epoch's augmentation")


@command("fetch data sets, check them, draw what a network sees of them", order=8)
def run(flags):
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


def _load(flags, split, skip_damaged):
    from cynet import data

    seed = flags.split_seed
    with refusing("--data-dir"):
        return data.load(flags.name, flags.data_dir, split, split_seed=seed, skip_damaged=skip_damaged)


def _load_sound(flags, split):
    """(the data set without its damaged pictures, or None; what is wrong with those left out)"""
    try:
        dataset = _load(flags, split, flags.name in registry.PICTURES)
    except UsageError as error:
        problems = getattr(error.__cause__, "problems", None)
        if problems is None:
            raise
        return None, problems
    return dataset, getattr(dataset, "damaged", ())


def _check(flags):
    from cynet.data import balance, inspection
    from cynet.data.images import damaged

    wrong, unusable, told = 0, [], set()
    for path, problem in inspection.published_files(flags.name, Path(flags.data_dir or "data")):
        print(f"{path}: {problem or 'as published'}")
        wrong += problem is not None
    if wrong:
        raise Failure(f"{wrong} file{'s are' if wrong > 1 else ' is'} not as published: fetch again")
    for split in [flags.split] if flags.split else ["train", "test"]:
        dataset, problems = _load_sound(flags, split)
        if dataset is not None:
            found = inspection.check(dataset, flags.name, split)
            # Of one's own data a class may have nothing to test with, which is noted.
            wrong += not found.right and not (split == "test" and flags.name in registry.OWN)
            _print(dataset, split, found)
            advice = f"cynet train {balance.ADVICE}" if split == "train" else ""
            for line in balance.described(found.counts, dataset.classes, advice):
                print(f"  {line}")
        for note in getattr(dataset, "notes", ()):
            if note not in told and (flags.skip_damaged or damaged.LEFT_OUT not in note):
                print(f"  note: {note}")
            told.add(note)
        for line in damaged.lines(problems):
            print(f"  cannot be used: {line}")
        unusable += () if flags.skip_damaged and dataset is not None else problems
    if unusable:
        damage = any(problem.damaged for problem in unusable) and not flags.skip_damaged
        text = f"{len(unusable):,} picture{'s' if len(unusable) > 1 else ''} cannot be used"
        raise Failure(text + (" (--skip-damaged leaves damaged ones out)" if damage else ""))
    if wrong:
        raise Failure("the numbers of pictures are not as published, or a class has none")
    return 0


def _print(dataset, split, found):
    height, width, channels = dataset.picture_shape
    print(f"{split}: {len(dataset):,} pictures of {height} x {width}, {channels} channels", end=", ")
    print(f"{len(dataset.classes)} classes")
    print(f"  mean {dataset.mean.round(4).tolist()}, deviation {dataset.std.round(4).tolist()}")
    for k in (dataset.std == 0).nonzero()[0]:
        print(f"  channel {k} is constant: {255 * dataset.mean[k]:.0f} of 255 in all pictures")
    print(f"  fingerprint {dataset.fingerprint()}")
    names = max(map(len, dataset.classes))
    wanted = found.wanted or (None,) * len(found.counts)
    if len(set(zip(found.counts, wanted, strict=True))) == 1 and len(found.counts) > 1:
        print(f"  {found.counts[0]:,} of each class{_verdict(found.counts[0], wanted[0])}")
    else:
        for name, count, published in zip(dataset.classes, found.counts, wanted, strict=True):
            print(f"  {name:<{names}}  {count:>9,}{_verdict(count, published)}")


def _verdict(count, wanted):
    if wanted is None:
        return ""
    return ", as published" if count == wanted else f", wanted {wanted:,}"


def _show(flags):
    from cynet.bench import document
    from cynet.core import png
    from cynet.core.files import write_atomically
    from cynet.data import Cutout, RandomCrop, RandomFlip, inspection

    output = flags.output or f"{flags.name}-{flags.split}.png"
    with refusing("--output"):
        document.check(output)
    dataset = _load(flags, flags.split, flags.skip_damaged)
    transforms = []
    if flags.augment:
        transforms = [RandomCrop(flags.padding), RandomFlip()]
        transforms += [Cutout(flags.cutout)] if flags.cutout else []
    canvas = inspection.mosaic(dataset, transforms, flags.columns, flags.classes, flags.seed, flags.epoch)
    factor = max(1, SIDE // max(dataset.picture_shape[:2]) // 2)
    canvas = canvas.repeat(factor, axis=0).repeat(factor, axis=1)
    write_atomically(output, png.encode(canvas))
    shown = [name for k, name in enumerate(dataset.classes[: flags.classes]) if (dataset.labels == k).any()]
    print(f"{output}: {canvas.shape[1]} x {canvas.shape[0]}; rows from the top: {', '.join(shown)}")
    for note in getattr(dataset, "notes", ()):
        print(f"note: {note}")
    return 0


_RUNS = {"fetch": _fetch, "check": _check, "show": _show}
