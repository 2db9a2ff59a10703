"""How far a long step is: a bar on a terminal, a line for each quarter elsewhere; on standard error."""

import sys
from typing import Any, Self

PARTS = 4
FEW = 5_000  # of these nothing is said


class ProgressBar:
    """Counts up to a known total.

    Parameters
    ----------
    name : str
    total : int
    start : int
        What was there before.
    unit : str
        "" or "B" for bytes.
    """

    def __init__(self, name: str, total: int, start: int = 0, unit: str = "") -> None:
        self.name, self.total, self.done, self.unit = name, total, start, unit
        self.bar: Any = None
        self.said = PARTS * start // max(total, 1)
        if total > FEW and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=total, initial=start, desc=name, unit=unit or " ", unit_scale=True, leave=False
            )

    def add(self, count: int) -> None:
        """Say that `count` more are done."""
        self.done += count
        part = PARTS * self.done // max(self.total, 1)
        if self.bar is not None:
            self.bar.update(count)
        elif self.total > FEW and part > self.said:
            total = f"{self.total / 2**20:,.1f} MiB" if self.unit else f"{self.total:,}"
            print(f"{self.name}: {100 * part // PARTS} % of {total}", file=sys.stderr, flush=True)
        self.said = part

    def restart(self) -> None:
        """Say that all is to be done again."""
        self.done = self.said = 0
        if self.bar is not None:
            self.bar.reset()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
