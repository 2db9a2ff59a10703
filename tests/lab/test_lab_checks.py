"""A check of a folder, in children: whatever a student's code does ends in a sentence, and nothing is left
running."""

import csv
import os
import re
import shutil
import socket
import time
from types import SimpleNamespace

import pytest
from helpers import gone, wait_until
from test_exercises import NAMES, SOLUTIONS, module_of, tried

from cynet import cli
from cynet.lab import checking, child, folder, grading, process, saying, trials

BAD = """
import ctypes
import os
import subprocess
import sys

import numpy as np


def logistic(x):
    with open("pids", "a") as file:
        file.write(f"{os.getpid()} {subprocess.Popen(['sleep', '1000']).pid}\\n")
    while True:
        pass


def logistic_gradient(y, d):
    return ctypes.string_at(0)


def relu(x):
    sys.exit(3)


def relu_gradient(x, d):
    return np.zeros(100 * 2**30, np.uint8)


def leaky_relu(x):
    os._exit(7)


def leaky_relu_gradient(x, d):
    print("here I am")
    return d[len(d) + 1]
"""


def test_what_is_started_is_not_written_yet_and_its_test_passes_once_it_is(started):
    work = started("batchnorm")
    assert sorted(path.name for path in work.folder.iterdir()) == [
        "batchnorm.py", "exercise.md", "exercise.svg", "lab.toml", "my_tests.py"
    ]  # fmt: skip
    verdict = checking.check(work)
    assert {each.state for each in verdict.findings} == {trials.EMPTY} and not verdict.right
    assert [problem is None for _, problem in verdict.tests] == [False]
    work.file.write_text((SOLUTIONS / "batchnorm.py").read_text())
    verdict = checking.check(work)
    assert verdict.right and [problem for _, problem in verdict.tests] == [None]
    text = saying.said(verdict)
    assert "5 of 5 functions are right" in text and "no jail" not in text and "1 of 1 pass" in text


def test_whatever_a_function_does_ends_in_a_sentence_and_nothing_is_left(started, monkeypatch):
    monkeypatch.setattr(checking, "PATIENCE", 1.0)
    work = started("activations", BAD)
    work.tests.unlink()
    verdict = checking.check(work)
    told = {each.name: " ".join(each.lines) for each in verdict.findings}
    assert {each.state for each in verdict.findings} == {trials.FAILED}
    assert "did not end within 1 s: an endless loop, or far too slow, for n 1" in told["logistic"]
    assert "crashed (segmentation fault)" in told["logistic_gradient"]
    assert "sys.exit" in told["relu"] and re.search(r"line \d+", told["relu"])
    assert "asks for more memory than the lab allows" in told["relu_gradient"]
    assert "ended the process (exit status 7)" in told["leaky_relu"]
    assert "raises IndexError" in told["leaky_relu_gradient"] and verdict.printed == "here I am"
    pids = [int(pid) for pid in (work.folder / "pids").read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: all(map(gone, pids)), 10)
    assert all(len(line) <= 100 for line in saying.said(verdict).splitlines()[2:])


WAITS = """
import time
begun = time.process_time()
while time.process_time() - begun < 0.3:
    pass
"""


def test_time_in_line_for_a_processor_is_not_the_students(started, monkeypatch):
    monkeypatch.setattr(checking, "LOADING", 0.1)
    work = started("sgd", WAITS + (SOLUTIONS / "sgd.py").read_text())
    work.tests.unlink()
    assert "did not end within 0.1 s" in checking.check(work).problem
    monkeypatch.setattr(process.Child, "_queued", lambda _: time.monotonic())  # it never has a processor
    assert checking.check(work).right


WRONG = {
    "return None": "returns None: wanted y, an array of shape (1,) (n) (is the return missing?), for n 1",
    "return list(x)": "returns a list of 1: wanted y, an array of shape (1,) (n)",
    "return x[None]": "returns an array of shape (1, 1): wanted y, an array of shape (1,) (n), as many "
    "numbers",
    "return x.astype(str)": "returns an array of <U",
    "x *= 2": "writes into an array that it was given",
    "return relu(x)": "calls itself without an end",
    "return y": "raises NameError: name 'y' is not defined",
}


@pytest.mark.parametrize(("body", "text"), WRONG.items())
def test_what_is_no_result_is_told(body, text):
    """Without a child, which would do the same."""
    module = module_of(f"def relu(x):\n    {body}\n")
    finding = tried("activations", module, "python", ["relu"])["relu"]
    assert finding.state == trials.FAILED and text in finding.lines[0], finding.lines


