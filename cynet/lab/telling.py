"""What a student's code raised, in a sentence with the line of the student's file."""

import os
import traceback

SHOWN = 300  # letters of a message
KINDS = {
    MemoryError: "asks for more memory than the lab allows",
    RecursionError: "calls itself without an end (RecursionError)",
    SystemExit: "ends the program (sys.exit): a function returns instead",
    KeyboardInterrupt: "raises KeyboardInterrupt",
}
READ_ONLY = "read-only"
BOUNDS = "Out of bounds on buffer access"


def told(error, file, rows=1):
    """{"line", "kind", "text"} of what a function raised.

    Parameters
    ----------
    error : BaseException
    file : str
        The student's file as it is called in messages; lines are those of this file.
    rows : int, optional
        How many lines of an AssertionError's text are kept as lines; one: all are joined.
    """
    name = os.path.basename(file)
    lines = [
        f.lineno for f in traceback.extract_tb(error.__traceback__) if os.path.basename(f.filename) == name
    ]
    if isinstance(error, SyntaxError) and os.path.basename(error.filename or "") == name:
        lines = [error.lineno]
    return {"line": lines[-1] if lines else None, "kind": type(error).__name__, "text": _text(error, rows)}


def _text(error, rows):
    for kind, text in KINDS.items():
        if isinstance(error, kind):
            return text
    try:
        said = str(error)
        if rows > 1 and isinstance(error, AssertionError):
            lines = [" ".join(line.split())[:SHOWN] for line in said.splitlines() if line.strip()]
            said = "\n".join(lines[:rows])
        else:
            said = " ".join(said.split())[:SHOWN]
    except Exception:  # an error of somebody's own may raise anything
        said = ""
    if READ_ONLY in said:
        return f"writes into an array that it was given ({said}): make a copy, or a new array"
    if BOUNDS in said:
        return f"reads or writes beyond an array ({said})"
    return f"raises {type(error).__name__}" + (f": {said}" if said else "")
