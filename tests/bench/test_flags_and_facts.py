"""What each flag of bench becomes, what a measured process counts, and what is said of the machine."""

import io
import json
import re
from types import SimpleNamespace

import pytest

from cynet import cli
from cynet.bench import (
    child,
    cutting,
    distributed,
    document,
    environment,
    kernels,
    loading,
    peak,
    per_layer,
    processes,
    report,
    scaling,
    shape_speed,
    speed,
    texts,
)
from cynet.cli import bench
from cynet.core.threads import get_num_threads, processors

MIB = 1 << 20
MODELS = ("uwnet1", "uwnet2", "resnet20", "vgg_small")


@pytest.fixture
def calls(monkeypatch):
    """What was called with what; nothing is measured."""
    found = []

    def noting(module, name, result):
        def call(*given, watch=None, **named):
            given = tuple(one for one in given if not isinstance(one, bench._Progress))
            found.append((f"{module.__name__.rpartition('.')[2]}.{name}", get_num_threads(), *given, named))
            return result

        monkeypatch.setattr(module, name, call)

    made = report.Report("made", (("a", "a", None),), [{"a": 1}])
    for module in (speed, kernels, per_layer):
        noting(module, "measure", made)
    noting(peak, "measure", "the peak")
    noting(peak, "report", made)
    noting(kernels, "chosen", "the cases")
    for name in ("memory", "imports"):
        noting(processes, name, made)
    for name in ("speed", "cost", "training"):
        noting(loading, name, made)
    noting(cutting, "speed", made)
    for module in (texts, shape_speed, distributed):
        noting(module, "measure", [made])
    monkeypatch.setattr("cynet.bench.peers.load", lambda name: None)
    return found


def setup(training, sizes, threads=(), models=MODELS, batch_norm=True, peer=None, rounds=None, **more):
    return speed.Setup(training, models, sizes, threads, batch_norm, peer, rounds, **more)


N = "the threads there are"  # which tests that came before may have set


