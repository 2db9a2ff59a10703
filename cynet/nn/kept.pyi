"""What the compiled `kept` has, for checkers."""

import threading
from typing import Any

from cynet.core.types import Array, Shape

NONE: Array

class Mode(threading.local):
    grad_enabled: bool
    layer_by_layer: bool
    around: Any
    spared: bool
    tell: Any
    statistics: Any
    by_turns: bool

mode: Mode

class Pass:
    layer: Any
    thread: int
    kept: list[tuple[Any, ...]]
    inner: list[Pass]
    followed: bool
    spared: bool
    def __init__(self, layer: Any) -> None: ...
    def backward(self, *dys: Array) -> Any: ...
    def backward_spared(self, *dys: Array) -> None: ...

class Valued:
    _data: Array
    _grad: Array
    _shape: Shape
    version: int
    _requires_grad: bool
    name: str
    @property
    def data(self) -> Array: ...
    @data.setter
    def data(self, value: Any) -> None: ...
    @property
    def grad(self) -> Array: ...
    @grad.setter
    def grad(self, value: Any) -> None: ...
    requires_grad: bool

class Held:
    weight: Any
    bias: Any
    def __init__(self, weight: Any, bias: Any) -> None: ...
    def refuse_others(self, layer: Any) -> None: ...

def keep(made: Pass, around: Pass | None) -> None: ...
def drop(layer: Any) -> None: ...
def take(layer: Any) -> Pass | None: ...
def save(self: Any, *values: Any) -> None: ...
def saved(self: Any) -> Any: ...
def none_left(layer: Any) -> RuntimeError: ...
def value(name: str, parameter: Any, shape: Shape) -> Array: ...
def refuse_another(name: str, now: Any, then: Any, version: int | None) -> None: ...
def data_of(parameter: Any) -> Array: ...
def grad_of(parameter: Any) -> Array: ...
