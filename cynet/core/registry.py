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
        taken: Callable[[str, Any], Any] = lambda name, thing: thing,
        closed: bool = False,
    ) -> None:
        self.word, self.package, self.folders, self.called = word, package, folders or ("",), called
        self._taken, self._closed = taken, closed
        self._found: dict[str, _Entry] | None = None  # name -> _Entry: what the files hold
        self._added: dict[str, _Entry] = {}  # those of elsewhere
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
                self._keep(name, thing)
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

    def _keep(self, name: str, thing: Any) -> None:
        known = self._things.get(name)
        if known is not None and (known.__module__, known.__qualname__) != _home(thing):  # else: loaded anew
            where = f"in {known.__module__} and {thing.__module__}"
            raise ValueError(f"{self.word} {name}: registered twice, {where}")
        self._things[name] = thing
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

    def live(self, **facts: Any) -> Those:
        """As `those`, asked anew each time that it is looked at."""
        return Those(self, facts)

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
        decorator = rf"@(?:\w+\.)*{self.word}\b"
        pattern = re.compile(rf"^{decorator}(.*?)^(?:class|def) (\w+)", re.MULTILINE | re.DOTALL)
        inside = re.compile(rf"^[ \t]+{decorator}.*\n[ \t]+(?:class|def) (\w+)", re.MULTILINE)
        renamed = re.compile(rf"^from\b[^#\n]*(?:\([^)]*)?\b{self.word} as (\w+)", re.MULTILINE)
        for module, path in self._files():
            with open(path, encoding="utf-8") as file:
                source = file.read()
            if (other := renamed.search(source)) and f"@{other[1]}" in source:
                raise ValueError(f"{path}: wanted @{self.word}, by its own name, got @{other[1]}")
            if within := inside.search(source):
                text = f"wanted @{self.word} where a line begins, got it further in, of {within[1]}"
                raise ValueError(f"{path}: {text}")
            for brackets, defined in pattern.findall(source):
                name = checked_name(self.called(module.rpartition(".")[2], defined), f"{path}: {self.word}")
                if name in found:
                    where = f"in {found[name].module} and {module}"
                    raise ValueError(f"{self.word} {name}: registered twice, {where}")
                try:
                    found[name] = _Entry(module, defined, _facts(brackets))
                except (ValueError, SyntaxError) as error:
                    text = f"@{self.word}(...) of {defined}: wanted literals in brackets"
                    raise ValueError(f"{path}: {text}: {error}") from None
        self._check_found(found)
        return dict(sorted(found.items(), key=lambda pair: pair[1].facts.get("order", LAST)))

    def _check_found(self, found: dict[str, _Entry]) -> None:
        """Refuse what a file of the package has registered in a way, or a folder, that nobody reads."""
        for name in self._things.keys() - self._added.keys() - found.keys():
            module = self._things.pop(name).__module__
            wanted = f"@{self.word}(...) where a line begins, in {self.package}'s {' or '.join(self.folders)}"
            raise ValueError(f"{self.word} {name}: wanted {wanted}, got one in {module} that nobody finds")

    def _files(self) -> Iterator[tuple[str, str]]:
        root = sys.modules[self.package].__path__[0]
        for folder in self.folders:
            package = f"{self.package}.{folder}" if folder else self.package
            for entry in sorted(os.listdir(os.path.join(root, folder))):
                stem, suffix = os.path.splitext(entry)
                if suffix == ".py" and stem != "__init__":
                    yield f"{package}.{stem}", os.path.join(root, folder, entry)


class Those:
    """The names in a registry whose decorators say some facts: as a tuple, but of this moment.

    Parameters
    ----------
    registry : Registry
    facts : dict
    """

    def __init__(self, registry: Registry, facts: dict[str, Any]) -> None:
        self._registry, self._facts = registry, facts

    def __contains__(self, name: object) -> bool:
        return name in self._registry.those(**self._facts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.those(**self._facts))

    def __len__(self) -> int:
        return len(self._registry.those(**self._facts))

    def __repr__(self) -> str:
        return repr(self._registry.those(**self._facts))


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


def _facts(brackets: str) -> dict[str, Any]:
    """What stands in a decorator's brackets, and perhaps in other decorators after it."""
    call: Any = ast.parse(f"@word{brackets}def f(): pass").body[0].decorator_list[0]  # type: ignore[attr-defined]
    if not isinstance(call, ast.Call):
        raise ValueError("there are none")
    values: dict[Any, Any] = {k.arg: _literal(k.value) for k in call.keywords}
    texts = [_literal(value) for value in call.args] or [""]
    if len(texts) > 1 or not isinstance(texts[0], str) or None in values or "text" in values:
        raise ValueError("a text, if any, and facts by their names")
    if not isinstance(values.get("order", LAST), int):
        raise ValueError(f"order: wanted an int, got {values['order']!r}")
    return {"text": texts[0]} | values


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        raise ValueError(f"got {ast.unparse(value):.80}") from None