@pytest.mark.parametrize(("words", "wanted"), [
    ("peak", [("peak.measure", N, None, 30, {}), ("peak.report", N, "the peak", {})]),
    ("peak --array-size 1.5 --repeat 2 --threads 3",
     [("peak.measure", 3, 3 << 19, 2, {}), ("peak.report", 3, "the peak", {})]),
    ("language-model", [("texts.measure", N, None, None, None, {})]),
    ("language-model --against torch --threads 3 --repeat 2", [("texts.measure", 3, "torch", 3, 2, {})]),
    ("kernels", [
        ("kernels.chosen", N, ["uwnet0", *MODELS], 128, True, None, {}), ("peak.measure", N, {}),
        ("kernels.measure", N, "the cases", "the peak", (), None, {}),
    ]),
    ("kernels --model uwnet2 --batch-size 4 --no-batch-norm --largest 2 --only a,b --repeat 3", [
        ("kernels.chosen", N, ["uwnet2"], 4, False, 2 * MIB, {}), ("peak.measure", N, {}),
        ("kernels.measure", N, "the cases", "the peak", ["a", "b"], 3, {}),
    ]),
    ("kernels --largest 0", [
        ("kernels.chosen", N, ["uwnet0", *MODELS], 128, True, 0, {}), ("peak.measure", N, {}),
        ("kernels.measure", N, "the cases", "the peak", (), None, {}),
    ]),
    ("shapes", [("peak.measure", N, {}), ("shape_speed.measure", N, "the peak", None, 60, 0, (), None, {})]),
    ("shapes --against torch --count 0 --seed 3 --only 7x7,depth --repeat 2 --threads 1", [
        ("peak.measure", 1, {}),
        ("shape_speed.measure", 1, "the peak", "torch", 0, 3, ["7x7", "depth"], 2, {}),
    ]),
    ("train", [("speed.measure", N, setup(True, (128,)), {})]),
    ("infer --side 64 --model uwnet2 --model-option batch_norm=false --batch-size 1 --against onnxruntime",
     [("speed.measure", N, setup(False, (1,), (), ("uwnet2",), peer="onnxruntime", side=64,
                                 model_option='{"batch_norm": false}'), {})]),
    ("infer", [("speed.measure", N, setup(False, (128, 1)), {})]),
    ("train --model uwnet2,uwnet1 --model uwnet2 --batch-size 2,4 --threads 1,3 --repeat 5 --no-batch-norm "
     "--against torch",
     [("speed.measure", 3, setup(True, (2, 4), (1, 3), ("uwnet2", "uwnet1"), False, "torch", 5), {})]),
    ("memory", [("processes.memory", N, setup(True, (128,)), 3, 10, {})]),
    ("memory --steps 4 --repeat 2 --batch-size 1,2 --threads 2",
     [("processes.memory", 2, setup(True, (1, 2), rounds=2), 2, 4, {})]),
    ("import", [("processes.imports", N, None, 15, {})]),
    ("import --against torch --repeat 4", [("processes.imports", N, "torch", 4, {})]),
    ("loader", [("loading.speed", N, 128, None, None, {}), ("cutting.speed", N, None, None, {}),
                ("loading.cost", N, 128, None, {}),
                ("loading.training", N, 128, None, {})]),
    ("loader --batch-size 32 --against torch --repeat 2",
     [("loading.speed", N, 32, "torch", 2, {}), ("cutting.speed", N, "torch", 2, {}),
      ("loading.cost", N, 32, 2, {}),
      ("loading.training", N, 32, 2, {})]),
    ("profile", [
        ("peak.measure", N, {}), ("per_layer.measure", N, "uwnet2", "the peak", 128, True, None, None, {}),
    ]),
    ("profile --model uwnet1,resnet20 --batch-size 2 --no-batch-norm --repeat 3 --threads 2", [
        ("peak.measure", 2, {}), ("per_layer.measure", 2, "uwnet1", "the peak", 2, False, 3, None, {}),
        ("per_layer.measure", 2, "resnet20", "the peak", 2, False, 3, None, {}),
    ]),
    ("distributed", [("distributed.measure", N, distributed.RankedSetup((1, 2), ("resnet20",)), {})]),
    ("distributed --ranks 2,4 --model uwnet1 --batch-size 64 --shards 4 --threads 2 --repeat 5 --latency .5 "
     "--bandwidth 10 --launcher run{}",
     [("distributed.measure", 2, distributed.RankedSetup(
         (2, 4), ("uwnet1",), 64, 4, "run{}", 2, 5, scaling.Link(0.0005, 1.25e9)), {})]),
    ("table", [
        ("speed.measure", N, setup(True, (128,), peer="torch"), {}),
        ("speed.measure", N, setup(False, (128, 1), peer="torch"), {}),
        ("processes.memory", N, setup(True, (128,), peer="torch"), 3, 10, {}),
        ("processes.imports", N, "torch", 15, {}),
    ]),
    ("memory --model uwnet2 --model uwnet1,uwnet2 --batch-size 8", [  # each once
        ("processes.memory", N, setup(True, (8,), (), ("uwnet2", "uwnet1"), True), 3, 10, {}),
    ]),
    ("table --repeat 2 --model uwnet2", [
        ("speed.measure", N, setup(True, (128,), (), ("uwnet2",), True, "torch", 2), {}),
        ("speed.measure", N, setup(False, (128, 1), (), ("uwnet2",), True, "torch", 2), {}),
        ("processes.memory", N, setup(True, (128,), (), ("uwnet2",), True, "torch", 2), 2, 10, {}),
        ("processes.imports", N, "torch", 2, {}),
    ]),
])  # fmt: skip
def test_each_flag_reaches_what_is_measured(calls, monkeypatch, words, wanted):
    monkeypatch.setattr(environment, "describe", lambda peer: {"peer": peer})
    monkeypatch.setattr(environment, "headline", lambda facts: f"beside {facts['peer']}")
    threads = get_num_threads()
    assert cli.main(["bench", *words.split()]) == 0
    assert calls == [(name, threads if used is N else used, *given) for name, used, *given in wanted]


