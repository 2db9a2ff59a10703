"""The child in which a student's code runs: what is said through its pipe, where it runs, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import environment_of, gone, wait_until
from test_exercises import SOLUTIONS

from cynet.lab import checking, folder, process, telling, trials
from cynet.lab.child import Pipe
from cynet.lab.process import Child, Ending

SGD = (SOLUTIONS / "sgd.py").read_text()


@pytest.fixture
def piped():
    """(a child's end of a pipe, a `Child` that listens to its other end, whose process is this one)."""
    reader, writer = os.pipe()
    child = Child({})
    child._reader, child.process = (
        reader,
        SimpleNamespace(pid=os.getpid(), wait=lambda seconds: -signal.SIGABRT),
    )
    pipe = Pipe(writer)
    yield pipe, child
    pipe._file.close()
    os.close(reader)


def test_a_message_comes_as_it_was_sent_with_its_arrays(piped):
    pipe, child = piped
    given = [np.arange(6, dtype=np.float32).reshape(2, 3).T, np.array([1, -2], np.int64), np.array(2.5),
             np.empty((0, 3), np.float32), np.array([np.nan, -np.inf])]  # fmt: skip
    pipe.send("result", given, name="é", printed=(1, 2))
    pipe.send("done")
    message = child.next(5)
    assert (message["what"], message["name"], message["printed"]) == ("result", "é", [1, 2])
    for one, other in zip(message["arrays"], given, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_array_equal(one, other)
    assert child.next(5) == {"what": "done", "arrays": []}
    with pytest.raises(Ending, match=r"^did not end within 0.05 s: an endless loop, or far too slow$"):
        child.next(0.05)
    readings = []
    child.clock = lambda: readings.append(1) or 100.0 * len(readings)
    with pytest.raises(Ending, match=r"^did not end within 50 s"):
        child.next(50, since=0)
    assert len(readings) == 1, "from then on, not from now on"
    pipe._file.close()
    with pytest.raises(Ending, match=r"^crashed \(SIGABRT\)$"):
        child.next(5)


def header(**message):
    text = json.dumps(message).encode()
    return len(text).to_bytes(8) + text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ((2**20 + 1).to_bytes(8), "wrote into the lab's own pipe"), (b"\n" * 8, "wrote into the lab's own"),
        ((2).to_bytes(8) + b"[]", "wrote into the lab's own pipe"),
        ((2).to_bytes(8) + b"{]", "wrote into the lab's own pipe"),
        (header(arrays=[{"shape": [1]}]), "wrote into the lab's own pipe"),
        (header(arrays=[{"dtype": "<f4", "shape": ["a"]}]), "wrote into the lab's own pipe"),
        (header(arrays=[{"dtype": "<f4", "shape": [2**26 + 1]}]), "gave an array of 268,435,460 bytes"),
        (header(arrays=[{"dtype": "<f4", "shape": [2**40, 2**40]}]), "more than was asked for"),
        (header(arrays=[{"dtype": "<f4", "shape": [-1]}]), "gave an array of -4 bytes"),
        (header(arrays=[{"dtype": "|O", "shape": [1]}]), "gave an array of 8 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_message_ends_at_once(piped, sent, text):
    pipe, child = piped
    pipe._file.write(sent)
    pipe._file.flush()
    with pytest.raises(Ending) as error:
        child.next(5)
    assert text in str(error.value)


def test_a_long_message_is_none_too_long(piped):
    pipe, child = piped
    text = "x" * (2**15)
    pipe.send("failed", text=text)
    assert child.next(5)["text"] == text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (-signal.SIGSEGV, "crashed (segmentation fault): an index or a pointer beyond its array"),
        (-signal.SIGXCPU, "took all the processor time that it may"),
        (-signal.SIGKILL, "was killed by the system, possibly out of memory"),
        (-signal.SIGFPE, "crashed (SIGFPE)"), (3, "ended the process (exit status 3)"),
        (0, "ended the process (exit status 0)"),
    ],
)  # fmt: skip
def test_an_end_is_told_in_words(status, text):
    child = Child({})
    child.process = SimpleNamespace(wait=lambda seconds: status)
    assert child._how_it_ended() == text

    def wait(seconds):
        raise subprocess.TimeoutExpired("python", seconds)

    child.process = SimpleNamespace(wait=wait)
    assert child._how_it_ended() == "closed the lab's pipe"


SHOWS = """
import json, os, sys
import colorsys
print(json.dumps({
    "threads": os.environ.get("OMP_NUM_THREADS"), "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
    "mkl": os.environ.get("MKL_NUM_THREADS"), "path": os.environ["PYTHONPATH"], "mine": colorsys.MINE,
    "cwd": os.getcwd(), "bytecode": sys.dont_write_bytecode, "kept": os.environ.get("KEPT"),
    "session": os.getsid(0) == os.getpid(), "file": __file__, "name": __name__,
}))
"""


@pytest.mark.parametrize("offline", [False, True])
def test_where_a_students_code_runs(started, monkeypatch, offline):
    """A module beside the file goes before one of Python's."""
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    for name in (*process.SINGLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    work = started("sgd", SHOWS + SGD)
    work.tests.unlink()
    (work.folder / "colorsys.py").write_text("MINE = True\n")
    verdict = checking.check(work, offline)
    assert verdict.right, verdict.problem
    found = json.loads(verdict.printed)
    root = os.path.dirname(os.path.dirname(process.cynet.__file__))
    assert found == {
        "threads": "4", "blas": "1" if offline else None, "mkl": "1" if offline else None,
        "path": f"{root}{os.pathsep}/elsewhere", "mine": True, "cwd": str(work.folder), "bytecode": True,
        "kept": "yes", "session": True, "file": str(work.file), "name": "sgd",
    }  # fmt: skip
    assert sorted(path.name for path in work.folder.iterdir()) == [
        "colorsys.py", "exercise.md", "exercise.svg", "lab.toml", "sgd.py",
    ]  # fmt: skip


LOOPS = """


def relu_gradient(x, d):
    while True:
        pass


def leaky_relu(x):
    print("x" * 3000 + "end", flush=True)
    while True:
        pass
"""


def test_what_comes_after_an_endless_loop_is_waited_for_less(started, monkeypatch):
    monkeypatch.setattr(checking, "PATIENCE", 0.8)
    monkeypatch.setattr(checking, "IMPATIENCE", 0.4)
    work = started("activations", (SOLUTIONS / "activations.py").read_text() + LOOPS)
    work.tests.unlink()
    verdict = checking.check(work)
    found = {each.name: (each.state, each.lines) for each in verdict.findings}
    assert found == {
        **dict.fromkeys(("logistic", "logistic_gradient", "relu", "leaky_relu_gradient"), (trials.RIGHT, [])),
        "relu_gradient": (
            trials.FAILED, ["it did not end within 0.8 s: an endless loop, or far too slow, for n 1"]
        ),
        "leaky_relu": (
            trials.FAILED, ["it did not end within 0.4 s: an endless loop, or far too slow, for n 1"]
        ),
    }  # fmt: skip
    assert verdict.printed == "x" * 1996 + "end"  # of 2000 bytes, of which one is the line's end
    assert verdict.problem is None and 1.2 < verdict.seconds < 1000


TESTS = """
import sgd


def helper():
    raise RuntimeError


def test_one():
    print("one")


def test_two():
    value = sgd.EPSILON


def test_three():
    assert False, "first\\n\\n" + "\\n".join(f"row   {n}" for n in range(20))


test_four = 4


def test_again():
    pass


def test_five():
    import os
    os._exit(3)


def test_six():
    pass
"""


def test_ones_own_tests_are_run_one_by_one_until_one_ends_the_program(started):
    work = started("sgd", SGD)
    work.tests.write_text(TESTS)
    verdict = checking.Verdict(work, [])
    checking._own_tests(work, checking.prepared(work), verdict, False)
    rows = "\n".join(["first", *(f"row {n}" for n in range(7))])
    assert verdict.tests == [
        ("test_one", None),
        ("test_two", "line 14: raises AttributeError: module 'sgd' has no attribute 'EPSILON'"),
        ("test_three", f"line 18: raises AssertionError: {rows}"),
        ("test_again", None),
        ("test_five", "it ended the process (exit status 3)"),
    ]
    assert verdict.printed == "one"


def own_tests(work):
    verdict = checking.Verdict(work, [])
    checking._own_tests(work, checking.prepared(work), verdict, False)
    return verdict.tests


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import sgd\n1 / 0\n", "line 2: raises ZeroDivisionError: division by zero"),
        ("def test_(:\n", "line 1: raises SyntaxError: invalid syntax"),
        ("raise SystemExit\n", "line 1: ends the program (sys.exit): a function returns instead"),
        ("import os\nos._exit(4)\n", "it ended the process (exit status 4)"),
        (
            "import os, sys\nos.write(int(sys.argv[1]), (2).to_bytes(8) + b'{}')\n",
            "it wrote into the lab's own",
        ),
    ],
)
def test_a_file_of_tests_that_cannot_be_run_is_told_by_its_name(started, source, text):
    work = started("sgd", SGD)
    work.tests.write_text(source)
    ((name, problem),) = own_tests(work)
    assert name == "my_tests.py" and problem.startswith(text), problem


