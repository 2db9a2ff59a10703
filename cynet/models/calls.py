"""How the function of a net is called: its signature tells its options, its registration the least input."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cynet.core import checks
from cynet.core.hints import near
from cynet.core.types import Shape
from cynet.nn.layer import Layer

GIVEN = 2  # arguments before the options: input_shape and classes
EARLIER = ("batch_norm", "classes", "channels")  # the arguments of such a function in earlier versions
ANY = inspect.Parameter.VAR_KEYWORD
AXES = {1: "(features,)", 2: "(length, channels)", 3: "(height, width, channels)"}


class Builder:
    """The function of a net, called when its arguments were looked at.

    Parameters
    ----------
    name : str
        Of the net, for messages.
    build : callable
    facts : mapping
        Of its registration.
    """

    def __init__(self, name: str, build: Any, facts: Mapping[str, Any]) -> None:
        self.name, self.build, self.least = name, build, facts.get("least")
        self.axes = "(length,) of tokens" if facts.get("tokens") else AXES.get(len(self.least or ()))

    def __call__(self, input_shape: Any, classes: Any, **given: Any) -> Layer:
        """What the function gives.

        Raises
        ------
        TypeError, ValueError
            Where an argument is none that the net takes, or the function is none of a net.
        """
        found = self.bound(input_shape, classes, given)()
        if not isinstance(found, Layer):
            wanted = f"wanted a Layer from {_called(self.build)}"
            raise TypeError(f"{self.name}: {wanted}, got {type(found).__name__}")
        return found

    def bound(self, input_shape: Any, classes: Any, given: Mapping[str, Any]) -> Callable[[], Any]:
        """The call of the function with these arguments, which are looked at; errors as of `__call__`."""
        shape, classes = self._shape(input_shape), checks.integer("classes", classes, 1)
        self.check_options(given)
        if tuple(_parameters(self.build)) == EARLIER:
            return lambda: self.build(given.get("batch_norm", True), classes, shape[-1])
        if (signature := _signature(self.build)) is not None:
            try:
                signature.bind(shape, classes, **given)
            except TypeError as error:
                got = f"{_called(self.build)}{signature}"
                wanted = "wanted a function of (input_shape, classes, **options)"
                raise TypeError(f"{self.name}: {wanted}, got {got}: {error}") from None
        return lambda: self.build(shape, classes, **given)

    def _shape(self, value: Any) -> Shape:
        if not isinstance(value, (tuple, list)) or not value:
            raise TypeError(f"input_shape: wanted a tuple of sizes, as (32, 32, 3), got {value!r:.80}")
        shape = tuple(checks.integer(f"input_shape[{i}]", size, 1) for i, size in enumerate(value))
        least = self.least
        if least is None or (len(shape) == len(least) and all(map(int.__ge__, shape, least))):
            return shape
        wanted = f"wanted {self.axes} of at least {least} for {self.name}"
        raise ValueError(f"input_shape: {wanted}, got {shape}")

    def check_options(self, given: Mapping[str, Any]) -> None:
        """Raise ValueError where the function does not take one of these options."""
        known = options(self.build)
        for option, value in given.items():
            if not takes(self.build, option):
                meant = near(option, known)
                hint = f" (did you mean {meant}?)" if meant else ""
                wanted = f"an option of {self.name}, {' or '.join(known)}" if known else "none"
                none = "" if known else f": {self.name} has no options"
                raise ValueError(f"{option}: wanted {wanted}, got {option}={value!r:.80}{hint}{none}")
            if isinstance(known.get(option), bool):
                checks.flag(option, value)


def options(build: Any) -> dict[str, Any]:
    """The options that a net's function names, with their defaults."""
    parameters = _parameters(build)
    if tuple(parameters) == EARLIER:
        return {"batch_norm": True}
    several = inspect.Parameter.VAR_POSITIONAL, ANY
    named = [each for each in parameters.values() if each.kind not in several][GIVEN:]
    return {each.name: None if each.default is each.empty else each.default for each in named}


def takes(build: Any, option: str) -> bool:
    """Whether a net's function takes an option of a name, be it as one of any."""
    kinds = [each.kind for each in _parameters(build).values()]
    return option in options(build) or ANY in kinds


def _called(build: Any) -> str:
    return getattr(build, "__qualname__", type(build).__name__)


def _signature(build: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(build)
    except (TypeError, ValueError):  # of some functions that are compiled nobody can tell
        return None


def _parameters(build: Any) -> Mapping[str, inspect.Parameter]:
    signature = _signature(build)
    return {"options": inspect.Parameter("options", ANY)} if signature is None else signature.parameters