@pytest.mark.parametrize("words", ["import", "import --markdown", "loader", "loader --markdown", "table"])
def test_several_tables_have_their_names_and_the_machine_stands_last(calls, monkeypatch, capsys, words):
    monkeypatch.setattr(environment, "describe", lambda peer: {"peer": peer})
    monkeypatch.setattr(environment, "headline", lambda facts: f"beside {facts['peer']}")
    assert cli.main(["bench", *words.split()]) == 0
    one = "| a |\n| --- |\n| 1 |\n" if "markdown" in words or words == "table" else "a\n-\n1\n"
    name = {"i": "", "l": "made\n\n", "t": "### made\n\n"}[words[0]]
    name = f"### {name}" if words == "loader --markdown" else name
    count, peer = {"i": 1, "l": 4, "t": 4}[words[0]], "torch" if words == "table" else None
    assert capsys.readouterr().out == f"{name}{one}\n" * count + f"beside {peer}\n"


def test_running_out_of_memory_is_said(calls, monkeypatch, capsys):
    def measure(*_):
        raise MemoryError

    monkeypatch.setattr(speed, "measure", measure)
    assert cli.main(["bench", "train"]) == 1
    assert capsys.readouterr().err.endswith("train: out of memory\n")


def test_the_bar_is_drawn_on_a_terminal_alone_and_taken_away(monkeypatch):
    for terminal in (False, True):
        written = io.StringIO()
        written.isatty = lambda terminal=terminal: terminal
        monkeypatch.setattr("sys.stderr", written)
        progress = bench._Progress()
        progress(1, 4, "train a")
        first = progress.bar
        progress(2, 4, "train b")
        assert progress.bar is first
        assert (first is not None) == terminal == ("train b" in written.getvalue())
        if terminal:
            assert (first.n, first.total) == (2, 4)
            progress(1, 3, "train c")
            assert progress.bar is not first and progress.bar.total == 3 and first.disable
        progress.close()
        assert progress.bar is None


@pytest.mark.parametrize("whose", ["ours", "peers_own", "ours_of_texts", "peers_of_texts"])
def test_a_measured_process_trains_so_many_steps_and_tells_the_difference(monkeypatch, whose):
    taken, asked = [], []
    memory = {"VmRSS": 100, "VmHWM": 250}

    def resident(which):
        asked.append((which, len(taken)))
        return memory[which]

    monkeypatch.setattr(child, "resident", resident)
    monkeypatch.setattr(child, whose, lambda job: (lambda: taken.append(job), child.resident("VmRSS")))
    job = {"steps": 4} | ({"peer": "torch"} if "peers" in whose else {})
    job |= {"hidden": 8} if "texts" in whose else {}
    assert child.main(job) == {"peak": 250, "imported": 100, "own": 150}
    assert taken == [job] * 4 and asked == [("VmRSS", 0), ("VmHWM", 4)]


def test_a_measured_process_trains_the_job(monkeypatch):
    made = {}
    monkeypatch.setattr("cynet.bench.workload.create", lambda *given: made.setdefault("model", given))
    monkeypatch.setattr("cynet.bench.workload.training_step", lambda *given: given)
    job = {"model": "uwnet2", "batch_norm": False, "batch_size": 3, "threads": 1}
    (model, x, labels), imported = child.ours(job)
    assert model == ("uwnet2", False) and x.shape == (3, 32, 32, 3) and labels.shape == (3,)
    assert get_num_threads() == 1 and imported > MIB


def test_the_peers_process_trains_its_net(monkeypatch, tmp_path):
    import pickle

    seen = []
    other = SimpleNamespace(set_num_threads=seen.append, training_step=lambda *given: given)
    monkeypatch.setattr(child.peers, "load", lambda name, part: {("other", "steps"): other}[name, part])
    (tmp_path / "net").write_bytes(pickle.dumps("a net"))
    job = {"peer": "other", "threads": 3, "net": str(tmp_path / "net"), "batch_size": 2, "way": "sideways",
           "shape": [5, 1]}  # fmt: skip
    (net, x, labels, way), _ = child.peers_own(job)
    assert (net, x.shape, labels.shape, way, seen) == ("a net", (2, 5, 1), (2,), "sideways", [3])