def test_tests_of_a_file_that_is_not_loaded_once_more_are_none(started):
    assert own_tests(started("sgd", "1 / 0\n")) == []


def test_a_test_that_does_not_end_is_given_up(started, monkeypatch):
    monkeypatch.setattr(checking, "OWN", 0.3)
    work = started("sgd", SGD)
    work.tests.write_text("def test_a():\n    pass\ndef test_b():\n    while True:\n        pass\n")
    assert own_tests(work) == [
        ("test_a", None), ("test_b", "it did not end within 0.3 s: an endless loop, or far too slow"),
    ]  # fmt: skip


def test_tests_are_not_run_where_nothing_could_be_tried(started):
    work = started("sgd", "import os\nos._exit(5)\n")
    verdict = checking.check(work)
    assert verdict.problem == "sgd.py, while it is loaded, ended the process (exit status 5)"
    assert verdict.tests == [] and {each.state for each in verdict.findings} == {trials.EMPTY}


def test_a_child_that_ends_before_a_function_is_called_is_no_endless_check(started, monkeypatch):
    work = started("sgd", SGD)
    monkeypatch.setattr(checking, "_listened", lambda child, exercise, left, patience, verdict: patience)
    assert checking.check(work).problem == "sgd.py ended before a function was called"


def test_a_function_that_calls_one_that_is_not_written_or_wrong_is_told_to_wait(started):
    source = "def velocity(w):\n    return step(w)\n\n\ndef step(w):\n    return velocity(w)\n"
    work = started("sgd", source)

    def blamed(one, other):
        findings = [
            trials.HoleFinding("velocity", one, hint="a"),
            trials.HoleFinding("step", other, hint="b"),
        ]
        checking._blame(work, findings)
        return [each.hint for each in findings]

    assert blamed(trials.EMPTY, trials.WRONG) == [
        "velocity calls your step, which is wrong below: mend that first",
        "step calls your velocity, which is not written yet above: write that first",
    ]
    assert blamed(trials.RIGHT, trials.FAILED) == ["a", "b"]
    assert blamed(trials.WRONG, trials.RIGHT) == ["a", "b"]


