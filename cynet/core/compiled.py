"""What the compiled files were built for, asked once, before the first of them is loaded.

It refuses, in words, on a processor that lacks an instruction set that they were compiled for: they would
otherwise die with SIGILL. `_config` itself is compiled for the plainest processor.
"""

import os
from collections.abc import Iterable

# A thread that waits for others spins before it sleeps. GCC's OpenMP spins for milliseconds by default, in
# which a loader's worker, or any other program, does not get the processor that the awaited thread needs:
# with two processors and one more busy process, training became five times slower. This is about 20
# microseconds. The library reads it once, when the first kernel loads it; the environment stays as it was.
_SPIN = "GOMP_SPINCOUNT"
_patient = not {_SPIN, "OMP_WAIT_POLICY"} & set(os.environ)
if _patient:
    os.environ[_SPIN] = "10000"
try:
    from . import _config as _config
except ImportError as error:
    raise ImportError(
        f"no built kernels in {os.path.dirname(os.path.dirname(__file__))}. In a source checkout run `python "
        "setup.py build_ext --inplace` (or `pip install -e .`); after `pip install .` start Python from "
        "another folder"
    ) from error
finally:
    if _patient:
        del os.environ[_SPIN]


def require_features(needed: Iterable[str], present: Iterable[str]) -> None:
    """Raise ImportError when the build needs processor features that are not present.

    Parameters
    ----------
    needed, present : iterable of str
        Feature names as the compiler spells them ("avx2", "fma", ...).

    Raises
    ------
    ImportError
        Naming the missing features and how to build without them.
    """
    missing = sorted(set(needed) - set(present))
    if missing:
        raise ImportError(
            f"cynet was built for a processor with {', '.join(missing)}, which this one lacks. "
            "Build it again on this machine (`pip install --force-reinstall --no-cache-dir .`), or with "
            "CYNET_MARCH=x86-64-v2 for one build that runs on older machines."
        )


_build = _config.build_info()
if _build["isa"]:
    require_features(_build["isa"], _config.cpu_features())
