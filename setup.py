"""Build of the compiled kernels: one extension for each .pyx file of the package.

Environment switches, all optional:

CYNET_MARCH=NAME          instruction set to compile for (default: native; "" leaves the compiler's own)
CYNET_FAIL_NO_OPENMP=1    stop when the compiler has no OpenMP, instead of building serial kernels
CYNET_BOUNDS_CHECK=1      every memoryview index checked (slow; for tests)
CYNET_SANITIZE=1          AddressSanitizer and UndefinedBehaviorSanitizer (for tests; see CONTRIBUTING.md)
CYNET_WERROR=1            compiler warnings are errors
CYNET_JOBS=N              compile N files at once (default: the number of processors)

Design: Cython's code for memoryviews, nine tenths of what there is to compile, is compiled once, in an
extension of its own (SHARED). C files and finished extensions are kept in build/, in folders that are named
after all that they depend on besides the sources, so that only what changed is compiled again, whichever
command asks for it and whatever was built in between. A build of a source tree that cannot be written goes to
a temporary folder instead.
"""

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import Cython
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = Path("cynet")
CONFIG = "cynet.core._config"
SHARED = "cynet.core._shared"  # Cython's own code that all the others use
EVERYWHERE = CONFIG, SHARED  # compiled without -march: they must load on every processor

FEATURES = """
    sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 fma bmi bmi2 lzcnt movbe f16c avx512f avx512bw avx512cd avx512dq
    avx512vl avx512ifma avx512vbmi avx512vbmi2 avx512vnni avx512bitalg avx512vpopcntdq avx512bf16
"""

PLAIN_PROGRAM = "int main(void) { return 0; }\n"
PYTHON_PROGRAM = "#include <Python.h>\nint main(void) { return 0; }\n"
OPENMP_PROGRAM = """
#include <omp.h>
int main(void) { int n = 0;
#pragma omp parallel reduction(+:n)
  n += 1;
  return n < 1 || omp_get_max_threads() < 1; }
"""


def refuse(text):
    """End the build with one sentence."""
    raise SystemExit(f"cynet cannot be built: {text}")


# -- switches ---------------------------------------------------------------------------------------------
def switch(name):
    """A switch that is on or off."""
    value = os.environ.get(name, "").strip().lower()
    if value in ("", "0", "no", "off", "false"):
        return False
    if value in ("1", "yes", "on", "true"):
        return True
    refuse(f"{name}: wanted 1 or 0, got {os.environ[name]!r}")


def jobs():
    """How many files are compiled at once."""
    text = os.environ.get("CYNET_JOBS") or str(os.cpu_count() or 1)
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        refuse(f"CYNET_JOBS: wanted a whole number from 1 to 1024, got {text!r}")
    return int(text)


