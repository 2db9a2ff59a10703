"""Floor 6: scikit-learn's estimators, `CNNClassifier` and `CNNRegressor`, over cynet's nets.

They need scikit-learn, the extra `sklearn`, when they are first asked for.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # what checks types takes it for True; to import typing takes its time
if TYPE_CHECKING:
    from typing import Any

_HOMES = {"cynet.sklearn.classifier": "CNNClassifier", "cynet.sklearn.regressor": "CNNRegressor"}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.sklearn' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
