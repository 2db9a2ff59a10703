"""What worker processes cannot be given is refused before one starts: what, where it is, and what to do."""

import ast
import functools
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from helpers import environment_of, run_python

from cynet.data import ArrayDataset, DataLoader
from cynet.data.images.transforms import Pipeline
from cynet.data.workers import portable

DATA = """
import functools, sys
import numpy as np
from cynet.data import ArrayDataset, DataLoader, RandomFlip

dataset = ArrayDataset(np.zeros((8, 1, 4, 4), np.uint8), np.zeros(8, int), ["a"])

def mine(picture, rng):
    return picture

@functools.lru_cache
def cached(picture, rng):
    return picture

class Mine:
    def __call__(self, picture, rng):
        return picture

def load(*transforms, workers=1):
    try:
        with DataLoader(dataset, 4, workers=workers, transforms=transforms) as loader:
            print(len(list(loader)))
    except (TypeError, RuntimeError, ValueError) as error:
        print(type(error).__name__, error)
"""
WANTED = (
    "TypeError transforms[0]: wanted a function that worker processes can import, got {}, which is defined "
)
GUARD = 'start the work under: if __name__ == "__main__": main()'
NO_FILE = "in no file, but on stdin, by python -c, in a notebook or an interactive session"


def piped(text, *arguments, **options):
    """What a Python says that reads its script from stdin: (status, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=text, capture_output=True, text=True, timeout=120, env=environment_of(), **options,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("call, name", [
    ("load(mine)", "mine"), ("load(Mine())", "Mine"), ("load(functools.partial(mine))", "mine"),
    ("load(cached)", "cached"),
    ("load(RandomFlip(), workers='auto')", None), ("load(mine, workers=0)", None),
])  # fmt: skip
@pytest.mark.parametrize("how", ["stdin", "-c", "-i"])
def test_what_is_defined_in_no_file_is_refused_and_the_rest_works(how, call, name):
    code = f"{DATA}\n{call}\n"
    if how == "-c":
        done = run_python("-c", code)
        status, out, err = done.returncode, done.stdout, done.stderr
    else:
        status, out, err = piped(code, *(["-i"] if how == "-i" else []))
    wanted = WANTED.format(name) + NO_FILE if name else "2\n"
    assert status == 0 and out.startswith(wanted), (out, err)
    if name:
        assert out.endswith(": put it into a module that the script imports, or use workers=0\n")
        assert "Traceback" not in err, "no worker was started"


def test_what_was_typed_in_after_a_script_is_told_from_what_is_in_it(tmp_path):
    (tmp_path / "script.py").write_text(DATA)
    typed = "def later(picture, rng): return picture\n\nload(later)\nload(Mine())\nload()\n"
    _, out, err = piped(typed, "-i", "script.py", cwd=tmp_path)
    later, mine, plain = out.splitlines()
    assert later.startswith(WANTED.format("later") + NO_FILE) and plain == "2", err
    place = f"in {tmp_path / 'script.py'}, which is over: an interactive session does not tell workers of it"
    assert mine == f"{WANTED.format('Mine')}{place}: {portable.REMEDY}"


def test_what_a_session_that_keeps_its_script_was_given_later(tmp_path, monkeypatch):
    main = types.ModuleType("__main__")
    main.__file__ = str(tmp_path / "script.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile("def later(picture, rng): return picture", "<stdin>", "exec"), vars(main))
    with pytest.raises(
        TypeError, match=r"got later, which is defined in .*script\.py, which is not there any more"
    ):
        pipeline_of(main.later).check_portable()
    (tmp_path / "script.py").touch()
    with pytest.raises(TypeError, match=r"got later, .* in no file: it was typed in after script\.py ran"):
        pipeline_of(main.later).check_portable()


@pytest.mark.parametrize("main", ["package", "package.zip"])
def test_a_main_module_that_nobody_imports(tmp_path, main):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(f"{DATA}\nif __name__ == '__main__':\n    load(mine)\n")
    if main == "package":
        done = run_python("-m", "package", cwd=tmp_path)
    else:
        subprocess.run([sys.executable, "-m", "zipapp", "package", "-o", main], cwd=tmp_path, check=True)
        done = run_python(main, cwd=tmp_path)
    assert done.returncode == 0 and "__main__.py, which only python -m and the like run" in done.stdout, done


@pytest.mark.parametrize("how", ["-m", "path"])
def test_a_guarded_script_and_one_run_as_a_module_are_imported(tmp_path, how):
    code = f"{DATA}\nif __name__ == '__main__':\n    load(mine)\n    load(Mine())\n"
    (tmp_path / "script.py").write_text(code)
    done = run_python(*(["-m", "script"] if how == "-m" else ["script.py"]), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n2\n", "")


GUARDS = {
    "if '__main__' == __name__:\n    load(mine)": True,
    "if __name__ != '__main__':\n    pass\nelse:\n    load(mine)": True,
    "__name__ == '__main__' and load(mine)": True,
    "load(mine) if __name__ == '__main__' else None": True,
    "if True:\n    if len(sys.argv) < 9 and __name__ == '__main__':\n        load(mine)": True,
    "load(mine)": False,
    "import logging\nlogging.getLogger(__name__)\nload(mine)": False,
    "def main():\n    if __name__ == '__main__':\n        load(mine)\nfor _ in [0]:\n    load(mine)": False,
    "def main():\n    load(Mine())\nmain()\nif __name__ == '__main__':\n    print('done')": False,
}


@pytest.mark.parametrize("code", GUARDS)
def test_a_script_that_workers_would_run_again_is_refused(tmp_path, code):
    (tmp_path / "script.py").write_text(f"{DATA}\n{code}\n")
    done = run_python(tmp_path / "script.py", cwd=tmp_path)
    first, *rest = done.stdout.splitlines()
    if GUARDS[code]:
        assert (first, done.stderr) == ("2", "")
        return
    assert first.startswith("RuntimeError transforms[0]: <")
    assert "script.py, and a worker that imports it would start the same work again" in first
    assert first.endswith(f"put it into a module that the script imports, or use workers=0, or {GUARD}")
    assert rest in ([], ["done"]) and done.stderr == "", "no worker was started"


# -- within this process -------------------------------------------------------------------------------------
def at_the_top(picture, rng):
    return picture


def pipeline_of(function):
    return Pipeline([function], (1, 4, 4))


def test_lambdas_and_inner_functions_are_named():
    def inner(picture, rng):
        return picture

    for function in (inner, lambda picture, rng: picture):
        wanted = r"transforms\[0\]: wanted a function that can be pickled, .*<locals>"
        with pytest.raises(TypeError, match=wanted):
            pipeline_of(function).check_portable()
    pipeline_of(at_the_top).check_portable()


def test_a_module_made_by_hand_is_refused(monkeypatch):
    made = types.ModuleType("made_by_hand")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    exec("def mine(picture, rng):\n    return picture\n", vars(made))
    with pytest.raises(
        TypeError, match=r"mine, which is defined in made_by_hand, a module that is not found"
    ):
        pipeline_of(made.mine).check_portable()


def test_a_module_from_a_folder_that_was_the_current_one_is_found(tmp_path, monkeypatch):
    (tmp_path / "found_here.py").write_text("def mine(picture, rng):\n    return picture\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(portable.process, "ORIGINAL_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    found_here = __import__("found_here")
    monkeypatch.chdir("/")
    pipeline_of(found_here.mine).check_portable()
    del sys.modules["found_here"]


def test_a_text_that_says_main_needs_no_script():
    assert not portable.needs_main(["__main__", at_the_top])


# -- processes that may start no others ----------------------------------------------------------------------
DAEMONIC = """
import multiprocessing, sys
from script import load

