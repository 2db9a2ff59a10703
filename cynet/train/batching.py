"""Batch sizes that suit few pictures.

Every step of a training has equally many pictures, so an epoch leaves out those that fill no batch; and it
should have some steps, since after each epoch the model is evaluated. An epoch of ten steps leaves out less
than a tenth of the pictures, so counting its steps is enough.
"""

from cynet.core.wording import FLAGS, Wording

FEW = 10  # steps of an epoch below which another batch size is suggested
SMALL = 8  # pictures below which a batch is too small to be suggested for the sake of the steps
USUAL = 128  # pictures of a batch, where nobody asked for more


def suited(samples: int, most: int) -> int | None:
    """The batch size from `most` / 2 to `most` that leaves out the fewest of the samples; None below 2."""
    sizes = range(max(2, -(-most // 2)), most + 1)
    return min(sizes, key=lambda size: (samples % size, -size), default=None)


def suggestion(samples: int, most: int = USUAL) -> int | None:
    """A batch size for so many samples, or None: ten steps an epoch, or two where ten were tiny ones."""
    return suited(samples, min(most, samples // FEW if samples >= FEW * SMALL else samples // 2))


def refusal(samples: int, batch_size: int, what: str = "samples") -> str:
    """What an error says of a batch size that is more than all samples."""
    size = suggestion(samples)
    hint = f" ({size} makes {_counted(samples // size)} an epoch)" if size else ""
    return f"wanted at most the {samples} training {what}, got {batch_size}{hint}"


def advice(samples: int, batch_size: int, what: str = "pictures", words: Wording = FLAGS) -> str | None:
    """A sentence where an epoch has few steps and another batch size does better, else None.

    Parameters
    ----------
    samples : int
        Of an epoch; at least `batch_size`.
    batch_size : int
    what : str, optional
        The samples.
    words : Wording, optional
        How settings are written; default: as flags.
    """
    steps, left = divmod(samples, batch_size)
    if steps >= FEW:
        return None
    near, ten = suited(samples, min(batch_size, samples // 2)), suggestion(samples, batch_size)
    better = [ten] if ten and ten >= batch_size / 2 else [near, ten]
    much = max(left, samples / FEW)
    better = [n for n in dict.fromkeys(better) if n and n < batch_size and samples % n <= much]
    if not better and left <= samples / FEW:
        return None
    text = f"an epoch is {_counted(steps)} of {batch_size}"
    text += f" and leaves out {left} of {samples} {what}" if left else ""
    if better:
        found = ((size, *divmod(samples, size)) for size in better)
        sizes = (f"{size} ({_counted(steps)}, {left or 'none'} left out)" for size, steps, left in found)
        text += f": try {words.with_value('batch_size', ' or '.join(sizes))}"
    return text


def _counted(steps: int) -> str:
    return f"{steps} step" + ("s" if steps != 1 else "")
