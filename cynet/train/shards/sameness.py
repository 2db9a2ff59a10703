"""What processes that train together must have in common, and how they tell what differs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from cynet.core.build import config
from cynet.nn.layer import Layer

from .world import World

PROCESSOR = "processor family", "processor features"  # what may differ where a world allows it
FEATURES = re.compile(r"avx\w*|fma\w*|f16c|bmi\d|sse\w*|asimd\w*|sve\w*|amx\w*")
SHOWN = 60  # letters of a value


def differences(
    world: World, table: dict[str, str], what: str, allowing: str, free: Collection[str] = ()
) -> str:
    """What differs between the tables of all processes, by name and ranks; "" where nothing does.

    Parameters
    ----------
    world : World
    table : dict of str to str
        Of this process.
    what : str
        What is waited for.
    allowing : str
        What lets processors differ.
    free : collection of str, optional
        Names that some processes may lack.
    """
    tables = [json.loads(data) for data in world.gathered(json.dumps(table).encode(), what)]
    lines: list[str] = []
    mixed: list[str] = []
    for name in dict.fromkeys(name for each in tables for name in each):
        values: dict[str, list[int]] = {}
        for rank, each in enumerate(tables):
            if name not in free or name in each:
                values.setdefault(each.get(name, "none"), []).append(rank)
        if len(values) > 1:
            told = ", ".join(f"{_short(value)} on {_ranks(ranks)}" for value, ranks in values.items())
            (mixed if name in PROCESSOR else lines).append(f"{name}: {told}")
    if not lines and (world.allow_mixed or not mixed):
        return ""
    hint = "" if lines else f" ({allowing} goes on, with other last bits than on one kind)"
    return f"ranks: wanted the same on all, got {'; '.join(lines + mixed)}{hint}"


def of_this_machine(family: str, features: str) -> dict[str, str]:
    """What of a build, and of a `processor`, results may depend on."""
    build = config()
    return {
        "cynet": build["version"],
        "compiler": build["compiler"],
        "flags": build["flags"],
        "instructions": build["ISA"],
        "numpy": np.__version__,
        PROCESSOR[0]: family,
        PROCESSOR[1]: features,
    }


def of_training(sharding: Any, model: Layer) -> dict[str, str]:
    """What a training begins with: how it is cut, and the digest of all weights and statistics."""
    whole = sha256()
    for name, array in model.state_dict().items():
        whole.update(f"{name} {array.dtype} {array.shape}\n".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return {
        "shards": str(sharding.shards),
        "sync_batch_norm": str(sharding.pool is not None),
        "SHA-256 of the weights": whole.hexdigest()[:16],
    }


def processor() -> tuple[str, str]:
    """(family, features that arithmetic may depend on) of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return "unknown", "unknown"
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    family = [facts.get(name, "") for name in ("vendor_id", "cpu family", "CPU implementer", "CPU part")]
    features = facts.get("flags") or facts.get("Features") or ""
    known = sorted(word for word in features.split() if FEATURES.fullmatch(word))
    return " ".join(filter(None, family)) or "unknown", " ".join(known)


def _short(value: str) -> str:
    if len(value) <= SHOWN:
        return value
    return f"{value[:SHOWN]}... (SHA-256 {sha256(value.encode()).hexdigest()[:8]})"


def _ranks(ranks: list[int]) -> str:
    """'rank 3', 'ranks 0-2, 5'."""
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and runs[-1][-1] == rank - 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    text = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"rank{'s' if len(ranks) > 1 else ''} {text}"
