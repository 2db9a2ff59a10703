"""What a run cannot do: refused before anything is trained, or gone wrong on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cynet.core.files import reason

ROOT = "root: "  # what `cynet.data.load` calls the place of a data set's files


class RefusedError(ValueError):
    """What was asked cannot be done; nothing was trained.

    Attributes
    ----------
    argument : str or None
        The argument that the message opens with, where that is told.
    """

    argument: str | None = None

    @classmethod
    def of(cls, argument: str, text: str) -> RefusedError:
        """The error "ARGUMENT: TEXT"."""
        error = cls(f"{argument}: {text}")
        error.argument = argument
        return error


class FailedError(RuntimeError):
    """It was begun and went wrong on the way; what was kept until then is whole."""


class PlotsError(OSError):
    """The page of a run is written, the PNG files beside it are not."""


@contextlib.contextmanager
def refusing(name: str, place: str = "data_dir") -> Iterator[None]:
    """Turn a ValueError, an OSError, or an extra that is missing, into a `RefusedError` naming an argument.

    Parameters
    ----------
    name : str
        What the argument is called.
    place : str, optional
        What the place of a data set's files is called, where the error is about that.
    """
    try:
        yield
    except RefusedError:
        raise
    except (ValueError, OSError, ImportError) as error:
        text = reason(error).removeprefix("name: ")
        if text.startswith(ROOT):
            name, text = place, text.removeprefix(ROOT)
        raise RefusedError.of(name, text) from error
