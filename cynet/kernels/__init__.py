"""Floor 0: the compiled kernels. They compute; every argument was checked on the floors above.

Importing this package loads only ``_config``; it refuses, in words, on a processor that lacks an
instruction set the kernels were compiled for (they would otherwise die with SIGILL).
"""

try:
    from . import _config
except ImportError as error:
    raise ImportError(
        "cynet's kernels are not built; run `pip install .` or `python setup.py build_ext --inplace`"
    ) from error


def require_features(needed, present):
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
