"""Fetch published data sets, check that they are whole, and draw what a network sees of them."""

import os
from pathlib import Path

from .parser import Failure, UsageError, integer, refusing

WHAT = {
    "fetch": "download the files of a data set, or what is missing of them",
    "check": "count and verify: files by size and MD5, pictures by class",
    "show": "draw augmented samples of each class as one PNG picture",
}
SIDE = 128  # pixels that a sample is enlarged to, about


def add_flags(parser):
    of = parser.commands(WHAT)
    for name, each in of.items():
        each.add_argument("name", metavar="NAME", help="the data set, such as cifar10")
        each.add_argument(
            "--data-dir", metavar="DIR", help="the folder with its files (default: data; shapes10 needs none)"
        )
        if name != "fetch":
            text = "one part alone" if name == "check" else "which part"
            each.add_argument("--split", choices=("train", "test"), help=text)
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


def run(flags):
    from cynet.data import registry

    try:
        registry.checked_name(flags.name)
    except ValueError as error:
        raise UsageError(f"NAME: {str(error).removeprefix('name: ')}") from None
    return _RUNS[flags.what](flags)


def _fetch(flags):
    from cynet.data import download, sources

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


def _load(flags, split):
    from cynet import data

    with refusing("--data-dir"):
        return data.load(flags.name, flags.data_dir, split)


def _check(flags):
    from cynet.data import balance, inspection

    wrong = 0
    for path, problem in inspection.published_files(flags.name, Path(flags.data_dir or "data")):
        print(f"{path}: {problem or 'as published'}")
        wrong += problem is not None
    if wrong:
        raise Failure(f"{wrong} file{'s are' if wrong > 1 else ' is'} not as published: fetch again")
    for split in [flags.split] if flags.split else ["train", "test"]:
        dataset = _load(flags, split)
        found = inspection.check(dataset, flags.name, split)
        wrong += not found.right
        _print(dataset, split, found)
        advice = f"cynet train {balance.ADVICE}" if split == "train" else ""
        for line in balance.described(found.counts, dataset.classes, advice):
            print(f"  {line}")
    if wrong:
        raise Failure("the numbers of pictures are not as published, or a class has none")
    return 0


def _print(dataset, split, found):
    height, width, channels = dataset.picture_shape
    print(f"{split}: {len(dataset):,} pictures of {height} x {width}, {channels} channels", end=", ")
    print(f"{len(dataset.classes)} classes")
    print(f"  mean {dataset.mean.round(4).tolist()}, deviation {dataset.std.round(4).tolist()}")
    print(f"  fingerprint {dataset.fingerprint()}")
    names = max(map(len, dataset.classes))
    wanted = found.wanted or (None,) * len(found.counts)
    if len(set(zip(found.counts, wanted, strict=True))) == 1 and len(found.counts) > 1:
        print(f"  {found.counts[0]:,} of each class{_verdict(found.counts[0], wanted[0])}")
        return
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
    dataset = _load(flags, flags.split)
    transforms = []
    if flags.augment:
        transforms = [RandomCrop(flags.padding), RandomFlip()]
        transforms += [Cutout(flags.cutout)] if flags.cutout else []
    canvas = inspection.mosaic(
        dataset, transforms, flags.columns, flags.classes, flags.seed, flags.epoch
    )
    factor = max(1, SIDE // max(dataset.picture_shape[:2]) // 2)
    canvas = canvas.repeat(factor, axis=0).repeat(factor, axis=1)
    write_atomically(output, png.encode(canvas))
    shown = [name for k, name in enumerate(dataset.classes[: flags.classes]) if (dataset.labels == k).any()]
    print(f"{output}: {canvas.shape[1]} x {canvas.shape[0]}; rows from the top: {', '.join(shown)}")
    return 0


_RUNS = {"fetch": _fetch, "check": _check, "show": _show}
