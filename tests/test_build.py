"""The build: what it records, that it refuses a lesser processor, and that importing it is harmless."""

import functools
import json
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet.core import compiled
from cynet.core.compiled import _config
from cynet.kernels.conv import tiled_loops

ROOT = Path(__file__).resolve().parent.parent
SETUP = ROOT / "setup.py"


def test_show_config_prints_every_fact(capsys):
    cynet.show_config()
    text = capsys.readouterr().out
    for name in ("version", "compiler", "flags", "ISA", "OpenMP", "checks", "threads"):
        assert f"{name}:" in text
    assert cynet.__version__ in text and "-ffast-math" not in text and "-Ofast" not in text


def test_this_processor_has_what_the_build_needs():
    needed = _config.build_info()["isa"]
    assert set(needed) <= _config.cpu_features()
    compiled.require_features(needed, _config.cpu_features())


def test_a_processor_without_a_needed_feature_is_refused_in_words():
    with pytest.raises(ImportError, match=r"with avx2, fma, which this one lacks.*CYNET_MARCH=x86-64-v2"):
        compiled.require_features(("sse3", "fma", "avx2"), {"sse3"})


def test_a_lesser_processor_is_refused_before_any_kernel_is_loaded():
    """By the one compiled file that every processor can load."""
    code = (
        "import sys\n"
        "from types import ModuleType\n"
        "import cynet.core\n"
        "config = sys.modules['cynet.core._config'] = cynet.core._config = ModuleType('cynet.core._config')\n"
        "config.build_info = lambda: {'isa': ISA}\n"
        "config.cpu_features = lambda: frozenset({'sse3', 'avx'})\n"
        "try: import cynet.core.compiled\n"
        "except ImportError as error: print(error)\n"
        "else: print('good')\n"
    )
    for isa, said in (("('sse3', 'avx2', 'avx', 'fma')", "cynet was built for a processor with avx2, fma, "),
                      ("('avx',)", "good\n"), ("()", "good\n")):  # fmt: skip
        done = run_python("-c", code.replace("ISA", isa))
        assert done.returncode == 0 and done.stdout.startswith(said), done.stderr


