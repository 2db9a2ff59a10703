"""Words and paths of commands that are printed, so that they can be pasted into a shell."""

import os
import shlex


def word(text: str) -> str:
    """A text as one word of a shell's command.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        As `shlex.quote` gives it. What cannot be printed (line ends, bytes that are no UTF-8) is written as
        bash, zsh and ksh read it: $'caf\\xe9'.
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, os.fsencode(text)))}'"


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as one word of a shell's command; one that begins as a flag does begins with ./ instead."""
    text = os.fspath(path)
    return word(f"./{text}" if text.startswith("-") else text)


def _escaped(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}"