def test_resident_memory_is_read_in_bytes(monkeypatch, tmp_path):
    pages = tmp_path / "status"
    pages.write_text("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t     234 kB\n")
    monkeypatch.setattr(child, "PAGES", pages)
    assert (child.resident("VmHWM"), child.resident("VmRSS")) == (1234 * 1024, 234 * 1024)
    pages.unlink()
    resource = pytest.importorskip("resource")
    for system, unit in (("linux", 1024), ("darwin", 1)):
        monkeypatch.setattr(child.sys, "platform", system)
        monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=7))
        assert child.resident("VmRSS") == 7 * unit


def test_private_memory_is_the_sum_of_what_nobody_shares(monkeypatch):
    lines = "Rss: 900 kB\nShared_Clean: 5 kB\nPrivate_Clean: 10 kB\nPrivate_Dirty: 20 kB\nPss: 3 kB\n"
    files = {"/proc/42/smaps_rollup": lines}
    monkeypatch.setattr("pathlib.Path.read_text", lambda path: files[str(path)])
    assert loading._private(42) == 30 * 1024


@pytest.mark.parametrize(("sizes", "wanted"), [
    (("32K", "1024K", "260M"), 260 << 20), (("48K",), 48 << 10), (("1G", "2M"), 1 << 30), ((), 32 << 20),
    (("48K", "much"), 32 << 20), (("48K", "1T"), 32 << 20),
])  # fmt: skip
def test_the_last_level_cache_is_the_largest_one(monkeypatch, tmp_path, sizes, wanted):
    for i, size in enumerate(sizes):
        (tmp_path / f"index{i}").mkdir()
        (tmp_path / f"index{i}/size").write_text(f"{size}\n")
    monkeypatch.setattr(environment, "CACHES", tmp_path)
    assert environment.last_level_cache() == wanted


def test_the_facts_of_a_machine_and_its_headline(monkeypatch):
    monkeypatch.setattr(environment, "last_level_cache", lambda: 5)
    monkeypatch.setattr(environment, "processor", lambda: "A processor")
    build = {"version": "9", "ISA": "sse2 avx avx2 fma", "compiler": "cc", "flags": "-O9"}
    monkeypatch.setattr(environment, "config", lambda: build)
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: f"{name}-1")
    monkeypatch.setattr(environment.os, "getloadavg", lambda: (1.0, 2.0, 3.0))
    facts = environment.describe("hypothesis")
    assert facts["versions"] == {
        "cynet": "9", "python": environment.platform.python_version(), "numpy": "numpy-1",
        "hypothesis": "hypothesis-1",
    }  # fmt: skip
    assert {name: facts[name] for name in facts if name not in ("versions", "date", "system")} == {
        "cpu": "A processor", "processors": processors(), "threads": get_num_threads(),
        "isa": "sse2 avx avx2 fma", "compiler": "cc", "flags": "-O9", "last_level_cache_bytes": 5,
        "load_average": [1.0, 2.0, 3.0],
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", facts["date"])
    assert "hypothesis" not in environment.describe()["versions"]
    facts |= {"threads": 3, "date": "today", "versions": {"cynet": "9", "numpy": "2"}}
    assert environment.headline(facts) == "A processor, 3 threads, avx2; cynet 9, numpy 2; today"
    for isa, word in (("avx512f avx2 avx", "avx512f"), ("avx", "avx"), ("sse2", "no AVX")):
        assert f" threads, {word};" in environment.headline(facts | {"isa": isa})


def test_the_file_holds_what_was_asked_for_and_found(tmp_path):
    made = [report.Report("a", (), [{"x": 1}], ("note",), {"model": "m"}), report.Report("b", (), [])]
    document.write(tmp_path / "f.json", "table", {"cpu": "c"}, {"model": ["m"]}, made)
    assert json.loads((tmp_path / "f.json").read_text()) == {
        "command": "table", "environment": {"cpu": "c"}, "settings": {"model": ["m"]},
        "results": [{"command": "a", "model": "m", "rows": [{"x": 1}], "notes": ["note"]},
                    {"command": "b", "rows": [], "notes": []}],
    }  # fmt: skip
