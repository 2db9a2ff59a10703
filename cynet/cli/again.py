"""Run folders whose steps a command trains again: opened, with what is to be said of them."""

from .parser import refusing


def opened(path, flag="RUN"):
    """The `Run` in a folder, whose settings and history can be read; what is odd in it is said.

    Parameters
    ----------
    path : str
    flag : str
        What an error calls it.
    """
    from cynet.runs.run import Run

    from .terminal import say

    with refusing(flag):
        run = Run(path)
        remarks = run.remarks
    for line in remarks:
        say(line)
    return run
