"""A net of one's own as a run began with it: its code, and its weights before the first step."""

from pathlib import Path
from typing import Any

import cynet.core.random as random
from cynet.core.files import write_atomically
from cynet.interop import safetensors
from cynet.nn.layer import Layer
from cynet.nn.spec import NET

from .net_code import IMPORTED, SOURCE
from .nets import OwnNet
from .weights import load

FIRST = "first.safetensors"
DRAWS = "draws"  # the note of how many random keys were drawn when the net was made


def keep(folder: Path, net: OwnNet, model: Layer) -> None:
    """Keep in a run's folder its net's code, where that is known, and its weights before the first step."""
    if net.source is not None:
        write_atomically(folder / SOURCE, net.source)
    for name, code in net.imports.items():
        path = folder / IMPORTED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, code)
    safetensors.save(model, folder / FIRST, {DRAWS: str(random.get_state()["draws"])})


def first(folder: Path, name: str) -> OwnNet | None:
    """The net of a run as it was before its first step; None where that is not kept as data."""
    path = folder / FIRST
    if not path.exists():
        return None
    _, notes = safetensors.load(path)
    if NET not in notes:
        return None

    def build(input_shape: Any, classes: int, **options: Any) -> Layer:
        model, _ = load(path)
        draws = notes.get(DRAWS, "")
        if not (draws.isascii() and draws.isdigit() and len(draws) < 19):
            raise ValueError(f"{path}: draws: wanted a whole number, got {draws!r:.80}")
        random.set_state(random.get_state() | {"draws": int(draws)})
        return model.train()

    return OwnNet(name, build, is_data=True)
