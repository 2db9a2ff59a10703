"""The compiled `floats`, whose functions nobody declares."""

from typing import Any

def __getattr__(name: str) -> Any: ...
