"""Registry: things of one kind by their names, each registered by a decorator in the file that defines it.

Design: a name, and what its decorator says beside it, must be known without importing what is named: the list
of commands loads none of them, a flag's help names the data sets and loads no NumPy. So a registry reads the
lines of its decorators in the files of its folders, and imports a file when its thing is asked for. There is
no second list.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator

from .hints import near

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

LAST = 1000  # the place of what names none


class Registry:
    """The things of one kind; calling it gives the decorator that registers one.

    Parameters
    ----------
    word : str
        What the decorator is called in the files: `@word(...)` or `@registry.word(...)`, where a line begins.
        In the brackets stand literals: a text, if any, and named facts. `order` is the place among the names;
        those without one come last, in the order of folders, files and lines.
    package : str
        The package, imported, whose folder holds the files.
    *folders : str
        Those in it that hold them, by name; without any, the package's own.
    called : function of (str, str) to str, optional
        The name of what is defined, from the file's name and that of the class or function; default: the
        latter.

    Examples
    --------
    >>> model = Registry("model", "cynet.models")
    >>> @model()
    ... def uwnet0(batch_norm, classes, channels=3): ...
    >>> model.names()
    ('uwnet0', 'uwnet1', ...)
    """

    def __init__(
        self,
        word: str,
        package: str,
        *folders: str,
        called: Callable[[str, str], str] = lambda file, defined: defined,
    ) -> None:
        self.word, self.package, self.folders, self.called = word, package, folders or ("",), called
        self._found: dict[str, _Entry] | None = None  # name -> _Entry: what the files hold
        self._added: dict[str, _Entry] = {}  # those of elsewhere
        self._things: dict[str, Any] = {}  # those that are loaded

    def __call__(self, text: str = "", **facts: Any) -> Callable[[Any], Any]:
        """The decorator of a class or function. Raises ValueError where its name is taken by another."""

        def register(thing: Any) -> Any:
            name = self.called(thing.__module__.rpartition(".")[2], thing.__name__)
            if thing.__module__.startswith(f"{self.package}."):
                self._keep(name, thing)
            else:
                self.add(name, thing, text=text, **facts)
            return thing

        return register

    def add(self, name: str, thing: Any, **facts: Any) -> None:
        """Register what comes from elsewhere. Raises ValueError where the name is taken."""
        if name in self:
            raise ValueError(f"name: wanted one that is not taken, got {name!r}")
        self._added[name], self._things[name] = _Entry(None, name, facts), thing

    def remove(self, name: str) -> None:
        """Take away what was added."""
        del self._added[name], self._things[name]

    def _keep(self, name: str, thing: Any) -> None:
        known = self._things.get(name)
        if known is not None and (known.__module__, known.__qualname__) != _home(thing):  # else: loaded anew
            where = f"in {known.__module__} and {thing.__module__}"
            raise ValueError(f"{self.word} {name}: registered twice, {where}")
        self._things[name] = thing

    # -- asking ---------------------------------------------------------------------------------------
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(self._entries())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries()

    def __getitem__(self, name: str) -> Any:
        """The thing of a name, whose file is imported; KeyError where there is none."""
        entry = self._entries()[name]
        if name not in self._things:
            importlib.import_module(str(entry.module))
        return self._things[name]

    def facts(self, name: str) -> dict[str, Any]:
        """What the decorator of a name says: {"text": ..., and what it names}. Nothing is imported."""
        return self._entries()[name].facts

    def home(self, name: str) -> tuple[str, str] | None:
        """(module, class or function) that define a name, as texts; None for what was added."""
        entry = self._entries()[name]
        return (entry.module, entry.defined) if entry.module else None

    def those(self, **facts: Any) -> tuple[str, ...]:
        """The names whose decorators say such facts, in order."""
        return tuple(
            name for name in self.names() if all(self.facts(name).get(k) == v for k, v in facts.items())
        )

    def checked(self, name: str, argument: str = "name") -> str:
        """`name`, if it is known; a ValueError that suggests the nearest, if not."""
        if name not in self:
            meant = near(str(name), self.names())
            hint = f" (did you mean {meant}?)" if meant else ""
            raise ValueError(f"{argument}: wanted one of {', '.join(self.names())}, got {name!r}{hint}")
        return name

    # -- reading --------------------------------------------------------------------------------------
    def _entries(self) -> dict[str, _Entry]:
        if self._found is None:
            self._found = self._read()
        return self._found | self._added if self._added else self._found

    def _read(self) -> dict[str, _Entry]:
        found: dict[str, _Entry] = {}
        pattern = re.compile(rf"^@(?:\w+\.)?{self.word}(\(.*?)^(?:class|def) (\w+)", re.MULTILINE | re.DOTALL)
        for module, path in self._files():
            with open(path, encoding="utf-8") as file:
                source = file.read()
            for brackets, defined in pattern.findall(source):
                name = self.called(module.rpartition(".")[2], defined)
                if name in found:
                    where = f"in {found[name].module} and {module}"
                    raise ValueError(f"{self.word} {name}: registered twice, {where}")
                found[name] = _Entry(module, defined, _facts(brackets))
        return dict(sorted(found.items(), key=lambda pair: pair[1].facts.get("order", LAST)))

    def _files(self) -> Iterator[tuple[str, str]]:
        root = sys.modules[self.package].__path__[0]
        for folder in self.folders:
            package = f"{self.package}.{folder}" if folder else self.package
            for entry in sorted(os.listdir(os.path.join(root, folder))):
                stem, suffix = os.path.splitext(entry)
                if suffix == ".py" and stem != "__init__":
                    yield f"{package}.{stem}", os.path.join(root, folder, entry)


class _Entry:
    def __init__(self, module: str | None, defined: str, facts: dict[str, Any]) -> None:
        self.module, self.defined, self.facts = module, defined, facts


def _home(thing: Any) -> tuple[str, str]:
    return thing.__module__, thing.__qualname__


def _facts(brackets: str) -> dict[str, Any]:
    """What stands in a decorator's brackets, and perhaps in other decorators after it."""
    call: Any = ast.parse(f"@word{brackets}def f(): pass").body[0].decorator_list[0]  # type: ignore[attr-defined]
    texts = [ast.literal_eval(value) for value in call.args]
    return {"text": texts[0] if texts else ""} | {k.arg: ast.literal_eval(k.value) for k in call.keywords}
