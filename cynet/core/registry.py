"""Registry: things of one kind by their names, each registered by a decorator in the file that defines it.

Design: a name, and what its decorator says beside it, must be known without importing what is named: the list
of commands loads none of them, a flag's help names the data sets and loads no NumPy. So the decorators' lines
are read in the files of some folders (`core/declared.py`), and a file is imported when its thing is asked
for. There is no second list. Without that reader all files are imported at the first question.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator

from .hints import near

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

READER = "cynet.core.declared"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
LAST = 1000  # the place of what names none


class Registry:
    """The things of one kind; calling it gives the decorator that registers one.

    Parameters
    ----------
    word : str
        What the decorator is called in the files: `@word(...)` or `@registry.word(...)`, where a line begins;
        otherwise written, as without brackets or by another name, it is refused.
        In the brackets stand literals: a text, if any, and named facts. `order` is the place among the names;
        those without one come last, in the order of folders, files and lines.
    package : str
        The package, imported, whose folder holds the files.
    *folders : str
        Those in it that hold them, by name; without any, the package's own.
    called : function of (str, str) to str, optional
        The name of what is defined, from the file's name and that of the class or function; default: the
        latter.
    taken : function of (str, object) to object, optional
        What is kept of a name and a thing from elsewhere, as one that looks at what it makes; default: the
        thing.
    closed : bool, optional
        Whether what is defined elsewhere is refused.

    Examples
    --------
    >>> model = Registry("model", "cynet.models")
    >>> @model()
    ... def uwnet0(input_shape, classes): ...
    >>> model.names()
    ('uwnet0', 'uwnet1', ...)
    """

    def __init__(
        self,
        word: str,
        package: str,
        *folders: str,
        called: Callable[[str, str], str] = lambda file, defined: defined,
        taken: Callable[[str, Any], Any] = lambda name, thing: thing,
        closed: bool = False,
    ) -> None:
        self.word, self.package, self.folders, self.called = word, package, folders or ("",), called
        self._taken, self._closed = taken, closed
        self._found: dict[str, _Entry] | None = None  # name -> _Entry: what the files hold
        self._added: dict[str, _Entry] = {}  # those of elsewhere
        self._imported: dict[str, _Entry] = {}  # those of the files that were imported
        self._things: dict[str, Any] = {}  # those that are loaded

    def __call__(self, text: str = "", **facts: Any) -> Callable[[Any], Any]:
        """The decorator of a class or function.

        It raises ValueError where the name is none, or taken by another, and TypeError where what it gets has
        none, or it stands without brackets.
        """
        if not isinstance(text, str):
            raise TypeError(f"@{self.word}: wanted it with brackets, @{self.word}(), got it without")

        def register(thing: Any) -> Any:
            if not all(isinstance(getattr(thing, name, None), str) for name in ("__module__", "__name__")):
                raise TypeError(f"@{self.word}: wanted a class or function, got {type(thing).__name__}")
            name = self.called(thing.__module__.rpartition(".")[2], thing.__name__)
            if thing.__module__.startswith(f"{self.package}."):
                self._keep(name, thing, {"text": text} | facts)
            else:
                self.add(name, thing, text=text, **facts)
            return thing

        return register

    def add(self, name: str, thing: Any, **facts: Any) -> None:
        """Register what comes from elsewhere, in place of one of its name that the same lines defined.

        Raises
        ------
        ValueError
            Where the name is none, or another's; or all things are the package's own.
        """
        home = _home(thing)
        if self._closed:
            where = f"a file of {self.package}" if self.folders == ("",) else f"a file in {self.package}"
            raise ValueError(f"{self.word}: wanted one that {where} defines, got one of {home[0]}")
        checked_name(name)
        known = self._added.get(name)
        if name in self and (known is None or None in home or known.source != home):
            raise ValueError(f"name: wanted one that is not taken, got {name!r}")
        self._added[name] = _Entry(None, name, {"text": ""} | facts, home)
        self._things[name] = self._taken(name, thing)

    def remove(self, name: str) -> None:
        """Take away what was added."""
        del self._added[name], self._things[name]

    def _keep(self, name: str, thing: Any, facts: dict[str, Any]) -> None:
        known = self._things.get(name)
        if known is not None and (known.__module__, known.__qualname__) != _home(thing):  # else: loaded anew
            where = f"in {known.__module__} and {thing.__module__}"
            raise ValueError(f"{self.word} {name}: registered twice, {where}")
        self._things[name], self._imported[name] = thing, _Entry(thing.__module__, thing.__name__, facts)
        if self._found is not None and name not in self._found:
            self._found = self._read()  # a file that is loaded anew has one more, or `_read` raises

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
        if importlib.util.find_spec(READER):
            read = importlib.import_module(READER).read
            found = {
                name: _Entry(module, defined, facts)
                for name, module, defined, facts in read(self.word, self._files(), self.called, checked_name)
            }
        else:  # the trunk by itself, which imports them all
            for module, _ in self._files():
                importlib.import_module(module)
            found = self._imported.copy()
        for name in self._things.keys() - self._added.keys() - found.keys():
            module = self._things.pop(name).__module__
            wanted = f"@{self.word}(...) where a line begins, in {self.package}'s {' or '.join(self.folders)}"
            raise ValueError(f"{self.word} {name}: wanted {wanted}, got one in {module} that nobody finds")
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
    def __init__(
        self, module: str | None, defined: str, facts: dict[str, Any], source: tuple[Any, Any] | None = None
    ) -> None:
        self.module, self.defined, self.facts, self.source = module, defined, facts, source


def checked_name(name: Any, argument: str = "name") -> str:
    """`name`, if a flag, a file of settings and a folder's name can hold it, or a ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        wanted = "letters from a to z, digits, _, . and -, the first one no . or -"
        raise ValueError(f"{argument}: wanted {wanted}, got {name!r:.80}")
    return name


def _home(thing: Any) -> tuple[Any, Any]:
    return getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