def test_a_function_that_is_not_there_is_told():
    finding = tried("activations", module_of(""), "python", ["relu"])["relu"]
    assert finding.lines == ["there is no function relu in activations.py"]


@pytest.mark.parametrize(
    "more", ["len(kept)", "(len(kept) % 2 == 0)"]
)  # the latter is right in every first call
def test_what_is_kept_from_call_to_call_is_told(more):
    source = f"kept = []\ndef relu(x):\n    kept.append(1)\n    return x * (x > 0) + {more}\n"
    finding = tried("activations", module_of(source), "python", ["relu"])["relu"]
    assert (finding.state, finding.key, finding.shapes) == (trials.WRONG, "kept", 0)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def relu(x)\n    return x\n", "activations.py, line 1: raises SyntaxError: expected ':'"),
        ("import sys\nsys.exit()\n", "activations.py, line 2: ends the program (sys.exit)"),
        ("x = 1\nfrom cynet.kernels.pointwise import activation\n", "activations.py, line 2: imports cynet"),
        ("import os, cynet.uwnet as u\n", "activations.py, line 1: imports cynet"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told(started, source, text):
    work = started("activations", source)
    verdict = checking.check(work)
    assert verdict.problem.startswith(text) and not verdict.right
    assert "Nothing could be tried" in saying.said(verdict)


def test_cynet_in_a_file_beside_it_is_found_and_tests_may_use_it(started):
    work = started("activations", "from helper import relu\n")
    (work.folder / "helper.py").write_text("import numpy\n")
    work.tests.write_text("import cynet\n")
    assert folder.foreign(work) is None
    (work.folder / "helper.py").write_text("def relu(x):\n    import cynet.kernels\n")
    assert folder.foreign(work) == "helper.py, line 2"


def test_cython_that_imports_cynet_is_found():
    for line in (
        "import cynet",
        "from cynet.kernels cimport x",
        "cimport numpy, cynet",
        "  cimport cynet.core",
    ):
        for before in ("a = 1\n", "\n\n", "a = 1\n\n  \n", "# import cynet\n"):
            source = f"{before}{line}\n"
            assert folder._foreign_line(source, False) == source.count("\n"), source
    assert folder._foreign_line("# import cynet\nimport cynetic\nfrom own_cynet import x\n", False) is None


def test_a_child_bounds_memory_time_and_files_and_keeps_no_core(monkeypatch):
    resource = pytest.importorskip("resource")
    hard, found = {resource.RLIMIT_FSIZE: 100}, {}
    monkeypatch.setattr(child.ctypes, "CDLL", lambda name: SimpleNamespace(prctl=lambda *_: 0))
    monkeypatch.setattr(child, "_address_space", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, hard.get(kind, resource.RLIM_INFINITY)))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, bounds: found.update({kind: bounds}))
    child.limit(memory=5000, seconds=7, file_bytes=300)
    bounds = {"CORE": 0, "CPU": 7, "FSIZE": 100, "AS": 6000}  # a bound that was there is not raised
    assert found == {getattr(resource, f"RLIMIT_{name}"): (most, most) for name, most in bounds.items()}


# -- the commands  -------------------------------------------------
def said(capsys, *words):
    status = cli.main(["lab", *map(str, words)])
    return status, *capsys.readouterr()


def test_the_list_has_every_exercise(capsys):
    status, out, _ = said(capsys, "list")
    assert status == 0 and all(name in out for name in NAMES)


def test_a_check_ends_with_what_it_found(capsys, started, monkeypatch):
    work = started("sgd")
    for states, problem, status in (
        ([trials.RIGHT] * 2, None, 0), ([trials.RIGHT, trials.WRONG], None, 1), ([trials.EMPTY] * 2, None, 1),
        ([trials.RIGHT] * 2, "sgd.py cannot be compiled", 1),
    ):  # fmt: skip
        pairs = zip(work.exercise.holes, states, strict=True)
        verdict = checking.Verdict(
            work, [trials.HoleFinding(hole.name, state) for hole, state in pairs], problem
        )
        monkeypatch.setattr(checking, "check", lambda work, found=verdict: found)
        assert said(capsys, "check", work.folder)[0] == status, states


