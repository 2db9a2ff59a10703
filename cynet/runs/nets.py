"""Nets that somebody brings: a function in a Python file or a module, or from Python one, or a Layer itself.

Design: a file of code runs where the very command, or call, names it, and never because a file of a run does
(`--config`, `--resume`): a run goes on with the net that its checkpoint tells of as data, or is told the file
again, whose digest must be the one that the run began with.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import re
import sys
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cynet.core.files import read_regular, user_path
from cynet.core.hints import near
from cynet.models.calls import Builder
from cynet.nn.layer import Layer
from cynet.nn.members import refuse_circles
from cynet.nn.spec import from_spec

HERE: dict[str, Any] = {}  # the nets that this process was brought, by what settings call them

FILE, FUNCTION = ".py", "model"
SOURCE = "model.py"  # of a run: the net's code
MOST_SOURCE = 1 << 20  # bytes
SHOWN = 300  # letters of a message


@dataclass(frozen=True)
class Net:
    """A net that somebody brings.

    Attributes
    ----------
    name : str
        What settings call it: "net.py:model", "package.nets:small".
    build : callable
        (input_shape, classes, **options) -> Layer.
    source : bytes or None
        The code, where it is known.
    """

    name: str
    build: Callable[..., Any]
    source: bytes | None = None

    @property
    def sha256(self) -> str | None:
        """The digest of the code."""
        return None if self.source is None else hashlib.sha256(self.source).hexdigest()

    def made(self, input_shape: tuple[int, ...], classes: int, options: str | None = None) -> Layer:
        """A new model, for samples of a shape; ValueError where it is none, or the code raises."""
        given = json.loads(options) if options else {}
        try:
            call = Builder(self.name, self.build, {}).bound(input_shape, classes, given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"model: {error}") from None
        found = told(self.name, call)
        if inspect.iscoroutine(found):
            found.close()  # or Python warns behind the error that nobody awaited it
        if not isinstance(found, Layer):
            raise ValueError(f"model: {self.name}: wanted a cynet.Layer, got {_shown(found)}")
        told(self.name, lambda: refuse_circles(found))
        shape = told(self.name, lambda: found.checked_shape((2, *input_shape)))
        if shape != (2, classes):
            wanted = f"wanted an output of shape (N, {classes}) for inputs of (N, {_sizes(input_shape)})"
            raise ValueError(f"model: {self.name}: {wanted}, got {shape} for N = 2")
        if not told(self.name, lambda: [p for p in found.parameters() if p.requires_grad]):
            raise ValueError(f"model: {self.name}: wanted a net with parameters to train, got none")
        return found


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:  # a user's object may raise anything
        return f"a {type(value).__name__}"


def told(name: str, call: Callable[[], Any]) -> Any:
    """What a user's code gives; a ValueError tells what it raises, and in which line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        raise ValueError(f"model: {name}: {said(name, error)}") from error


def said(name: str, error: BaseException) -> str:
    """'line 3: KeyError: why' of what the code of a net raised; of the file that the name tells of."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == _code_of(name)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    where, kind = f"line {lines[-1]}: " if lines else "", type(error).__name__
    try:
        return f"{where}{kind}: {' '.join(str(error).split())[:SHOWN]}"
    except Exception:  # a user's error may raise anything
        return f"{where}{kind}"


def _code_of(name: str) -> str:
    return name.rpartition(":")[0] if ":" in name else name


def is_own(model: str) -> bool:
    """Whether a text says where a function is: "FILE.py", "FILE.py:NAME" or "MODULE:NAME"."""
    return ":" in model or model.endswith(FILE)


def short(model: str) -> str:
    """A model's name as a folder's name can have it."""
    if not is_own(model):
        return model
    place, _, function = model.rpartition(":")
    stem = Path(place or function).stem
    name = stem if function in ("", FUNCTION) or not place else f"{stem}-{function}"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def named(text: str) -> Net:
    """The net of "FILE.py", "FILE.py:NAME" or "MODULE:NAME", whose code is run.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming it, when it raises, or has no such function.
    """
    place, _, function = (text, "", "") if ":" not in text else text.rpartition(":")
    function = function or FUNCTION
    if not function.isidentifier():
        raise ValueError(f"model: wanted FILE.py:NAME, the name one of a function, got {text!r:.80}")
    module, source = _from_file(place) if place.endswith(FILE) else _from_module(place)
    if not told(place, lambda: hasattr(module, function)):  # a module may have code for that, too
        names = [
            name for name, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]  # fmt: skip
        meant = near(function, names) or (names[0] if len(names) == 1 else None)
        hint = f" (did you mean {place}:{meant}?)" if meant else ""
        raise ValueError(f"model: {place}: wanted a function {function} in it, got none{hint}")
    build = getattr(module, function)
    if not callable(build) or isinstance(build, Layer):
        raise ValueError(f"model: {place}: wanted {function} to be a function, got {_shown(build)}")
    return Net(f"{place}:{function}", build, source)


def _from_file(place: str) -> tuple[Any, bytes]:
    source = read_regular(user_path(place), MOST_SOURCE)
    module = types.ModuleType(f"cynet_model_{Path(place).stem}")
    module.__file__ = place
    sys.modules[module.__name__] = module  # as what looks classes up expects
    told(place, lambda: exec(compile(source, place, "exec"), vars(module)))
    return module, source


def _from_module(place: str) -> tuple[Any, bytes | None]:
    if not all(part.isidentifier() for part in place.split(".")):
        raise ValueError(f"model: wanted a name, FILE.py:NAME or MODULE:NAME, got {place!r:.80}")
    module = told(place, lambda: importlib.import_module(place))
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(FILE):
        return module, None
    return module, read_regular(Path(file), MOST_SOURCE)


def of(value: Any) -> Net | None:
    """The net of what Python gives: a `Net`, a function, a Layer, a text as for `named`; None of None.

    Raises
    ------
    TypeError
        When it is none of these.
    """
    if value is None or isinstance(value, Net):
        return value
    if isinstance(value, str):
        return named(value)
    kind = type(value) if isinstance(value, Layer) else value
    if not callable(value) or (isinstance(value, type) and not issubclass(value, Layer)):
        raise TypeError(f"model: wanted a function, a Layer or a name, got {_shown(value)}")
    name = f"{getattr(kind, '__module__', 'python')}:{getattr(kind, '__qualname__', type(value).__name__)}"
    if isinstance(value, Layer):
        return Net(name, lambda input_shape, classes: value)
    return Net(name, value, _source(value))


def _source(function: Any) -> bytes | None:
    try:
        return inspect.getsource(function).encode()
    except (OSError, TypeError):  # of a notebook, a REPL, or of C
        return None


def builder(model: Any) -> Callable[[Any], Layer] | None:
    """What `load_weights` takes, of what `of` takes: a function of `Facts`."""
    net = of(model)
    if net is None:
        return None
    return lambda facts: net.made(facts.picture_shape, len(facts.classes), facts.model_option)


def wanted(model: str, names: Any) -> str:
    """What is said where only code can tell of a net."""
    why = "its net has layers that cynet does not know, and code runs only where it is named"
    return f"wanted {names.with_text('model', model)} beside it: {why}"


def of_spec(name: str, spec: Any) -> Net:
    """The net that a run keeps as data."""
    return Net(name, lambda input_shape, classes, **options: from_spec(spec))


def digest_in(folder: Path) -> str | None:
    """The digest of the code in a run's folder."""
    try:
        return hashlib.sha256(read_regular(folder / SOURCE, MOST_SOURCE)).hexdigest()
    except (OSError, ValueError):
        return None
