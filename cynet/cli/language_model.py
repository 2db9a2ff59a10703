"""Train a net that says what comes next in a text, and let it write."""

import sys

from cynet.core.names import harmless
from cynet.core.tasks import BEAM, SAMPLE, STRATEGIES

from . import options, recipe_help, train, trained
from .parser import UsageError, refusing
from .registry import command
from .values import add_threads, integer, number, within

WHAT = {
    "train": "train on a text; the flags are those of `cynet train`, the defaults those of a recipe",
    "generate": "go on from a prompt",
}
OF_THE_PLACE = "--data-dir"  # whose value --text gives
OF_A_TEXT, EMBEDDED = "language_model", "alice"  # recipes: with --text, and without
MOST_LENGTH, MOST_WIDTH, MOST_SEED = 1 << 20, 256, 2**63 - 1
OF_A_STRATEGY = {"temperature": (SAMPLE, 1.0), "beam_width": (BEAM, 5), "seed": (SAMPLE, 0)}  # and defaults
SHOWN = 32  # pieces that are shown together


def add_flags(parser):
    of = parser.commands(WHAT)
    of["train"].add_argument(
        "--text", type=options.text, metavar="FILE",
        help=f"the text, in UTF-8: its first 80 %% are trained on (default: {EMBEDDED}, which comes with "
        "cynet, and a small net)",
    )  # fmt: skip
    train.add_flags(of["train"])
    recipe_help.tell(of["train"], OF_A_TEXT, EMBEDDED)
    of["train"].epilog = (
        f"Defaults are those of the recipe {OF_A_TEXT}, without --text or --data those of {EMBEDDED}; with "
        "--config alone those of `cynet train`."
    )
    generate = of["generate"]
    generate.add_argument("run", metavar="RUN", help=trained.WHERE)
    trained.add_weights(generate)
    generate.add_argument("--prompt", metavar="TEXT", required=True, help="what is gone on from")
    generate.add_argument(
        "--strategy", choices=STRATEGIES, default="sample",
        help="max: the likeliest each time; sample: drawn by its probability; beam: the likeliest sequence "
        "of those that a beam finds",
    )  # fmt: skip
    generate.add_argument(
        "--temperature", type=number(0), metavar="T",
        help="of sample: below 1 likely ones become likelier; 0: the likeliest (default: 1)",
    )  # fmt: skip
    generate.add_argument(
        "--beam-width", type=within(1, MOST_WIDTH), metavar="W",
        help=f"of beam: how many sequences it has, 1 to {MOST_WIDTH} (default: 5)",
    )  # fmt: skip
    generate.add_argument(
        "--length", type=within(1, MOST_LENGTH), default=300, metavar="N",
        help=f"characters, or words, 1 to {MOST_LENGTH:,}",
    )  # fmt: skip
    generate.add_argument(
        "--seed", type=integer(0, MOST_SEED), metavar="N", help="of sample: of what is drawn (default: 0)"
    )
    add_threads(generate)


@command("train a net that says what comes next in a text, and let it write", order=10)
def run(flags):
    return _RUNS[flags.what](flags)


def _train(flags):
    told = flags.text is not None or (flags.resume is not None and flags.data_dir is None)
    if flags.text is not None:
        for name in ("data", "data_dir"):
            if getattr(flags, name) is not None:
                other = options.flag_of(name)
                raise UsageError(f"--text: not allowed with argument {other} (give one of the two)")
        flags.data_dir = flags.text
        if flags.resume is None:  # else the run says what it is
            flags.data = "text"
    if flags.recipe is None and flags.config is None and flags.resume is None:
        flags.recipe = EMBEDDED if flags.data in (None, EMBEDDED) else OF_A_TEXT
    try:
        return train.run(flags)
    except UsageError as error:
        if told and str(error).startswith(f"{OF_THE_PLACE}: "):
            raise UsageError(f"--text{str(error).removeprefix(OF_THE_PLACE)}") from error
        setting = str(error).removeprefix(f"recipe {flags.recipe}: ").partition(": ")[0]
        if setting in options.OPTIONS:  # nobody gave it
            raise UsageError(f"{error} ({options.flag_of(setting)})") from error
        raise


def _generate(flags):
    from cynet.runs import nets
    from cynet.runs.writer import Writer

    trained.set_threads(flags)
    path, _ = trained.locate(flags.run, "RUN", flags.which)
    with refusing("--model"):
        net = nets.of(flags.net)
    with refusing("RUN"):
        writer = Writer(path, model=net)
    how = {name: _of_its_strategy(flags, name) for name in OF_A_STRATEGY}
    with refusing("--prompt"):
        writer.tokens(flags.prompt)
    _show(writer.pieces(flags.prompt, flags.length, flags.strategy, **how))
    return 0


def _of_its_strategy(flags, name):
    """The value of a flag, or its default; it is said where the strategy has no use for one that is given."""
    strategy, default = OF_A_STRATEGY[name]
    given = getattr(flags, name)
    if given is not None and flags.strategy != strategy:
        flag = options.flag_of(name)
        print(f"note: {flag} changes nothing with --strategy {flags.strategy}", file=sys.stderr)
    return default if given is None else given


def _show(pieces):
    """Print a text as it is made, and end its line, also where somebody stops it."""
    shown = harmless if sys.stdout.isatty() else str
    try:
        for count, piece in enumerate(pieces):
            print(shown(piece), end="", flush=count % SHOWN == 0)
    finally:
        print(flush=True)


_RUNS = {"train": _train, "generate": _generate}
