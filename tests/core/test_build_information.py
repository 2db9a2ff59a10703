"""show_config: a line for each fact."""

import platform
import sys
from pathlib import Path

import pytest
from helpers import run_python

import cynet
from cynet.core import _config, build, isa


def test_every_fact_on_a_line(capsys):
    cynet.set_num_threads(1)
    cynet.show_config()
    lines = capsys.readouterr().out.splitlines()
    found = {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}
    made = _config.build_info()
    assert found == build.config() and len(lines) == len(found) == 8 + bool(isa.levels())
    assert (found["version"], found["python"]) == (cynet.__version__, platform.python_version())
    assert (found["compiler"], found["flags"]) == (made["compiler"], made["flags"])
    assert found["threads"] == f"1 of {build.processors()} processors"
    assert {len(line) - len(line.partition(":")[2].lstrip()) for line in lines} == {11}, "one column"
    assert build.processor()


def test_without_openmp_it_says_so(monkeypatch):
    monkeypatch.setattr(_config, "build_info", lambda: {"compiler": "c", "flags": "f", "isa": (), "openmp": 0,
                                                       "checks": "none"})  # fmt: skip
    facts = build.config()
    assert facts["OpenMP"] == "no: the kernels run on one thread" and facts["ISA"] == platform.machine()


def test_the_processors_name_is_what_the_system_tells(monkeypatch):
    text = "processor : 0\nmodel\t\t: 85\nmodel name\t: A fast: one \nmodel name\t: Another\n"
    monkeypatch.setattr(build.Path, "read_text", lambda path: {"/proc/cpuinfo": text}[str(path)])
    assert build.processor() == "A fast: one"
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "a machine")
    monkeypatch.setattr(build.Path, "read_text", lambda path: "processor : 0\n")
    assert build.processor() == "a machine"
    monkeypatch.setattr(platform, "processor", lambda: "of the platform")

    def missing(path):
        raise FileNotFoundError

    monkeypatch.setattr(build.Path, "read_text", missing)
    assert build.processor() == "of the platform"


SYSTEM = """
import sys
from cynet.core.build import system

def refuse(event, _):
    assert event != "subprocess.Popen", "a process"

sys.addaudithook(refuse)
print(system())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")
def test_the_system_is_told_as_python_does_without_a_process_for_it(monkeypatch):
    found = run_python("-c", SYSTEM)
    assert found.stdout.strip() == platform.platform(), found.stderr
    monkeypatch.setattr(build.platform, "libc_ver", lambda: ("", ""))
    assert build.system() == "-".join((platform.system(), platform.release(), platform.machine()))
    monkeypatch.setattr(build.platform, "system", lambda: "Other")
    monkeypatch.setattr(build.platform, "platform", lambda: "Other-1.2")
    assert build.system() == "Other-1.2"


LINUX = {  # what Linux calls the features that it calls otherwise than compilers do
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "bmi": "bmi1", "lzcnt": "abm",
    "avx512vbmi2": "avx512_vbmi2", "avx512vnni": "avx512_vnni", "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq", "avx512bf16": "avx512_bf16",
}  # fmt: skip
FEATURES = """
    sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 fma bmi bmi2 lzcnt movbe f16c avx512f avx512bw avx512cd avx512dq
    avx512vl avx512ifma avx512vbmi avx512vbmi2 avx512vnni avx512bitalg avx512vpopcntdq avx512bf16
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64", reason="of Linux on x86-64"
)
def test_the_processors_features_are_those_that_linux_tells():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = next(line for line in lines if line.startswith("flags")).partition(":")[2].split()
    assert _config.cpu_features() == {name for name in FEATURES.split() if LINUX.get(name, name) in told}
