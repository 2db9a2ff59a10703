"""show_config: what this build is and what it runs on."""

import platform
from pathlib import Path

from cynet._version import __version__
from cynet.core.threads import get_num_threads, processors

from .compiled import _config


def config() -> dict[str, str]:
    """Version, compiler, flags, instruction set, OpenMP, index checks and threads, as a dict of str."""
    build = _config.build_info()
    return {
        "version": __version__,
        "compiler": build["compiler"],
        "flags": build["flags"],
        "ISA": " ".join(build["isa"]) or platform.machine(),
        "OpenMP": str(build["openmp"]) if build["openmp"] else "no: the kernels run on one thread",
        "checks": build["checks"],
        "threads": f"{get_num_threads()} of {processors()} processors",
        "python": platform.python_version(),
    }


def show_config() -> None:
    """Print version, compiler, flags, instruction set, OpenMP and threads, one to a line."""
    for name, value in config().items():
        print(f"{name + ':':<10} {value}")


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
