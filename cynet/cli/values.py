"""argparse types: values that are checked, each refused in words of its own; and the flag of the threads."""

from argparse import ArgumentTypeError

from cynet.runs import ranges


def flag(parse):
    """An argparse type of a function that makes a value of a text, or raises ValueError."""

    def parsed(text):
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parsed


def add_threads(parser, more="", several=False):
    """The flag --threads, the same for every command that runs kernels.

    Parameters
    ----------
    parser : Parser or group
    more : str, optional
        What help says besides.
    several : bool, optional
        Whether it takes several numbers, as a tuple, which are compared.
    """
    one = flag(ranges.RANGES["threads"].parse)
    parser.add_argument(
        "--threads",
        type=_listed(one) if several else one,
        metavar="N,..." if several else "N",
        help=("of the kernels; several are compared" if several else "of the kernels")
        + f" (default: OMP_NUM_THREADS, or all){more}",
    )


def _listed(one):
    return lambda text: tuple(one(part) for part in text.split(","))


def integers(least):
    """An argparse type: '1,2,4' as (1, 2, 4), each of at least `least`."""
    return _listed(integer(least))


def integer(least, most=ranges.MOST):
    """An argparse type: an int from `least` to `most`."""
    return flag(ranges.integer(least, most))


def within(least, most):
    """As `integer`, of a range whose both ends an error names, whichever it is about."""
    parse = ranges.integer(least, most)

    def parsed(text):
        try:
            return parse(text)
        except ValueError:
            wanted = f"wanted a whole number from {least} to {most}"
            raise ArgumentTypeError(f"{wanted}, got {ranges.short(text)}") from None

    return parsed


def number(least, below=None):
    """An argparse type: a finite float of at least `least` and, where given, less than `below`."""
    return flag(ranges.number(least, below))
