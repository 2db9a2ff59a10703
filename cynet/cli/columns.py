"""Rows of texts, one under the other."""


def aligned(rows):
    """Rows of texts as lines; the first column is set to the left, and so is the last.

    Parameters
    ----------
    rows : iterable of sequence of str

    Returns
    -------
    str
    """
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *middle, last in rows:
        cells = [f"{first:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([*cells, last]).rstrip())
    return "\n".join(lines)
