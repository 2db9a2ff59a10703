"""The registry of commands: `@command("what it does")` on `run(flags)` makes a command of its file's name."""

from cynet.core.registry import Registry

command = Registry("command", "cynet.cli", called=lambda file, defined: file, closed=True)
