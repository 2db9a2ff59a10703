"""Times under the machine's roof: what bounds a function, what to try next, and the picture of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import charts, pages
from .contest import CYNET, NUMPY, OTHERS, TEXTBOOK, YOURS

GIGA = 1e9
OVERHEAD = 15e-6  # seconds: work that needs less is bound by calls
LOOPS = 5.0  # times as long as NumPy: it loops in Python
NEAR, FAR = 0.5, 0.1  # of the roof


@dataclass
class Times:
    """What was timed.

    Attributes
    ----------
    flops, bandwidth : float
        The machine's: operations and bytes a second.
    threads : int
    rows : list of dict
        "contest", "holes", "sizes", "who", "seconds", "share", "flops", "bytes".
    notes : list of str
    """

    flops: float
    bandwidth: float
    threads: int
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def roof_seconds(self, row):
        """The least time for a row's work."""
        return max(row["flops"] / self.flops, row["bytes"] / self.bandwidth)

    def contests(self):
        """The rows of each contest, by its holes."""
        found = {}
        for row in self.rows:
            found.setdefault(row["holes"], []).append(row)
        return found


def _size(sizes):
    return ", ".join(f"{name} {size}" for name, size in sizes.items())


def duration(seconds):
    """A time with three digits that count."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def rows_of(times, rows):
    """Headings and rows of a table: a line for each size, a column for each contestant."""
    who = [name for name in (YOURS, *OTHERS) if any(row["who"] == name for row in rows)]
    sizes = list(dict.fromkeys(_size(row["sizes"]) for row in rows))
    lines = []
    for size in sizes:
        of = {row["who"]: row for row in rows if _size(row["sizes"]) == size}
        cells = []
        for name in who:
            row = of.get(name)
            estimated = "about " if row and row["share"] < 1 else ""
            cells.append(estimated + duration(row["seconds"]) if row else "too slow")
        yours = of.get(YOURS)
        share = f"{100 * times.roof_seconds(yours) / yours['seconds']:.2g} %" if yours else ""
        lines.append((size, *cells, share))
    return ("size", *who, "yours, of the roof"), lines


def sentence(times, rows, language, parallel):
    """What bounds the work at its largest size, and what to try next."""
    yours = [row for row in rows if row["who"] == YOURS]
    if not yours:
        return (
            "Even the smallest size is too slow to be timed: look for a loop within a loop that need not "
            "be there."
        )
    row = yours[-1]
    of = {each["who"]: each for each in rows if each["sizes"] == row["sizes"]}
    roof, share = times.roof_seconds(row), times.roof_seconds(row) / row["seconds"]
    memory = row["bytes"] / times.bandwidth >= row["flops"] / times.flops
    place = (
        f"memory ({times.bandwidth / GIGA:.3g} GB/s)"
        if memory
        else f"arithmetic ({times.flops / GIGA:.3g} GFLOP/s)"
    )
    text = (
        f"For {_size(row['sizes'])} the roof is {place}: {duration(roof)}. Yours takes "
        f"{duration(row['seconds'])}, {100 * share:.2g} % of the roof"
    )
    if CYNET in of:
        ratio = row["seconds"] / of[CYNET]["seconds"]
        text += f", {_times(ratio)} cynet's kernel"
    return f"{text}. {_advice(row, of, share, memory, language, parallel, times)}"


def _times(ratio):
    if ratio >= 1.05:
        return f"{ratio:,.0f} times as long as" if ratio >= 10 else f"{ratio:.2g} times as long as"
    return "as long as" if ratio > 0.95 else f"{ratio:.2g} of the time of"


def _advice(row, of, share, memory, language, parallel, times):
    if times.roof_seconds(row) < OVERHEAD and row["seconds"] < 10 * OVERHEAD:
        return "This is so little work that the calls themselves take most of it."
    if language == "python":
        if NUMPY in of and row["seconds"] > LOOPS * of[NUMPY]["seconds"]:
            return (
                "It is bound by Python's loops, each turn of which takes some 50 ns to 1 µs whatever it "
                "does: let one NumPy call go over whole arrays."
            )
        if memory:
            return (
                "Every NumPy operation goes through memory by itself: do with fewer of them, in place "
                "(out=, *=), or write it in Cython, where one loop does all of it."
            )
        return "Let a product of matrices (@) do the sums: it is what comes near the machine's arithmetic."
    if not parallel and times.threads > 1:
        return f"It runs on one of {times.threads} threads: a prange over what is independent comes next."
    if share < FAR:
        return (
            "The innermost loop is not vectorised, likely: let it go over what lies side by side in memory "
            "(the last "
            "index), in local variables of type float, with the tests for the border outside of it."
        )
    if share < NEAR:
        if memory:
            return "It goes through memory more often than it has to: do in one pass what several loops do."
        return (
            "Keep several outputs in local variables at once, so that what is loaded is used more than "
            "once (a tile)."
        )
    return "That is near the roof: only another algorithm, or less data, makes it faster."


def picture(times):
    """The roofline with a dot for every contestant and size, as SVG."""
    dots = [(row["flops"] / row["bytes"], row["flops"] / row["seconds"] / GIGA, row) for row in times.rows]
    ridge = times.flops / times.bandwidth
    across = charts.decades([*(x for x, *_ in dots), ridge / 4, ridge * 4])
    up = charts.decades([*(y for _, y, _ in dots), times.flops / GIGA])
    chart = charts.Chart(across, up, ("operations per byte", "GFLOP/s"), (True, True))
    chart.line(
        [(x, min(times.flops, x * times.bandwidth) / GIGA) for x in (across[0], ridge, across[1])],
        "var(--ink)",
    )
    colors = dict(zip((YOURS, *OTHERS), charts.COLORS, strict=True))
    for x, y, row in sorted(dots, key=lambda dot: dot[2]["who"] == YOURS):
        title = (
            f"{row['who']}: {row['holes']}, {_size(row['sizes'])}: {duration(row['seconds'])}, {y:.3g} "
            f"GFLOP/s"
        )
        chart.dot(x, y, colors[row["who"]], title, 6 if row["who"] == YOURS else 4.5)
    chart.key("the roof", "var(--ink)")
    for who in (YOURS, *OTHERS):
        if any(row["who"] == who for row in times.rows):
            chart.key(who, colors[who])
    return chart.svg(
        "Roofline: operations a second against operations per byte, with a dot for each contestant"
    )


def sections(times, language, parallel):
    """The sections of a page."""
    for holes, rows in times.contests().items():
        text = pages.table(*rows_of(times, rows)) + pages.paragraph(sentence(times, rows, language, parallel))
        yield holes, text
    told = pages.paragraph(
        f"The slanted line is memory ({times.bandwidth / GIGA:.3g} GB/s), the level one arithmetic "
        f"({times.flops / GIGA:.3g} GFLOP/s), measured just before, with {times.threads} threads. A dot far "
        "below its roof has room to grow; data that stay in a cache may lie above the slanted line, and "
        "cynet's convolution above the level one, since Winograd's way does fewer operations than are "
        f"counted. An element that is only moved counts as one. The {TEXTBOOK} did a part of the work, "
        "whose time is scaled up.",
        "hint",
    )
    yield "The roof", picture(times) + told + "".join(pages.paragraph(each, "note") for each in times.notes)


def said(times, language, parallel):
    """The same as text for a terminal."""
    import textwrap

    lines = []
    for holes, rows in times.contests().items():
        headings, cells = rows_of(times, rows)
        widths = [max(len(line[i]) for line in (headings, *cells)) for i in range(len(headings))]
        lines.append(holes)
        for line in (headings, *cells):
            lines.append(
                "  " + "  ".join(each.ljust(width) for each, width in zip(line, widths, strict=True)).rstrip()
            )
        lines += [textwrap.fill(sentence(times, rows, language, parallel), 100), ""]
    return "\n".join([*lines, *times.notes]).rstrip()
