"""Floor 2: layers, containers of them, and the compiler that joins them.

Every registered layer and container is a name here, and loaded when it is first used; so are `to_spec` and
`from_spec`, which make plain data of a net and a net of plain data.
"""

from __future__ import annotations

import importlib.util

from .containers.compiled import Compiled
from .registry import layer as _layers

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

# The compiler is no part of the trunk (tools/size.py): without its folder layers run one by one. It is looked
# for, and not tried, so that an error within it is never taken for its absence.
if importlib.util.find_spec("cynet.nn.compile") is not None:
    from .compile import chains

    Compiled.compiler = chains


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_layers.names())
    if name in ("from_spec", "to_spec"):
        return getattr(importlib.import_module("cynet.nn.spec"), name)
    if name[:1].isupper() and name in _layers:
        value = globals()[name] = _layers[name]
        return value
    raise AttributeError(f"module 'cynet.nn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_layers.names(), "from_spec", "to_spec"})
