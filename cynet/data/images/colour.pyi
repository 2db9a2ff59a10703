"""The compiled `colour`, whose functions nobody declares."""

from typing import Any

def __getattr__(name: str) -> Any: ...
