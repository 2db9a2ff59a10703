"""Nets that somebody brings: a function in a Python file or a module, or from Python one, or a Layer itself.

Design: a file of code runs where the very command, or call, names it, and never because a file of a run does
(`--config`, `--resume`): a run goes on with the net that its checkpoint tells of as data, or is told the file
again, whose digest must be the one that the run began with.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cynet import models
from cynet.core.files import read_regular
from cynet.core.hints import near
from cynet.core.registry import checked_name
from cynet.models.calls import Builder
from cynet.models.registry import model as registry
from cynet.nn.layer import Layer
from cynet.nn.members import refuse_circles
from cynet.nn.spec import from_spec

from .net_code import FILE, MOST_SOURCE, SOURCE, from_file, from_module, imported, run

HERE: dict[str, Any] = {}  # the nets that this process was brought, by what settings call them

FUNCTION = "model"


@dataclass(frozen=True)
class OwnNet:
    """A net that somebody brings.

    Attributes
    ----------
    name : str
        What settings call it: "net.py:model", "package.nets:small".
    build : callable
        (input_shape, classes, **options) -> Layer.
    source : bytes or None
        The code, where it is known.
    places : tuple of Path
        The folders where the code of a file finds its imports.
    imports : dict of str to bytes
        The files there that it imports, by their paths.
    is_data : bool
        Whether it is one that a run keeps, whose settings have said already what it is.
    """

    name: str
    build: Callable[..., Any]
    source: bytes | None = None
    places: tuple[Path, ...] = ()
    imports: dict[str, bytes] = field(default_factory=dict)
    is_data: bool = False

    @property
    def sha256(self) -> str | None:
        """The digest of the code."""
        return None if self.source is None else hashlib.sha256(self.source).hexdigest()

    @property
    def digests(self) -> dict[str, str]:
        """Those of the files that the code imports."""
        return {name: hashlib.sha256(code).hexdigest() for name, code in self.imports.items()}

    def made(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        options: str | None = None,
        outputs: tuple[int, ...] | None = None,
    ) -> Layer:
        """A new model, for samples of a shape; ValueError where it is none, or the code raises.

        `outputs` is the shape of what it gives for one; default: (classes,).
        """
        given = json.loads(options) if options else {}
        try:
            call = Builder(self.name, self.build, {}).bound(input_shape, classes, given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"model: {error}") from None
        found = self._run(call)
        if inspect.iscoroutine(found):
            found.close()  # or Python warns behind the error that nobody awaited it
        if not isinstance(found, Layer):
            raise ValueError(f"model: {self.name}: wanted a cynet.Layer, got {_shown(found)}")
        self._run(lambda: refuse_circles(found))
        shape = self._run(lambda: found.checked_shape((2, *input_shape)))
        outputs = (classes,) if outputs is None else outputs
        if shape != (2, *outputs):
            wanted = (
                f"wanted an output of shape (N, {_sizes(outputs)}) for inputs of (N, {_sizes(input_shape)})"
            )
            raise ValueError(f"model: {self.name}: {wanted}, got {shape} for N = 2")
        if not self._run(lambda: [p for p in found.parameters() if p.requires_grad]):
            raise ValueError(f"model: {self.name}: wanted a net with parameters to train, got none")
        if self.places:
            with contextlib.suppress(Exception):  # a layer that cannot be copied is most likely new
                return copy.deepcopy(found)  # one that the file made at its top is given untrained each time
        return found

    def _run(self, call: Callable[[], Any]) -> Any:
        return run(self.name, call, self.places)


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:  # a user's object may raise anything
        return f"a {type(value).__name__}"


def is_own(model: str) -> bool:
    """Whether a text says where a function is: "FILE.py", "FILE.py:NAME" or "MODULE:NAME"."""
    return ":" in model or model.endswith(FILE)


def is_registered(model: str) -> bool:
    """Whether a name is one of the registry's, in this process."""
    return model in models.names()


def is_registrable(model: str) -> bool:
    """Whether a net of one's own may have a name, be it in another process."""
    try:
        checked_name(model)
    except ValueError:
        return False
    return True


def registered(model: str) -> OwnNet | None:
    """The net that a user registered by a name; None of others, and of cynet's own, which are everywhere."""
    if not is_registered(model):
        return None
    build = registry[model]
    module = getattr(build, "__module__", "")
    return None if module.startswith(f"{models.__name__}.") else OwnNet(model, build)


def short(model: str) -> str:
    """A model's name as a folder's name can have it."""
    if not is_own(model):
        return model
    place, _, function = model.rpartition(":")
    stem = Path(place or function).stem
    name = stem if function in ("", FUNCTION) or not place else f"{stem}-{function}"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def named(text: str, seed: int = 0) -> OwnNet:
    """The net of "FILE.py", "FILE.py:NAME" or "MODULE:NAME", whose code is run.

    Parameters
    ----------
    text : str
    seed : int, optional
        Of what a file draws when it is run, such as weights of layers that it makes outside of its function.

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
    source: bytes | None
    places: tuple[Path, ...] = ()
    if place.endswith(FILE):
        module, source, places = from_file(place, seed)
    else:
        module, source = from_module(place)
    if not run(place, lambda: hasattr(module, function)):  # a module may have code for that, too
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
    return OwnNet(f"{place}:{function}", build, source, places, imported(source or b"", places))


def of(value: Any, seed: int = 0) -> OwnNet | None:
    """The net of a `OwnNet`, a function, a Layer, or a text and a seed as for `named`; None of None.

    Raises
    ------
    TypeError
        When it is none of these.
    """
    if value is None or isinstance(value, OwnNet):
        return value
    if isinstance(value, str):
        return named(value, seed)
    kind = type(value) if isinstance(value, Layer) else value
    if not callable(value) or (isinstance(value, type) and not issubclass(value, Layer)):
        raise TypeError(f"model: wanted a function, a Layer or a name, got {_shown(value)}")
    name = f"{getattr(kind, '__module__', 'python')}:{getattr(kind, '__qualname__', type(value).__name__)}"
    if isinstance(value, Layer):
        return OwnNet(name, lambda input_shape, classes: value)
    return OwnNet(name, value, _source(value))


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
    return lambda facts: of_facts(net, facts)


def of_facts(net: OwnNet, facts: Any) -> Layer:
    """A new model of a net of one's own, for samples as `Facts` tell of them."""
    return net.made(facts.picture_shape, len(facts.classes), facts.model_option, facts.output_shape)


def wanted(model: str, names: Any) -> str:
    """What is said where only code can tell of a net."""
    if not is_own(model):
        ways = f"{model!r:.80} registered by cynet.models.register, or {names.with_text('model', 'FILE.py')}"
        return f"wanted {ways} beside it: this process has no such net, and the run does not keep it as data"
    why = "its net has layers that cynet does not know, and code runs only where it is named"
    return f"wanted {names.with_text('model', model)} beside it: {why}"


def of_spec(name: str, spec: Any) -> OwnNet:
    """The net that a run keeps as data."""
    return OwnNet(name, lambda input_shape, classes, **options: from_spec(spec), is_data=True)


def digest_in(folder: Path) -> str | None:
    """The digest of the code in a run's folder."""
    try:
        return hashlib.sha256(read_regular(folder / SOURCE, MOST_SOURCE)).hexdigest()
    except (OSError, ValueError):
        return None
