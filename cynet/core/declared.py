"""What decorators declare, read in the files that they stand in, of which none is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any


def read(
    word: str,
    files: Iterable[tuple[str, str]],
    called: Callable[[str, str], str],
    checked: Callable[[str, str], str],
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """What some files register by a decorator.

    Parameters
    ----------
    word : str
        What it is called: `@word(...)` or `@registry.word(...)`, where a line begins.
    files : iterable of (str, str)
        Modules and the paths of their files.
    called, checked : function
        As `Registry` has them: the name of what a file defines; a name that is one, or ValueError.

    Yields
    ------
    str, str, str, dict
        The name, the module, the class or function, and what stands in the brackets.

    Raises
    ------
    ValueError
        Naming the file: where a name stands twice, what is in the brackets is no literal, or the decorator is
        written so that it would be overlooked.
    """
    homes: dict[str, str] = {}  # of the names
    decorator = rf"@(?:\w+\.)*{word}\b"
    pattern = re.compile(rf"^{decorator}(.*?)^(?:class|def) (\w+)", re.MULTILINE | re.DOTALL)
    inside = re.compile(rf"^[ \t]+{decorator}.*\n[ \t]+(?:class|def) (\w+)", re.MULTILINE)
    renamed = re.compile(rf"^from\b[^#\n]*(?:\([^)]*)?\b{word} as (\w+)", re.MULTILINE)
    for module, path in files:
        with open(path, encoding="utf-8") as file:
            source = file.read()
        if (other := renamed.search(source)) and f"@{other[1]}" in source:
            raise ValueError(f"{path}: wanted @{word}, by its own name, got @{other[1]}")
        if within := inside.search(source):
            raise ValueError(f"{path}: wanted @{word} where a line begins, got it further in, of {within[1]}")
        for brackets, defined in pattern.findall(source):
            name = checked(called(module.rpartition(".")[2], defined), f"{path}: {word}")
            if name in homes:
                raise ValueError(f"{word} {name}: registered twice, in {homes[name]} and {module}")
            homes[name] = module
            try:
                yield name, module, defined, _facts(brackets)
            except (ValueError, SyntaxError) as error:
                text = f"@{word}(...) of {defined}: wanted literals in brackets"
                raise ValueError(f"{path}: {text}: {error}") from None


def _facts(brackets: str) -> dict[str, Any]:
    """What stands in a decorator's brackets, and perhaps in other decorators after it."""
    call: Any = ast.parse(f"@word{brackets}def f(): pass").body[0].decorator_list[0]  # type: ignore[attr-defined]
    if not isinstance(call, ast.Call):
        raise ValueError("there are none")
    values: dict[Any, Any] = {k.arg: _literal(k.value) for k in call.keywords}
    texts = [_literal(value) for value in call.args] or [""]
    if len(texts) > 1 or not isinstance(texts[0], str) or None in values or "text" in values:
        raise ValueError("a text, if any, and facts by their names")
    if not isinstance(values.get("order", 0), int):
        raise ValueError(f"order: wanted an int, got {values['order']!r}")
    return {"text": texts[0]} | values


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        raise ValueError(f"got {ast.unparse(value):.80}") from None
