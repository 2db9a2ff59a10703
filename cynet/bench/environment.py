"""What the numbers were measured on."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from cynet.core.build import config, processor, system
from cynet.core.threads import get_num_threads, processors

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def describe(peer=None):
    """Processor, threads, instruction set, versions, date and load, as a dict for a JSON file.

    Parameters
    ----------
    peer : str, optional
        A package whose version is wanted too.
    """
    build = config()
    versions = {"cynet": build["version"], "python": platform.python_version()}
    for package in ("numpy", *([peer] if peer else [])):
        versions[package] = importlib.metadata.version(package)
    return {
        "cpu": processor(),
        "processors": processors(),
        "threads": get_num_threads(),
        "isa": build["ISA"],
        "compiler": build["compiler"],
        "flags": build["flags"],
        "last_level_cache_bytes": last_level_cache(),
        "system": system(),
        "versions": versions,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def headline(environment):
    """The processor, threads and versions in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    isa = next((f for f in ("avx512f", "avx2", "avx") if f in environment["isa"].split()), "no AVX")
    return f"{environment['cpu']}, {environment['threads']} threads, {isa}; {versions}; {environment['date']}"


def last_level_cache():
    """The bytes of the largest cache; 32 MiB where the system does not say."""
    sizes = [32 << 20]
    try:
        found = [path.read_text().strip() for path in CACHES.glob("index*/size")]
        sizes = [int(text[:-1]) * UNITS[text[-1]] for text in found] or sizes
    except (OSError, ValueError, KeyError):
        pass
    return max(sizes)
