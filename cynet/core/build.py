"""show_config: what this build is and what it runs on."""

import platform
from pathlib import Path

from cynet._version import __version__
from cynet.core.threads import get_num_threads, processors

from . import isa
from .compiled import _config


def config() -> dict[str, str]:
    """Version, compiler, flags, instruction set, OpenMP, index checks and threads, as a dict of str.

    Of a wheel for several processors also the level whose files are loaded, and which there are.
    """
    build, levels = _config.build_info(), isa.levels()
    of_wheel = {"level": f"{isa.level()} of {', '.join(levels)}"} if levels else {}
    return {
        "version": __version__,
        "compiler": build["compiler"],
        "flags": build["flags"],
        "ISA": " ".join(build["isa"]) or platform.machine(),
        "OpenMP": str(build["openmp"]) if build["openmp"] else "no: the kernels run on one thread",
        "checks": build["checks"],
        "threads": f"{get_num_threads()} of {processors()} processors",
        "python": platform.python_version(),
    } | of_wheel


def show_config() -> None:
    """Print version, compiler, flags, instruction set, OpenMP and threads, one to a line."""
    for name, value in config().items():
        print(f"{name + ':':<10} {value}")


def system() -> str:
    """The operating system, as `platform.platform` writes it, which on Linux starts a process for that."""
    if platform.system() != "Linux":
        return platform.platform()
    libc = "".join(platform.libc_ver())
    return "-".join(("Linux", platform.release(), platform.machine(), *(("with", libc) if libc else ())))


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
