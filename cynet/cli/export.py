"""Write a trained net as a file of other tools: ONNX, C, a web page; in eight bits, too."""

import os

from cynet.core.names import printable

from . import trained
from .parser import UsageError, refusing
from .registry import command
from .values import add_threads, integer

OF_ONNX, OF_C, OF_DATA = ("layout", "fold", "pixels"), ("int8",), ("data", "data_dir")


def add_flags(parser):
    parser.add_argument("run", metavar="RUN", help=trained.WHERE)
    trained.add_weights(parser)
    group = parser.add_argument_group("what is written, one or several")
    group.add_argument("--onnx", metavar="FILE", help="an ONNX file, opset 17, for batches of any size")
    group.add_argument("--c", metavar="DIR", help="C99 in a folder: net.c, net.h, main.c, Makefile")
    group.add_argument("--html", metavar="FILE", help="one page with the net in it, for a browser")
    group = parser.add_argument_group("of ONNX")
    group.add_argument(
        "--layout", choices=("nchw", "nhwc"), help="where inputs have their channels (default: nchw)"
    )
    group.add_argument("--fold", action="store_true", help="batch norm within the weights before it")
    group.add_argument(
        "--pixels", action="store_true",
        help="the file takes pictures of 0 to 255 as they are, and normalises them, as C and pages do",
    )  # fmt: skip
    group = parser.add_argument_group("of C")
    group.add_argument(
        "--int8", action="store_true", help="in eight bits, ranges from pictures of the training set"
    )
    group.add_argument(
        "--samples", type=integer(1), metavar="N", help="that these ranges are taken from (default: 500)"
    )
    group = parser.add_argument_group("data, for --int8 and --html")
    group.add_argument("--data", metavar="NAME", help="the data set (default: the one trained on)")
    group.add_argument("--data-dir", metavar="DIR", help="the folder with its files (default: the run's)")
    add_threads(parser)


@command("a trained net as ONNX, C or a web page", order=4)
def run(flags):
    from cynet.runs import exporting

    from .terminal import say

    _check(flags)
    trained.set_threads(flags)
    path, stored = trained.locate(flags.run, "RUN", flags.which)
    model, facts = trained.load(path, "RUN", flags.net)
    say(trained.headline(path, facts))
    if flags.onnx:
        with refusing("--onnx"):
            size = exporting.to_onnx(
                model, facts, flags.onnx, layout=flags.layout or "nchw", fold=flags.fold, pixels=flags.pixels
            )
        say(f"{printable(flags.onnx)}: {size:,} bytes")
    if flags.c:
        eight_bits = None
        if flags.int8:
            eight_bits = trained.quantized(model, facts, path, *_data(flags, facts, stored), flags.samples)
        with refusing("--c"):
            exporting.to_c(model, facts, flags.c, eight_bits)
        say(f"{printable(flags.c)}: net.c, net.h, main.c, Makefile")
    if flags.html:
        with refusing("--html"):
            exporting.check_pictures(facts)
        name, root = _data(flags, facts, stored)
        with refusing("--data-dir" if root else "--data"):
            test = exporting.samples(facts, path, root, name, "test")
        with refusing("--html"):
            size = exporting.to_html(model, facts, flags.html, test)
        say(f"{printable(flags.html)}: {size:,} bytes")
    return 0


def _data(flags, facts, stored):
    """(the name of the data set that is asked for, the folder where it lies or None)."""
    from cynet.data.registry import placed

    name, root = placed(flags.data or facts.data, flags.data_dir)
    if root and not os.path.exists(root):
        raise UsageError(f"--data-dir: no such file or folder: {os.path.abspath(root)}")
    return name, root or (stored if name == facts.data else None)


def _check(flags):
    """Refuse what does not go together."""
    if not (flags.onnx or flags.c or flags.html):
        raise UsageError("wanted --onnx, --c or --html, got none")
    for names, target, of in ((OF_ONNX, flags.onnx, "--onnx"), (OF_C, flags.c, "--c")):
        for name in names:
            if getattr(flags, name) and not target:
                raise UsageError(f"--{name}: wanted {of} beside it, got none")
    if flags.samples and not flags.int8:
        raise UsageError("--samples: wanted --int8 beside it, got none")
    for name in OF_DATA:
        if getattr(flags, name) and not (flags.int8 or flags.html):
            raise UsageError(f"--{name.replace('_', '-')}: wanted --int8 or --html beside it, got neither")