def test_without_built_kernels_it_says_where_and_what_to_do():
    code = (
        "import os, sys\n"
        "sys.modules['cynet.core._config'], before = None, dict(os.environ)\n"
        "try: import cynet.kernels\n"
        "except ImportError as error: print(error)\n"
        "assert dict(os.environ) == before\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    said = f"no built kernels in {Path(cynet.__file__).parent}. In a source checkout run `python setup.py"
    assert done.stdout.startswith(f"{said} build_ext --inplace`")


def test_importing_the_kernels_leaves_denormals_alone():
    code = (
        "import numpy as np\n"
        "from cynet.kernels.conv import tiled_loops, tiled_weight_loops\n"
        "from cynet.kernels.loss import softmax\n"
        "from cynet.kernels.norm import batchnorm\n"
        "from cynet.kernels.optim import optim\n"
        "from cynet.kernels.pointwise import activation\n"
        "tiny = np.float32(1e-38) * np.float32(0.01)\n"
        "assert tiny > 0 and np.float64(1e-308) * 0.01 > 0\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


def test_importing_cynet_loads_no_kernel_and_no_layer():
    code = (
        "import sys, cynet\n"
        "loaded = [m for m in sys.modules if m.startswith('cynet')]\n"
        "assert sorted(loaded) == ['cynet', 'cynet._version'], loaded\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module, names", [
    ("cynet", "uwnet interop train data models check_gradients Predictor Linear"),
    ("cynet.train", "Trainer Settings Session train evaluate predict load_weights"),
    ("cynet.data", "DataLoader ImageFolder load"), ("cynet.interop", "safetensors"),
    ("cynet.uwnet", "make_net train_image_classifier"), ("cynet.models", "create names"),
])  # fmt: skip
def test_names_are_found_listed_and_told_after_import_cynet_alone(module, names):
    code = (
        "import sys, cynet\n"
        f"assert set({names.split()}) <= set(dir({module})), dir({module})\n"
        f"assert all(hasattr({module}, name) for name in {names.split()})\n"
        "from pydoc import plaintext, render_doc\n"
        f"sys.stdout.write(render_doc({module}, renderer=plaintext))\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    for name in names.split():
        assert name in done.stdout, name


def test_every_public_name_is_there():
    for name in cynet.__all__:
        assert getattr(cynet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Conv3d'"):
        cynet.Conv3d  # noqa: B018


@pytest.mark.parametrize(
    "environment, wanted",
    [({}, "10000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
)
def test_waiting_threads_spin_briefly_unless_the_user_says_otherwise(monkeypatch, environment, wanted):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    code = (
        "import os; before = dict(os.environ); import cynet, numpy as np; assert os.environ == before; "
        "cynet.ReLU()(np.zeros((2, 3), np.float32))"  # by a kernel
    )
    done = run_python("-c", code, OMP_DISPLAY_ENV="verbose", **environment)
    assert done.returncode == 0, done.stderr
    if _config.build_info()["openmp"]:
        assert "OPENMP DISPLAY ENVIRONMENT BEGIN" in done.stderr
    if "GOMP_" in done.stderr:  # GCC's OpenMP
        assert f"GOMP_SPINCOUNT = '{wanted}'" in done.stderr


def test_the_environment_is_as_it_was_when_the_kernels_are_loaded():
    code = (
        "import os\n"
        "for name in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'): os.environ.pop(name, None)\n"
        "before = dict(os.environ)\n"
        "import cynet.kernels\n"
        "assert dict(os.environ) == before, set(os.environ) - set(before)\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("threads", ["1", "3"])
def test_omp_num_threads_is_honoured(threads):
    if not _config.build_info()["openmp"]:
        threads = "1"
    done = run_python("-c", "import cynet; print(cynet.get_num_threads())", OMP_NUM_THREADS=threads)
    assert done.stdout.strip() == threads


def test_set_num_threads_is_kept():
    cynet.set_num_threads(3)
    assert cynet.get_num_threads() == (3 if _config.build_info()["openmp"] else 1)


def test_kernels_refuse_none_and_other_types():
    layer = cynet.Conv2d(3, 4, 3)
    algorithm = layer._convolution((1, 5, 5, 3))
    y, scratch = np.empty(algorithm.out_shape, np.float32), np.empty(algorithm.scratch_floats(1), np.float32)
    rest = algorithm.pack(layer.weight.data), algorithm.padded(None), y, scratch, False, 1
    with pytest.raises(TypeError):
        tiled_loops.convolve(algorithm.forward_pass, None, *rest)
    with pytest.raises(ValueError, match="Buffer dtype mismatch"):
        tiled_loops.convolve(algorithm.forward_pass, np.zeros((1, 5, 5, 3)), *rest)


# -- setup.py itself, with a compiler that only tells what it was asked for ----------------------------------
COMPILER = """#!/bin/sh
case "$*" in
  *--version*) echo "fakecc ${FAKE_VERSION:-1.0}"; exit 0 ;;
  *-dM*) echo "#define __SSE3__ 1"; echo "#define __SSE4_1__ 1"; echo "#define __AVX2__ 1"
    [ -n "$FAKE_TUNES" ] && echo "#define __tune_$FAKE_TUNES""3__ 1"; exit 0 ;;
  *march=none-such*) echo "unknown" >&2; exit 1 ;;
esac
case "$*" in *-fopenmp*) [ -n "$FAKE_NO_OPENMP" ] && exit 1 ;; esac
if [ -n "$FAKE_LACKS" ]; then
  case "$*" in *"$FAKE_LACKS"*) echo "it lacks $FAKE_LACKS" >&2; exit 1 ;; esac
fi
case "$*" in *probe.c*) [ -n "$FAKE_NO_FILE" ] && exit 0; [ -n "$FAKE_SILENT" ] && exit 7 ;; esac
line=$(printf '%s|' "$@" | tr '\n' ' ')
echo "$line" >> "$FAKE_LOG"  # in one piece: several are at work
while [ $# -gt 1 ]; do
  [ "$1" = -o ] && { printf '#!/bin/sh\\nexit 0\\n' > "$2"; chmod +x "$2"; }
  shift
done
exit 0
"""
# A process that has imported what setup.py does, and runs it in a child by fork for each line that it reads.
BUILDER = """
import json, os, runpy, sys
import Cython.Build, setuptools, setuptools.command.build_ext
for line in sys.stdin:
    place, words, environment = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(place)
        for name, stream in ((os.devnull, 0), (os.devnull, 1), ("errors", 2)):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["setup.py", *words]
        runpy.run_path("setup.py", run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ALL = {"_config", "_shared", "one", "two"}
KERNEL = "def f():\n    return 1\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tree with two kernels, a header and this project's setup.py, which was built once."""
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    if not SETUP.is_file():
        pytest.skip("there is no setup.py here")
    tree = tmp_path_factory.mktemp("built") / "tree"
    for folder in ("cynet", "cynet/core", "cynet/kernels", "cynet/kernels/conv"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "__init__.py").touch()
    (tree / "cynet/kernels/a.h").touch()
    for name in ("core/_config", "kernels/one", "kernels/conv/two"):
        (tree / f"cynet/{name}.pyx").write_text(KERNEL)
    (tree / "setup.py").write_text(SETUP.read_text())
    (tree / "fakecc").write_text(COMPILER)
    (tree / "fakecc").chmod(0o755)
    with builder():
        assert set(build(tree)) == ALL
        yield tree
    builder.cache_clear()


@functools.cache
def builder():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", BUILDER], text=True, **pipes)


@pytest.fixture
def tree(built):
    """That tree, with all that was built, to be changed."""
    place = built.parent / "copy"  # the compiler's path is a part of what a build hangs on
    shutil.copytree(built, place)
    built.rename(built.parent / "aside")
    place.rename(built)
    yield built
    shutil.rmtree(built)
    (built.parent / "aside").rename(built)


def build(tree, *words, fails=False, **environment):
    """The compiler's command lines by what they make: {"one.c": [words], "one.so": ...}."""
    log = tree / "log"
    log.write_text("")
    for path in (tree / "cynet").rglob("*.so"):
        path.unlink()
    cc = str(tree / "fakecc")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CYNET_")}
    plain |= {"CC": cc, "LDSHARED": f"{cc} -shared", "CFLAGS": "", "FAKE_LOG": str(log), **environment}
    words = ("-q", "build_ext", "--inplace", *words)
    builder().stdin.write(json.dumps([str(tree), words, plain]) + "\n")
    builder().stdin.flush()
    status, errors = int(builder().stdout.readline()), (tree / "errors").read_text()
    if fails:
        assert status != 0
        return errors.strip().splitlines()[-1]
    assert status == 0, errors
    assert ("no OpenMP found; the kernels will run on one thread" in errors) == (
        "FAKE_NO_OPENMP" in environment
    )
    made = {path.name.partition(".")[0] for path in (tree / "cynet").rglob("*.so")}
    assert made == {"_config", "_shared", "one", "two"}
    found = {}
    for line in log.read_text().splitlines():
        words = line.split("|")
        source = [word for word in words if word.endswith(".c") and "probe" not in word]
        if source:
            found[os.path.basename(source[0])[:-2]] = words
    return found


def test_what_is_compiled_again_after_which_change(tree):
    assert build(tree) == {}, "nothing changed: finished extensions are taken, also where they were deleted"
    (tree / "cynet/kernels/one.pyx").write_text(KERNEL.replace("1", "2"))
    assert set(build(tree)) == {"one"}
    for name, made in (("cynet/kernels/a.h", ALL - {"_shared"}), ("setup.py", ALL)):
        os.utime(tree / name)
        assert set(build(tree)) == made, name
    assert build(tree) == {}


def test_all_is_compiled_again_where_one_asks_for_it(tree):
    assert set(build(tree, "--force")) == ALL


def test_each_set_of_flags_is_compiled_for_itself_and_kept(tree):
    others = {"CYNET_MARCH": "other"}, {"CFLAGS": "-DX"}, {"LDFLAGS": "-lx"}, {"FAKE_VERSION": "2.0"}
    for other in others:
        assert set(build(tree, **other)) == ALL, other
    for other in (others[0], {}):
        assert build(tree, **other) == {}, other


def test_it_is_built_for_this_processor_where_the_compiler_knows_it(tree):
    for lacks, native in (("", True), ("march=native", False)):
        lines = build(tree, "--force", FAKE_LACKS=lacks)
        for name in ("one", "two"):
            assert ("-march=native" in lines[name]) == native


def test_no_code_is_tuned_for_zen(tree):
    cases = ("znver", "native", True), ("core", "native", False), ("znver", "v3", False)
    for tunes, march, generic in cases:
        lines = build(tree, "--force", FAKE_TUNES=tunes, CYNET_MARCH=march)
        assert ("-mtune=generic" in lines["one"]) == generic, (tunes, march)


def test_openmp_may_be_the_preprocessors(tree):
    lines = build(tree, FAKE_LACKS="fopenmp /")  # without a word between it and the program
    assert set(lines) == ALL
    for words in lines.values():
        assert words[words.index("-fopenmp") - 1] == "-Xpreprocessor" and "-lomp" in words


def test_a_compiler_behind_another_program_is_asked_as_a_whole(tree):
    lines = build(tree, CC=f"env {tree / 'fakecc'} -DFIRST", LDSHARED=f"env {tree / 'fakecc'} -shared")
    assert set(lines) == ALL and all("-DFIRST" in words for words in lines.values())
    assert "fakecc 1.0" in " ".join(lines["_config"])


def test_what_every_processor_must_load_is_compiled_for_none(tree):
    lines = build(tree, CYNET_MARCH="some-cpu")
    for name, words in lines.items():
        assert ("-march=some-cpu" in words) == (name in ("one", "two")), name
        assert "-fopenmp" in words and "-O3" in words and "-Wall" in words and "-Icynet/kernels" in words
        assert "-ffast-math" not in words and "-fsanitize=address,undefined" not in words
    plain = build(tree, CYNET_MARCH="")
    assert set(plain) == ALL and not any("-march" in " ".join(words) for words in plain.values())
    facts = " ".join(lines["_config"])
    for fact in ("CYNET_COMPILER", "fakecc 1.0", '"sse3 sse4.1 avx2"', '"none"'):
        assert fact in facts
    assert not any("CYNET_" in " ".join(lines[name]) for name in ALL - {"_config"})


def test_every_product_is_fused_with_its_sum_where_the_compiler_can_be_told(tree):
    flag = "--param=avoid-fma-max-bits=0"
    assert all(flag in words for words in build(tree, CYNET_MARCH="some-cpu").values())
    lines = build(tree, CYNET_MARCH="some-cpu", FAKE_LACKS=flag)
    assert set(lines) == ALL and not any(flag in words for words in lines.values())


@pytest.mark.parametrize(("switch", "words"), [
    ("CYNET_SANITIZE", {"-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1"}),
    ("CYNET_WERROR", {"-Werror"}), ("CYNET_BOUNDS_CHECK", set()),
])  # fmt: skip
def test_switches_on_and_off(tree, switch, words):
    lines = build(tree, **{switch: "on"})
    assert set(lines) == ALL and all(words <= set(line) for line in lines.values())
    checked = switch == "CYNET_BOUNDS_CHECK"
    assert ('"bounds"' in " ".join(lines["_config"])) == checked
    assert all(("-checked/" in " ".join(line)) == checked for line in lines.values())
    if switch == "CYNET_SANITIZE":
        assert build(tree, **{switch: "no"}) == {}, "as without it"


@pytest.mark.parametrize("text", ["YES", " On ", "True"])
def test_a_switch_is_on_in_capitals_too(tree, text):
    lines = build(tree, CYNET_WERROR=text)
    assert set(lines) == ALL and all("-Werror" in line for line in lines.values())


@pytest.mark.parametrize("text", ["NO", " Off ", "False"])
def test_a_switch_is_off_in_capitals_too(tree, text):
    build(tree)
    assert build(tree, CYNET_WERROR=text) == {}, "as without it"


@pytest.mark.parametrize(("environment", "said"), [
    ({"CYNET_SANITIZE": "2"}, "CYNET_SANITIZE: wanted 1 or 0, got '2'"),
    ({"CYNET_JOBS": "0"}, "CYNET_JOBS: wanted a whole number from 1 to 1024, got '0'"),
    ({"CYNET_MARCH": "none-such"}, "does not accept -march=none-such ('unknown')"),
    ({"FAKE_NO_OPENMP": "1", "CYNET_FAIL_NO_OPENMP": "1"}, "CYNET_FAIL_NO_OPENMP is set and"),
    ({"CC": "/nowhere/cc -O2"},
     "`/nowhere/cc --version` gave 'No such file or directory: /nowhere/cc': install a C compiler"),
    ({"CYNET_JOBS": "1025"}, "CYNET_JOBS: wanted a whole number from 1 to 1024, got '1025'"),
    *(({name: "-DA='"}, f"{name}: wanted words as for a shell, got \"-DA='\" (No closing quotation)")
      for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS")),
    ({"CC": " "}, "CC: wanted the name of a compiler, got an empty one"),
    ({"FAKE_NO_FILE": "1"}, "cannot compile an empty program ('it made no file'): install a C compiler"),
    ({"FAKE_SILENT": "1"}, "cannot compile an empty program ('exit status 7'): install a C compiler"),
    ({"FAKE_LACKS": "include"}, "does not find Python's headers in "),
    ({"FAKE_LACKS": "shared"}, "cannot link an empty extension ('it lacks shared'): see LDSHARED"),
])  # fmt: skip
def test_what_cannot_be_built_is_said_in_a_sentence(tree, environment, said):
    line = build(tree, fails=True, **environment)
    assert line.startswith("cynet cannot be built: ") and said in line


def test_without_openmp_it_is_built_for_one_thread(tree):
    shutil.rmtree(tree / "build")
    lines = build(tree, FAKE_NO_OPENMP="1", CYNET_JOBS="1024")
    assert set(lines) == ALL and not any("-fopenmp" in words for words in lines.values())


def test_every_file_of_the_package_is_installed():
    """Whatever lies in the package and is no module must be named in pyproject.toml."""
    if not SETUP.is_file():
        pytest.skip("there is no pyproject.toml here")
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    made = {".py", ".so", ".c", ".pyc", ".pyd", ".dylib"}
    missing = []
    for path in (ROOT / "cynet").rglob("*"):
        if not path.is_file() or path.suffix in made or path.name.startswith("."):
            continue
        named = False
        for package, globs in patterns.items():
            folder = path.parent if package == "*" else ROOT / package.replace(".", "/")
            named |= path.is_relative_to(folder) and any(path in folder.glob(glob) for glob in globs)
        missing += [] if named else [str(path)]
    assert not missing


# -- what setup.py asks of Cython and of the compiler, word for word ----------------------------------------
@pytest.fixture
def asked(tree, monkeypatch):
    """A function of the environment: what setup.py in that tree gave to `cythonize` and to `setup`."""
    import Cython.Build
    import setuptools

    def run(**environment):
        for name in [name for name in os.environ if name.startswith("CYNET_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = {}
        monkeypatch.setattr(
            Cython.Build,
            "cythonize",
            lambda extensions, **how: found.update(how, sources=extensions) or extensions,
        )
        monkeypatch.setattr(setuptools, "setup", lambda **how: found.update(setup=how))
        monkeypatch.chdir(tree)
        runpy.run_path("setup.py")
        return found

    return run


@pytest.mark.parametrize("checked", [False, True])
def test_what_cython_is_asked_for(asked, checked):
    found = asked(**({"CYNET_BOUNDS_CHECK": "1"} if checked else {}))
    assert found["compiler_directives"] == {
        "language_level": 3, "boundscheck": checked, "wraparound": False, "initializedcheck": checked,
        "cdivision": True, "embedsignature": True,
    }  # fmt: skip
    assert found["shared_utility_qualified_name"] == "cynet.core._shared"
    assert [(each.name, each.sources, each.depends) for each in found["sources"]] == [
        ("cynet.core._config", ["cynet/core/_config.pyx"], ["cynet/kernels/a.h"]),
        ("cynet.kernels.conv.two", ["cynet/kernels/conv/two.pyx"], ["cynet/kernels/a.h"]),
        ("cynet.kernels.one", ["cynet/kernels/one.pyx"], ["cynet/kernels/a.h"]),
        ("cynet.core._shared", ["cynet/core/_shared.c"], []),
    ]
    assert Path(found["build_dir"]).name.endswith("-checked") == checked and found["build_dir"].startswith(
        "build/"
    )
    assert found["setup"]["options"] == {} and found["setup"]["ext_modules"] == found["sources"]


def test_a_tree_that_cannot_be_written_is_built_elsewhere(asked, monkeypatch):
    import setuptools

    monkeypatch.setattr(os, "access", lambda path, mode: not (path == "." and mode == os.W_OK))
    found = asked()
    place = Path(found["build_dir"]).parent
    assert place.name.startswith("cynet-") and not place.exists(), "it is gone when all is built"
    command = found["setup"]["cmdclass"]["build_ext"](setuptools.Distribution())
    command.inplace = True
    with pytest.raises(
        SystemExit, match="cannot be written, and an editable or in-place build puts its files"
    ):
        command.run()
    assert found["setup"]["options"] == {
        "build": {"build_base": str(place)}, "egg_info": {"egg_base": str(place)}
    }  # fmt: skip


OPTIMISED = [
    "-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=fast",
    "--param=avoid-fma-max-bits=0",
]  # fmt: skip
WARNED = ["-Wall", "-Wno-unused-function", "-Wno-psabi"]


def ours(words):
    """Of a command line what this setup.py adds, which stands behind the name of what is made of a C file."""
    return words[words.index("-o") + 2 :]


def test_all_flags_of_a_plain_build_and_their_order(tree):
    lines = build(tree, "--force", CYNET_MARCH="some-cpu")
    for name, words in lines.items():
        isa = ["-march=some-cpu"] if name in ("one", "two") else []
        assert [word for word in ours(words) if word] == [*OPTIMISED, "-g0", *isa, "-fopenmp", *WARNED]
    links = [line.split("|") for line in (tree / "log").read_text().splitlines() if "-shared" in line]
    links = [words for words in links if any(word.endswith(".o") for word in words)]
    assert len(links) == len(ALL)
    for words in links:
        assert "-fopenmp" in words and "-Wl,-s" in words
    told = " ".join(lines["_config"])
    assert f'CYNET_FLAGS="{" ".join([*OPTIMISED, "-march=some-cpu", "-fopenmp"])}"' in told
    lines = build(tree, "--force", CYNET_MARCH="some-cpu", FAKE_LACKS="-Wl,-s")
    assert "-Wl,-s" not in (tree / "log").read_text() and set(lines) == ALL


def test_all_flags_of_a_build_that_is_watched(tree):
    watched = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    lines = build(tree, CYNET_SANITIZE="1", CYNET_WERROR="1", CYNET_MARCH="")
    for words in lines.values():
        wanted = ["-O1", "-fno-omit-frame-pointer", *watched, "-g", "-fopenmp", *WARNED, "-Werror"]
        assert [word for word in ours(words) if word] == wanted
    links = [line for line in (tree / "log").read_text().splitlines() if "-shared" in line and ".o|" in line]
    assert len(links) == len(ALL) and all("|".join(watched) in line for line in links)
    assert not any("-Wl,-s" in line for line in links)