def both(_):
    load(workers=2)
    load(workers=0)
    load(workers="auto")

if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(both, [0])
"""


def test_a_daemonic_process_is_told_that_it_may_start_none(tmp_path):
    (tmp_path / "script.py").write_text(DATA)
    (tmp_path / "daemonic.py").write_text(DAEMONIC)
    done = run_python("-u", tmp_path / "daemonic.py", cwd=tmp_path)
    words = "may start no others"
    refused = (
        "ValueError workers: wanted 0 in a daemonic process, as those of multiprocessing.Pool are, which "
    )
    methods = done.stdout.count(refused)
    assert done.returncode == 0 and methods >= 2, done.stderr
    assert done.stdout == f"{refused}{words}, got 2\n2\n2\n" * methods
    assert done.stderr == f"cynet: DataLoader: workers=0 chosen (a daemonic process {words})\n" * methods


def test_a_loader_that_was_made_before_its_process_became_daemonic(monkeypatch):
    dataset = ArrayDataset(np.zeros((8, 1, 4, 4), np.uint8), np.zeros(8, int), ["a"])
    loader = DataLoader(dataset, 4, workers=1)
    monkeypatch.setattr(portable, "daemonic", lambda: True)
    with pytest.raises(ValueError, match="workers: wanted 0 in a daemonic process"):
        next(iter(loader))
    with pytest.raises(ValueError, match="workers: wanted 0 in a daemonic process"):
        DataLoader(dataset, 4, workers=1)
    assert DataLoader(dataset, 4, workers=0, transforms=[lambda p, rng: p]).workers == 0


@pytest.mark.parametrize(("code", "asks"), [
    ('if __name__ == "__main__": main()', True), ('if "__main__" == __name__: main()', True),
    ('if True:\n    while __name__ != "x": main()', True), ('main() if __name__ == "a" else None', True),
    ("if x == 1: main()", False), ("print(__name__)", False), ("x = __name__", False),
    ('def f():\n    return __name__ == "x"', False), ('async def f():\n    return __name__ == "x"', False),
    ('class A:\n    x = __name__ == "x"', False), ('f = lambda: __name__ == "x"', False),
])  # fmt: skip
def test_what_asks_for_its_name(code, asks):
    (statement,) = ast.parse(code).body
    assert portable._asks_for_name(statement) is asks


def test_the_modules_that_workers_need_are_named_in_order_once(tmp_path):
    functions = [(0, os.path.join), (1, json.loads), (2, json.dumps), (3, len)]
    place = f"sys.path as seen from {portable.process.ORIGINAL_DIR}, where this process began"
    wanted = "If that is a ModuleNotFoundError: {} must be found on " + place
    assert portable.advice(functions) == wanted.format(f"json, {os.path.__name__}")
    assert portable.advice([(0, len)]) == portable.advice([]) == wanted.format("what it imports")


def test_a_script_that_is_no_python_counts_as_guarded(tmp_path, monkeypatch):
    (tmp_path / "script").write_text("if so: this is no Python\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "script"), raising=False)
    assert portable._is_guarded()
    (tmp_path / "script.py").write_text("main()\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "script.py"))
    assert not portable._is_guarded()
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert portable._is_guarded()


def test_the_code_of_what_is_wrapped_and_of_a_class_is_that_of_what_they_hold(tmp_path, monkeypatch):
    def plain():
        pass

    class Two:
        first, second, number = plain, (lambda self: None), 5

    assert portable._code_of(plain) == portable._code_of(functools.lru_cache(plain)) == [plain.__code__]
    assert portable._code_of(Two) == [plain.__code__, Two.second.__code__]
    (tmp_path / "script.py").touch()
    script = types.SimpleNamespace(__file__=str(tmp_path / "script.py"), __spec__=None)
    monkeypatch.setitem(sys.modules, "__main__", script)
    assert portable._lost_main(Two) is None
    Two.second.__code__ = Two.second.__code__.replace(co_filename="<stdin>-1")  # one of both was typed in
    assert portable._lost_main(Two) == "in no file: it was typed in after script.py ran"
    script.__file__ = str(tmp_path / "gone.py")
    assert portable._lost_main(Two) == f"in {tmp_path / 'gone.py'}, which is not there any more"


def test_a_script_is_looked_for_where_its_process_began(tmp_path, monkeypatch):
    """Its place may be told from there, and workers begin there, wherever the process is now."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "script.py").touch()
    script = types.SimpleNamespace(__file__="script.py", __spec__=None)
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(portable.process, "ORIGINAL_DIR", str(tmp_path))
    assert portable._lost_main(at_the_top) is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(portable.process, "ORIGINAL_DIR", str(tmp_path / "elsewhere"))
    assert portable._lost_main(at_the_top) == "in script.py, which is not there any more"
    monkeypatch.setattr(portable.process, "ORIGINAL_DIR", None)
    assert portable._lost_main(at_the_top) is None


def of_main(sample):
    return sample


@pytest.mark.parametrize(("script", "told"), [
    ("import cynet\n\nif __name__ == '__main__':\n    print()\n", "must be found on"),
    ("import cynet\nprint()\n", "If your script starts training when it is imported"),
    ("def run():\n    if __name__ == '__main__':\n        run()\nrun()\n", "If your script starts"),
    ("x = 1\ny = x if __name__ == '__main__' else 2\nz = 3\n", "must be found on"),
])  # fmt: skip
def test_a_script_is_told_to_guard_where_it_does_not(tmp_path, monkeypatch, script, told):
    path = tmp_path / "script.py"
    path.write_text(script)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(path), raising=False)
    monkeypatch.setattr(of_main, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "of_main", of_main, raising=False)
    assert told in portable.advice([(0, of_main)])