PARENT = """
import sys
from cynet.lab import checking, folder
checking.PATIENCE = 1000.0
checking.check(folder.open_folder(sys.argv[1]))
"""
ENDLESS = """
import os


def velocity(w, dw, v, momentum, decay):
    with open("pid.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.part", "pid")
    while True:
        pass
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux ends a child with its parent")
def test_a_students_code_does_not_outlive_the_lab(started):
    work = started("sgd", ENDLESS)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, work.folder], env=environment_of())
    try:
        wait_until((work.folder / "pid").exists, 60)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: gone(int((work.folder / "pid").read_text())), 10)


# -- what was raised ----------------------------------------------------------------------------------------
def raised(source, file="work.py", shown="/a/work.py", rows=1):
    try:
        exec(compile(textwrap.dedent(source), file, "exec"), {})
    except BaseException as error:
        return telling.told(error, shown, rows)


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("def f():\n    1 / 0\n\nf()", 2, "raises ZeroDivisionError: division by zero"),
        ("raise ValueError", 1, "raises ValueError"),
        ("import json\njson.loads(1)", 2, "raises TypeError: the JSON"),
        ("raise ValueError('a\\n   b ' + 'c' * 400)", 1, f"raises ValueError: a b {'c' * 296}"),
        ("raise MemoryError", 1, "asks for more memory than the lab allows"),
        ("def f():\n    f()\nf()", 2, "calls itself without an end (RecursionError)"),
        ("\nraise KeyboardInterrupt", 2, "raises KeyboardInterrupt"),
        ("raise IndexError('Out of bounds on buffer access (axis 0)')", 1,
         "reads or writes beyond an array (Out of bounds on buffer access (axis 0))"),
        ("raise ValueError('assignment destination is read-only')", 1,
         "writes into an array that it was given (assignment destination is read-only): make a copy"),
        ("class Odd(Exception):\n    def __str__(self):\n        raise KeyError\nraise Odd", 4, "raises Odd"),
        ("x = 1\nx = (\n", 2, "raises SyntaxError: '(' was never closed"),
    ],
)  # fmt: skip
def test_what_was_raised_is_told_with_its_line(source, line, text):
    told = raised(source)
    assert told["line"] == line and told["text"].startswith(text), told
    assert "c" * 297 not in told["text"]


def test_a_line_of_another_file_is_none_of_the_students():
    assert raised("1 / 0", "other.py") == {
        "line": None, "kind": "ZeroDivisionError", "text": "raises ZeroDivisionError: division by zero",
    }  # fmt: skip
    assert raised("assert False, 'a\\n\\n b  c\\nd'", rows=2)["text"] == "raises AssertionError: a\nb c"
    assert raised("assert False, 'a\\n\\n b  c\\nd'")["text"] == "raises AssertionError: a b c d"
    assert raised("raise ValueError('a\\nb')", rows=2)["text"] == "raises ValueError: a b"


def test_a_folder_of_the_lab_is_checked_by_a_file_in_it(started, capsys):
    from cynet import cli

    work = started("sgd", SGD)
    assert cli.main(["lab", "check", str(work.file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        f"sgd, python: {work.file}\n\n  velocity  right, 8 shapes; the largest error is under 1 %"
    )
    assert "Your own tests (my_tests.py): 1 of 1 pass.\n" in out
    work.file.write_text(SGD.replace("w - rate", "w + rate"))
    assert cli.main(["lab", "check", str(folder.open_folder(work.folder).folder)]) == 1
    assert "  step      WRONG\n" in capsys.readouterr().out
