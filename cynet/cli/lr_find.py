"""`cynet train --lr-find`: the loss over growing learning rates, and a rate to begin with."""

import contextlib

from .parser import Failure, refusing

LINES = 16  # rates that the text shows
CURVE, PICTURE = "lr_find.csv", "lr_find.png"


def find(session, run_dir):
    """Measure, print the curve, and keep it in a folder as a table and a picture; the exit status."""
    from cynet.core.files import write_atomically
    from cynet.core.folder import own_target
    from cynet.runs.nets import short
    from cynet.train import RunFolder, lr_find

    from .terminal import say

    settings = session.settings
    with refusing("--run-dir" if run_dir else "runs"):
        folder = RunFolder(run_dir, f"{short(settings.model)}-{settings.data}-lr-find").path
    try:
        say(f"learning rates from {lr_find.LOWEST:g} to {lr_find.HIGHEST:g} in up to {lr_find.STEPS} steps")
        found = lr_find.lr_find(session.trainer, session.batches)
    except BaseException as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise (Failure(error) if isinstance(error, ValueError) else error) from None
    for line in drawn(found):
        say(line)
    write_atomically(own_target(folder / CURVE), lr_find.rows(found).encode())
    say(f"curve in {folder / CURVE}")
    try:
        lr_find.plot(found, own_target(folder / PICTURE))
        say(f"picture in {folder / PICTURE}")
    except ImportError as error:
        say(f"no picture: {error}")
    say(f"suggestion: --lr {found.suggestion:g}")
    return 0


def drawn(found):
    """The smooth loss over rates as lines of text."""
    import numpy as np

    from .terminal import can_show

    block = "█" if can_show("█") else "#"
    places = np.unique(np.linspace(0, len(found.rates) - 1, LINES).round().astype(int))
    low, high = found.smooth.min(), np.median(found.smooth[: max(1, len(found.smooth) // 4)])
    for i in places:
        part = min(1.0, (found.smooth[i] - low) / max(high - low, 1e-12))
        yield f"  lr {found.rates[i]:<9.2g} loss {found.smooth[i]:<8.4g} {block * round(30 * part)}"
