"""Whether the code of a net that is named is what a run began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import nets
from .nets import OwnNet


def known(folder: Path, environment: dict[str, Any]) -> str | None:
    """The digest of the code that a run began with; None where nothing tells it."""
    return (environment.get("model") or {}).get("sha256") or nets.digest_in(folder)


def difference(folder: Path, environment: dict[str, Any], net: OwnNet) -> tuple[str, str] | None:
    """In what a net's code, or what that imports, is not that of a run.

    Parameters
    ----------
    folder : Path
        The run's.
    environment : dict
        What its env.json tells.
    net : OwnNet

    Returns
    -------
    (str, str) or None
        What was wanted and got, and where the code of the run is; None where both are equal.
    """
    place, digest = folder / nets.SOURCE, known(folder, environment)
    if net.sha256 != digest:
        got = f"got {net.name} with {net.sha256}"
        return f"wanted the code that the run began with, SHA-256 {digest}, {got}", f"{place} is as it was"
    begun = environment.get("model")
    if not begun or not net.places:
        return None
    before, now = begun.get("imports") or {}, net.digests
    others = sorted(name for name in before | now if before.get(name) != now.get(name))
    if not others:
        return None
    return f"wanted the imports that the run began with, got others: {', '.join(others)}", f"{place} has them"
