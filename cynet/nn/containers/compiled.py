"""Compiled: a container whose layers run together where they can, by a compiler that it does not know."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from cynet.core.turns import Turn
from cynet.core.types import Array
from cynet.nn import passes

from .container import Container


class Compiled(Container, opens=False):
    """What `Sequential` and `Graph` share: passes by the compiler, where there is one."""

    compiler: Any = None  # how its layers run together; `nn/compile` sets it
    _training_steps: Any = None  # of training, which the compiler made

    def forward(self, *xs: Array) -> Any:
        compiler = self._compiled_by()
        if not self._trains():
            y = None if compiler is None else compiler.evaluated(self, *xs)
            return self._run(*xs) if y is None else y
        with self._alone():
            return self._run(*xs)

    @passes.opening
    def _run(self, *xs: Array) -> Any:
        compiler = self._compiled_by()
        return super().forward(*xs) if compiler is None else compiler.forward(self, *xs)

    def backward(self, *dys: Array) -> Any:
        with self._alone():
            return self._go_back(*dys)

    @passes.following
    def _go_back(self, *dys: Array) -> Any:
        compiler = self._compiled_by()
        return super().backward(*dys) if compiler is None else compiler.backward(self, *dys)

    def is_single(self) -> bool:
        """Whether there is one input and one output."""
        return True

    def _compiled_by(self) -> Any:
        """The compiler, or None: a subclass may have other parts than the compiler reads."""
        kind: Any = type(self)
        return self.compiler if kind.parts is _ours(kind).parts else None

    def _alone(self) -> AbstractContextManager[None]:
        """A context for passes that write what threads would share: statistics and gradients."""
        if passes.mode.by_turns:
            return nullcontext()
        return vars(self).setdefault("_turn", Turn()).alone(type(self).__name__)


@cache
def _ours(kind: Any) -> Any:
    """The class of cynet's own that a container's is, or comes from."""
    return next(one for one in kind.__mro__ if one.__module__.startswith("cynet.nn."))
