"""The smallest wrong call in numbers, for whoever looks at it by hand."""

import numpy as np

MOST = 16  # numbers of an array that is shown whole
WIDE = 88  # letters of a line
EDGE = 3  # numbers at each end of what is cut


def numbers(hole, case, found, wanted, cut):
    """The arguments by name, what was wanted and what came, as lines.

    Parameters
    ----------
    hole : Hole
    case : DrawnCase
    found, wanted : sequence of array
        The results.
    cut : bool
        Whether arrays of more than `MOST` numbers are shown, cut; else there are no lines then.

    Returns
    -------
    list of str
    """
    arrays = [each for each in (*hole.arguments(case.values), *wanted) if isinstance(each, np.ndarray)]
    if not cut and max(each.size for each in arrays) > MOST:
        return []
    several = len(hole.gives) > 1
    rows = [(each.name, case.values[each.name]) for each in hole.takes]
    for each, right, given in zip(hole.gives, wanted, found, strict=True):
        of = f" {each.name}" if several else ""
        rows += [(f"wanted{of}", right), (f"got{of}", given)]
    width = max(len(name) for name, _ in rows)
    return [line for name, value in rows for line in _lines(f"{name:<{width}} = ", value)]


def _lines(head, value):
    if not isinstance(value, np.ndarray):
        return [f"{head}{value:.6g}" if isinstance(value, float) else f"{head}{value}"]
    told = np.array2string(
        value, max_line_width=WIDE, separator=", ", prefix=head, threshold=MOST, edgeitems=EDGE,
        formatter={"float_kind": lambda each: f"{each:.6g}"},
    )  # fmt: skip
    lines = [line.rstrip() for line in f"{head}{told}".split("\n") if line.strip()]
    return lines if len(lines) <= MOST else [*lines[: MOST - 1], f"{' ' * len(head)}..."]
