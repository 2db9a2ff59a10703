"""An evaluation as text: a line a class, the confusion matrix, the calibration."""

from cynet.core.names import printable
from cynet.train.predictions import confused, macro_f1, precision

WIDEST = 20  # classes: a larger confusion matrix fits no terminal
TOP = 5  # classes among which the right one is counted
MISTAKES = 20  # the most frequent mistakes, which are shown in its place


def evaluation(found, strangers, names, data, split, tta=()):
    """All that is said of an evaluation, but its last line.

    Parameters
    ----------
    found : Evaluated
    strangers : dict
        See `unknown`.
    names : sequence of str
        Of the classes that the model knows.
    data, split : str
        What it was evaluated on.
    tta : tuple of str, optional
        The kinds of views whose mean was judged.

    Yields
    ------
    str
    """
    result, names = found.known.evaluation, tuple(map(printable, names))
    seen = f", each the mean of its views: {', '.join(tta)}" if tta else ""
    seen = ", each together with its mirror image" if tta == ("flip",) else seen
    yield f"{split} loss {result.loss:.4f} on {result.samples.sum():,} pictures of {data}{seen}\n"
    yield classes(result, names) + "\n"
    yield confusion(result, names) + "\n"
    yield calibration(found.known.calibration())
    top = f", top-{TOP} accuracy {found.known.top_accuracy(TOP):.4f}" if len(names) > TOP else ""
    yield f"macro F1 {macro_f1(result):.4f}{top}"
    yield from unknown(found.matched, strangers)


def classes(evaluation, names):
    """Recall (the class's accuracy), precision and count of each class.

    Parameters
    ----------
    evaluation : Evaluation
    names : sequence of str

    Returns
    -------
    str
    """
    width = max(map(len, (*names, "class")))
    lines = [f"{'class':<{width}}  recall  precision    count"]
    columns = zip(names, evaluation.class_accuracy, precision(evaluation), evaluation.samples, strict=True)
    for name, recall, exact, count in columns:
        lines.append(f"{name:<{width}}  {_part(recall, 6)}  {_part(exact, 9)}  {count:>7,}")
    return "\n".join(lines)


def confusion(evaluation, names):
    """The confusion matrix; of more than `WIDEST` classes the most frequent mistakes."""
    if len(names) > WIDEST:
        return _mistakes(evaluation, names)
    width = max(map(len, names))
    digits = max(len(str(evaluation.confusion.max())), len(str(len(names) - 1)))
    last = len(str(len(names) - 1))
    heading = "  ".join(f"{k:>{digits}}" for k in range(len(names)))
    lines = ["confusion (row: label, column: prediction)", f"{'':<{width + last + 1}}  {heading}"]
    for k, (name, row) in enumerate(zip(names, evaluation.confusion, strict=True)):
        cells = "  ".join(f"{count:>{digits}}" if count else f"{'.':>{digits}}" for count in row)
        lines.append(f"{k:>{last}} {name:<{width}}  {cells}")
    return "\n".join(lines)


def _mistakes(evaluation, names):
    found = confused(evaluation, MISTAKES)
    lines = [f"the most frequent mistakes of {len(names)} classes (all are in --json)"]
    return "\n".join(lines + [f"{count:>7,}  {names[i]} taken for {names[j]}" for i, j, count in found])


def unknown(matched, strangers):
    """Lines on the pictures of classes that the model does not know; they are in no other number.

    Parameters
    ----------
    matched : Matched
    strangers : dict of str to (dict of str to int)
        By class what the model took its pictures for.
    """
    for title, found in strangers.items():
        taken = ", ".join(f"{count:,} {name}" for name, count in found.items())
        count = len(matched.unknown[title])
        yield f"not known to the model: {title}, {count:,} pictures, taken for: {taken or 'nothing'}"


def calibration(found):
    """The calibration error in a line."""
    return f"calibration error {found.error:.4f} (expected, {len(found.counts)} bins)"


def _part(value, width):
    return f"{'-':>{width}}" if value != value else f"{value:>{width}.4f}"
