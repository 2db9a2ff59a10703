"""The commands that repeat a run, as its folder tells."""

from pathlib import Path

from cynet.core.shell import quoted, word
from cynet.runs.configuration import ORIGIN
from cynet.runs.origins import DEFAULT
from cynet.runs.ranges import PLACES, RANGES
from cynet.runs.settings import DEFAULTS, FREE


def commands(run):
    """(what repeats a run, whether it takes several commands) as its folder tells."""
    parts = run.environment.get("resumed", [])
    if not any(part.get("changed") for part in parts):
        return command(run.config), False
    lines = [_given(run.environment)]
    for part in parts:
        lines += [f"# stopped after step {part.get('after_step')}, then", _given(part)]
    return "\n".join(lines), True


def _given(environment):
    """The command that a process was started with, as env.json has it."""
    program, *words = map(str, environment.get("command") or ["cynet"])
    return " ".join(map(word, [Path(program).name, *words]))


def command(config):
    """The command that repeats a run with this configuration.

    Parameters
    ----------
    config : dict
        As in config.toml, with the table of origins. What the weights do not depend on is left out, and so
        is what had its default.

    Returns
    -------
    str
    """
    origins = config.get(ORIGIN)
    origins = origins if isinstance(origins, dict) else {}
    words = ["cynet", "train"]
    for name in RANGES:
        value = config.get(name)
        by_default = origins.get(name, DEFAULT) == DEFAULT if origins else (
            value == DEFAULTS[name]
        )  # fmt: skip
        if value is None or by_default or (name in FREE and name != "data_dir"):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, quoted(value) if name in PLACES else word(str(value))]
    return " ".join(words)