# -- the compiler -----------------------------------------------------------------------------------------
class Compiler:
    """A C compiler, asked for what it can do.

    Parameters
    ----------
    command : list of str
        The program, perhaps behind another one (`ccache gcc`), and flags.
    """

    def __init__(self, command):
        self.command = command
        flags = (i for i, word in enumerate(command) if i and word.startswith("-"))
        self.program = command[: next(flags, len(command))]

    def run(self, *arguments, whole=False):
        """(exit status, output) of the program, `whole`: with the flags of the command; None: no program."""
        command = [*(self.command if whole else self.program), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            return None, f"{error.strerror}: {error.filename}"
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr + done.stdout

    def tried(self, flags, program=PLAIN_PROGRAM, start=False):
        """None where it compiles a program (and, with `start`, that runs), or else what came back."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "probe.c"), Path(folder, "probe")
            source.write_text(program)
            status, output = self.run(*flags, str(source), "-o", str(target), whole=True)
            if status == 0 and not target.exists():
                return "it made no file"
            if status == 0 and start:
                status, output = Compiler([str(target)]).run()
        return None if status == 0 else first_line(output) or f"exit status {status}"

    def check(self):
        """Refuse, in a sentence, what cannot compile an extension."""
        spoken = shlex.join(self.command)
        advice = "install a C compiler (Debian: apt install gcc; Fedora: dnf install gcc), or name one in CC"
        status, output = self.run("--version")
        if status is None:
            refuse(f"`{shlex.join(self.program)} --version` gave '{output}': {advice}")
        problem = self.tried([])
        if problem:
            refuse(f"`{spoken}` cannot compile an empty program ('{problem}'): {advice}, its flags in CFLAGS")
        headers = sysconfig.get_path("include")
        problem = self.tried([f"-I{headers}"], PYTHON_PROGRAM)
        if problem:
            refuse(
                f"`{spoken}` does not find Python's headers in {headers} ('{problem}'): install them "
                "(Debian: apt install python3-dev; Fedora: dnf install python3-devel)"
            )

    def check_linker(self):
        """Refuse what cannot link an extension."""
        problem = self.tried(["-fPIC"])
        if problem:
            refuse(
                f"`{shlex.join(self.command)}` cannot link an empty extension ('{problem}'): see LDSHARED "
                "and LDFLAGS"
            )

    def openmp(self):
        """The flags for OpenMP; none where there is none."""
        for flags in (["-fopenmp"], ["-Xpreprocessor", "-fopenmp", "-lomp"]):
            problem = self.tried(flags, OPENMP_PROGRAM, start=True)
            if problem is None:
                return flags
        if switch("CYNET_FAIL_NO_OPENMP"):
            refuse(
                f"CYNET_FAIL_NO_OPENMP is set and `{shlex.join(self.program)}` builds no OpenMP program "
                f"('{problem}')"
            )
        print("cynet: no OpenMP found; the kernels will run on one thread", file=sys.stderr)
        return []

    def march(self):
        """The flag for the instruction set."""
        name = os.environ.get("CYNET_MARCH", "native" if self.tried(["-march=native"]) is None else "")
        flags = [f"-march={name}"] if name else []
        problem = self.tried(flags)
        if problem:
            refuse(f"CYNET_MARCH: `{shlex.join(self.program)}` does not accept {flags[0]} ('{problem}')")
        return flags + self.tuning() if name == "native" else flags

    def tuning(self):
        """The flag that keeps GCC from its own tuning for AMD's Zen.

        With it the transforms of the Winograd convolution take a net a fifth more time on Zen 3 (GCC 12).
        """
        _, macros = self.run("-march=native", "-dM", "-E", "-x", "c", os.devnull, whole=True)
        return ["-mtune=generic"] if "#define __tune_znver" in macros else []

    def fusing(self):
        """The flag that lets GCC fuse every product with its sum.

        For some processors it leaves a few out, and not the same ones in two loops of one sum.
        """
        flags = ["--param=avoid-fma-max-bits=0"]
        return flags if self.tried(flags) is None else []

    def features(self, march):
        """The x86 features that code compiled with these flags may use, of those a program can ask for."""
        if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
            return []
        status, macros = self.run(*march, "-dM", "-E", "-x", "c", os.devnull, whole=True)
        if status != 0:
            refuse(f"`{shlex.join(self.program)} -dM -E` gave '{first_line(macros)}'")
        defined = {line.split()[1] for line in macros.splitlines()}
        return [f for f in FEATURES.split() if f"__{f.upper().replace('.', '_')}__" in defined]


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def quoted(**macros):
    return [(name, '"' + value.replace("\\", "/").replace('"', "'") + '"') for name, value in macros.items()]


# -- the build --------------------------------------------------------------------------------------------
class BuildKernels(build_ext):
    """build_ext that asks the compiler what it can do, and compiles what changed."""

    def build_extensions(self):
        if self.compiler.compiler_type != "unix":
            refuse("it needs a GCC-compatible compiler (its kernels use the vector extension)")
        compiler = Compiler(list(self.compiler.compiler))
        compiler.check()
        Compiler(list(self.compiler.linker_so)).check_linker()
        march, openmp = compiler.march(), compiler.openmp()
        optimise = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=fast"]
        optimise += compiler.fusing()
        debug, link = ["-g0"], list(openmp)
        link += ["-Wl,-s"] if compiler.tried(["-Wl,-s"]) is None else []  # symbols are most of a file
        if switch("CYNET_SANITIZE"):
            sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
            optimise = ["-O1", "-fno-omit-frame-pointer", *sanitize]
            debug, link = ["-g"], [*openmp, *sanitize]
        warn = ["-Wall", "-Wno-unused-function", "-Wno-psabi"]
        warn += ["-Werror"] if switch("CYNET_WERROR") else []
        config = quoted(
            CYNET_COMPILER=first_line(compiler.run("--version")[1]),
            CYNET_FLAGS=" ".join([*optimise, *march, *openmp]),
            CYNET_ISA=" ".join(compiler.features(march)),
            CYNET_CHECKS="bounds" if checked else "none",
        )
        for extension in self.extensions:
            extension.include_dirs += sorted({os.path.dirname(path) for path in headers})
            extension.extra_link_args = link
            isa = [] if extension.name in EVERYWHERE else march
            extension.extra_compile_args = [*optimise, *debug, *isa, *openmp, *warn]
            if extension.name == CONFIG:
                extension.define_macros += config
        made_by = [compiler.command, list(self.compiler.linker_so), link, optimise, debug, march, warn]
        made_by += [config, WRITER, sys.version]
        self.kept = BUILD / f"extensions-{hashlib.sha256(repr(made_by).encode()).hexdigest()[:16]}"
        self.parallel = jobs()
        super().build_extensions()

    def build_extension(self, extension):
        """Take the extension of an earlier build where nothing that it is made of is newer."""
        target = Path(self.get_ext_fullpath(extension.name))
        kept = self.kept / target.name
        sources = [*extension.sources, *extension.depends, __file__]
        if not self.force and kept.exists() and newest([kept]) > newest(sources):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, target)
            return
        target.unlink(missing_ok=True)  # else setuptools takes it for this one: it may be of other flags
        super().build_extension(extension)
        self.kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, kept)

    def run(self):
        for name in ("CC", "CFLAGS", "CPPFLAGS", "LDSHARED", "LDFLAGS"):
            try:
                shlex.split(os.environ.get(name, ""))
            except ValueError as error:
                refuse(f"{name}: wanted words as for a shell, got {os.environ[name]!r} ({error})")
        if not os.environ.get("CC", "cc").strip():
            refuse("CC: wanted the name of a compiler, got an empty one")
        if self.inplace and not WRITABLE:
            refuse(f"{Path.cwd()} cannot be written, and an editable or in-place build puts its files there")
        super().run()


def newest(paths):
    return max(os.stat(path).st_mtime_ns for path in paths)


# A wheel can be built from a tree that is only read: each of pip's steps has a temporary folder of its own.
WRITABLE = os.access(".", os.W_OK)
temporary = contextlib.nullcontext("build") if WRITABLE else tempfile.TemporaryDirectory(prefix="cynet-")
checked = switch("CYNET_BOUNDS_CHECK")
WRITER = f"cython-{Cython.__version__}{'-checked' if checked else ''}"

with temporary as BUILD:
    BUILD = Path(BUILD)
    headers = [path.as_posix() for path in sorted(PACKAGE.rglob("*.h"))]
    extensions = cythonize(
        [
            *(
                Extension(".".join(path.with_suffix("").parts), [path.as_posix()], depends=headers)
                for path in sorted(PACKAGE.rglob("*.pyx"))
            ),
            Extension(SHARED, [SHARED.replace(".", "/") + ".c"]),  # Cython writes it
        ],
        compiler_directives={
            "language_level": 3,
            "boundscheck": checked,
            "wraparound": False,
            "initializedcheck": checked,
            "cdivision": True,
            "embedsignature": True,
        },
        build_dir=str(BUILD / WRITER),  # checked and plain C texts side by side
        shared_utility_qualified_name=SHARED,
    )
    places = {} if WRITABLE else {"build": {"build_base": str(BUILD)}, "egg_info": {"egg_base": str(BUILD)}}
    setup(ext_modules=extensions, cmdclass={"build_ext": BuildKernels}, options=places)
