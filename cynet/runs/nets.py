"""Nets that somebody brings: a function in a Python file or a module, that builds one."""

FILE = ".py"


def is_own(model):
    """Whether a text says where a function is: "FILE.py", "FILE.py:NAME" or "MODULE:NAME"."""
    return ":" in model or model.endswith(FILE)
