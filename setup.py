"""Build of the compiled kernels: one extension for each cynet/kernels/*.pyx.

Environment switches, all optional:

CYNET_MARCH=NAME          instruction set to compile for (default: native; "" leaves the compiler's own)
CYNET_FAIL_NO_OPENMP=1    stop when the compiler has no OpenMP, instead of building serial kernels
CYNET_BOUNDS_CHECK=1      every memoryview index checked (slow; for tests)
CYNET_SANITIZE=1          AddressSanitizer and UndefinedBehaviorSanitizer (for tests; see CONTRIBUTING.md)
CYNET_WERROR=1            compiler warnings are errors
CYNET_JOBS=N              compile N files at once (default: the number of processors)
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = "cynet/kernels"
CONFIG = f"{KERNELS}/_config.pyx"  # compiled without -march: it must load on every processor

FEATURES = """
    sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 fma bmi bmi2 lzcnt movbe f16c avx512f avx512bw avx512cd avx512dq
    avx512vl avx512ifma avx512vbmi avx512vbmi2 avx512vnni avx512bitalg avx512vpopcntdq avx512bf16
"""

OPENMP_PROGRAM = """
#include <omp.h>
int main(void) { int n = 0;
#pragma omp parallel reduction(+:n)
  n += 1;
  return n < 1 || omp_get_max_threads() < 1; }
"""


def switch(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


class BuildKernels(build_ext):
    """build_ext that asks the compiler what it can do before it compiles."""

    def build_extensions(self):
        compiler = self.compiler.compiler[0]
        if self.compiler.compiler_type != "unix":
            raise SystemExit("cynet needs a GCC-compatible compiler (its kernels use the vector extension)")
        march = os.environ.get("CYNET_MARCH", "native" if works(compiler, ["-march=native"]) else "")
        isa = [f"-march={march}"] if march else []
        if not works(compiler, isa):
            raise SystemExit(f"CYNET_MARCH={march!r}: the compiler {compiler} does not accept {isa[0]}")
        openmp = openmp_flags(compiler)
        optimise = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=fast"]
        link = list(openmp)
        if switch("CYNET_SANITIZE"):
            sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
            optimise = ["-O1", "-g", "-fno-omit-frame-pointer", *sanitize]
            link += sanitize
        warn = ["-Wall", "-Wno-unused-function", "-Wno-psabi"]
        warn += ["-Werror"] if switch("CYNET_WERROR") else []
        for extension in self.extensions:
            extension.include_dirs.append(KERNELS)
            extension.extra_link_args = link
            if extension.sources[0].endswith("/_config.c"):
                extension.extra_compile_args = [*warn, *openmp]
                extension.define_macros += quoted(
                    CYNET_COMPILER=first_line([compiler, "--version"]),
                    CYNET_FLAGS=" ".join([*optimise, *isa, *openmp]),
                    CYNET_ISA=" ".join(isa_features(compiler, isa)),
                    CYNET_CHECKS="bounds" if switch("CYNET_BOUNDS_CHECK") else "none",
                )
            else:
                extension.extra_compile_args = [*optimise, *isa, *openmp, *warn]
        self.parallel = int(os.environ.get("CYNET_JOBS", os.cpu_count() or 1))
        super().build_extensions()


def works(compiler, flags, program="int main(void) { return 0; }", run=False):
    """Whether the compiler takes the flags for the program (and, with run, whether the result runs)."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "probe.c"), Path(folder, "probe")
        source.write_text(program)
        command = [compiler, *flags, str(source), "-o", str(target)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode == 0 and run:
                done = subprocess.run([str(target)], capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0


def openmp_flags(compiler):
    for flags in (["-fopenmp"], ["-Xpreprocessor", "-fopenmp", "-lomp"]):
        if works(compiler, flags, OPENMP_PROGRAM, run=True):
            return flags
    if switch("CYNET_FAIL_NO_OPENMP"):
        raise SystemExit(f"CYNET_FAIL_NO_OPENMP is set and {compiler} cannot build an OpenMP program")
    print("cynet: no OpenMP found; the kernels will run on one thread", file=sys.stderr)
    return []


def isa_features(compiler, isa):
    """The x86 features that code compiled with these flags may use, of those a program can ask for."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return []
    command = [compiler, *isa, "-dM", "-E", "-x", "c", os.devnull]
    macros = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    defined = {line.split()[1] for line in macros.splitlines()}
    return [f for f in FEATURES.split() if f"__{f.upper().replace('.', '_')}__" in defined]


def first_line(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def quoted(**macros):
    return [(name, '"' + value.replace('"', "'") + '"') for name, value in macros.items()]


checked = switch("CYNET_BOUNDS_CHECK")
headers = [path.as_posix() for path in sorted(Path(KERNELS).glob("*.h"))]
extensions = cythonize(
    [
        Extension(f"cynet.kernels.{path.stem}", [path.as_posix()], depends=headers)
        for path in sorted(Path(KERNELS).glob("*.pyx"))
    ],
    compiler_directives={
        "language_level": 3,
        "boundscheck": checked,
        "wraparound": False,
        "initializedcheck": checked,
        "cdivision": True,
        "embedsignature": True,
    },
    # The C text differs between the two builds, so a stale file must not be reused.
    force=True,
)

setup(ext_modules=extensions, cmdclass={"build_ext": BuildKernels})