def test_a_folder_in_use_a_file_and_no_folder_of_the_lab_are_refused(capsys, tmp_path):
    (tmp_path / "a").write_text("")
    for words, text in (
        (("start", "batchnorm", tmp_path), "DIR: wanted a new or an empty folder"),
        (("start", "batchnorm", tmp_path / "a"), "DIR: wanted a new folder"),
        (("start", "batchnrm", tmp_path / "b"), "EXERCISE: wanted one of"),
        (("check", tmp_path), "DIR: wanted a folder of the lab"),
        (("check", tmp_path / "none"), "DIR: wanted a folder of the lab"),
    ):
        status, out, err = said(capsys, *words)
        assert (status, out) == (2, "") and text in err and err.count("\n") == 1, err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ("exercise = 1", "exercise: wanted one of"),
        ('exercise = "none"', "exercise: wanted one of"),
        ('exercise = "sgd"\nlanguage = "c"', "language: wanted one of python, cython, got 'c'"),
        ("exercise", "wanted a TOML file"),
        ("\udcff", "wanted a TOML file"),
    ],
)
def test_facts_that_are_none_are_refused(tmp_path, facts, text):
    (tmp_path / "lab.toml").write_bytes(facts.encode(errors="surrogateescape"))
    with pytest.raises(folder.FolderError, match=re.escape(text)):
        folder.open_folder(tmp_path)


def test_many_folders_are_graded(capsys, tmp_path, started):
    good = started("sgd", (SOLUTIONS / "sgd.py").read_text())
    good.tests.unlink()
    wrong = (SOLUTIONS / "activations.py").read_text().replace("np.maximum(x, 0)", "np.abs(x)")
    bad = started("activations", wrong)
    bad.tests.unlink()
    before = sorted(os.listdir(good.folder))
    table = tmp_path / "grades.csv"
    status, out, _ = said(capsys, "grade", good.folder, bad.folder, tmp_path / "none", "--csv", table)
    assert status == 0 and "2 of 2" in out and "5 of 6" in out and "no jail" in out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["right"] for row in rows] == ["2", "5", "0"] and tuple(rows[0]) == grading.COLUMNS
    assert (
        rows[1]["problem"] == "relu: wrong (absolute)" and "wanted a folder of the lab" in rows[2]["problem"]
    )
    assert sorted(os.listdir(good.folder)) == before
    status, _, err = said(capsys, "grade", good.folder, "--csv", tmp_path / "none" / "x.csv")
    assert status == 2 and "--csv: wanted a file in a folder that exists" in err


def test_functions_count_only_where_the_whole_file_could_be_checked(started):
    work = started("sgd")
    findings = [trials.HoleFinding(hole.name, trials.RIGHT) for hole in work.exercise.holes]
    verdict = checking.Verdict(work, findings, tests=[("test_a", None), ("test_b", "it is wrong")])
    assert verdict.right and grading.Grade("a", verdict).row()[3:7] == (2, 2, 1, 2)
    verdict.problem = "sgd.py wrote into the lab's own pipe\nand more"
    row = dict(zip(grading.COLUMNS, grading.Grade("a", verdict).row(), strict=True))
    assert (
        not verdict.right and row["right"] == 0 and row["problem"] == "sgd.py wrote into the lab's own pipe"
    )
    assert grading.Grade("a", None, "none").row() == ("a", "", "", 0, 0, 0, 0, "", "", "none")


DIALS = """
import socket
import time
try:
    socket.create_connection(("127.0.0.1", PORT), 5).close()
    print("it is there")
except OSError:
    print("nobody is there")
"""


def test_a_graded_child_has_no_network_where_the_kernel_allows_that(started):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        work = started("sgd", DIALS.replace("PORT", str(port)) + (SOLUTIONS / "sgd.py").read_text())
        work.tests.unlink()
        assert checking.check(work).printed == "it is there"
        verdict = checking.check(work, offline=True)
    assert verdict.right and verdict.printed == ("nobody is there" if verdict.offline else "it is there")


def test_what_writes_into_the_labs_pipe_is_told(started):
    source = "import os, sys\nos.write(int(sys.argv[1]), PREFIX)\n" + (SOLUTIONS / "sgd.py").read_text()
    header = b'{"what": "hole", "name": "none"}'
    for prefix in ((5).to_bytes(8) + b"{}{}}", len(header).to_bytes(8) + header):
        verdict = checking.check(started("sgd", source.replace("PREFIX", repr(prefix))))
        assert "sgd.py" in verdict.problem and not verdict.right
        shutil.rmtree(verdict.work.folder)
