"""Settings of all tests: the same drawn examples in every run, and no limit on the time of one."""

import functools
import gc
import json
import os
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

from cynet.core.processors import processors

settings.register_profile("cynet", deadline=None, derandomize=True)
settings.load_profile("cynet")

# Threads of the kernels that wait for others sleep at once, here and in processes that tests start: tests run
# in as many processes as there are processors, and what one of them spins away lacks another. It is read
# when the first kernel is loaded. That a user's threads spin a little: tests/test_build.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Rooms whose nets are so small that more threads only wait for each other, busily; tests of threads there set
# how many themselves, and tests/kernels keeps all.
OF_ONE_THREAD = ("nn", "models", "train")
# They look at the source tree, which is not there where an installed cynet is tested.
OF_SOURCE = (
    "test_class_names.py", "test_documents.py", "test_floors.py", "test_kernel_texts.py", "test_trunk.py",
)  # fmt: skip
# Files that take tens of seconds, some by few tests: processes that share the tests begin with them.
LONG = (
    "test_documents.py", "test_onnx_of_torch.py", "test_tutorial.py", "test_build.py", "test_every_model.py",
    "test_attributes.py", "test_damaged_tables.py", "test_train_command.py", "test_saved.py",
    "test_hostile_folder.py", "test_torch_peer.py", "test_kill_and_resume.py", "test_kills_at_writes.py",
    "test_uwnet_attributes.py", "test_data_document.py", "test_odd_pages.py", "test_mpi.py",
    "test_lab_cython.py", "test_damaged_run_tables.py", "test_terminals.py", "test_scripts.py",
    "test_records.py",
)  # fmt: skip
WITH_SOURCE = (Path(__file__).parent.parent / "cynet").is_dir()


def pytest_addoption(parser):
    parser.addoption(
        "--no-skips", action="store_true", help="a skipped test fails: everything it needs is to be there"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Whole folders are tested by a process for each of up to four processors, where pytest-xdist is there.

    Files by themselves are not, nor where `-n` says how many. A file's tests stay in one process.
    """
    option = config.option
    if getattr(option, "numprocesses", 0) is not None or hasattr(config, "workerinput") or option.usepdb:
        return
    if all(os.path.isdir(each) for each in config.args):
        option.numprocesses, option.dist = min(4, processors()), "loadfile"
        option.loadscopereorder = False  # in the order of `pytest_collection_modifyitems`
        option.maxworkerrestart = "0"  # one that dies is an error now, where a new one would wait for ever


def pytest_configure():
    """Of what is made while tests are collected nothing is garbage: looking for it doubles the time."""
    gc.disable()


def pytest_collection_finish():
    gc.enable()
    gc.collect()
    gc.freeze()  # nor later


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and item.config.getoption("no_skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr[-1]}"
    return report


@pytest.fixture(scope="session")
def settled_torch():
    """PyTorch after each of its element-wise functions was called once, by one thread.

    Where several threads make the first call of one at once, one of them may get some 12 bits only (its MKL
    settles then which of its routines to use; pytorch/pytorch, issue 188792).
    """
    torch = pytest.importorskip("torch")
    for name in ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "erf"):
        getattr(torch, name)(torch.ones(1))
    torch.set_num_threads(1)  # for arrays as small as the tests' others only wait, and they wait busily


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # the last files are short ones, so that the processes end together
        sizes = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path.name not in LONG, -sizes[item.path]))
    for item in items:
        if item.path.parent.name in OF_ONE_THREAD and "one_thread" not in item.fixturenames:
            item.fixturenames.insert(0, "one_thread")
        if item.path.name in OF_SOURCE and not WITH_SOURCE:
            item.add_marker(pytest.mark.skip(reason="it looks at the source tree, which is not here"))
        if item.get_closest_marker("torch") and "settled_torch" not in item.fixturenames:
            item.fixturenames.insert(0, "settled_torch")


@pytest.fixture(scope="session", autouse=True)
def made_once(tmp_path_factory):
    """What processes that tests start have in common: pictures that were drawn, and bytecode.

    That of what they import, where this process is told to keep none. Both lie with the other files of the
    tests, not in the tree, and are those of all processes that share the tests.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    (place / "drawn").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TESTS_DRAWN", str(place / "drawn"))
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(place / "bytecode"))
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_once():
    """shapes10, which takes seconds to draw, is drawn once; read-only, so that no test changes another's."""
    from cynet.data.sets import shapes10

    draw, kept = shapes10.Shapes10.__init__, {}

    @functools.wraps(draw)
    def once(self, root=None, split="train"):
        key = repr((split, shapes10.COUNTS))
        if key not in kept:
            draw(self, root, split)
            self.images.flags.writeable = self.labels.flags.writeable = False
            kept[key] = dict(vars(self))
        vars(self).update(kept[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes10.Shapes10, "__init__", once)
        yield


@pytest.fixture(autouse=True)
def same_threads():
    """Leaves the number of threads as it was before the test."""
    from cynet.core import threads

    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


@pytest.fixture
def threads_for_small_shapes(monkeypatch):
    """Kernels use every thread for shapes that one thread would do alone, too."""
    from cynet.core import threads
    from cynet.nn import stepping

    for module in (threads, stepping):
        monkeypatch.setattr(module, "ALONE", 0)


@pytest.fixture
def dirty_memory(monkeypatch):
    """New arrays of the workspace hold NaN (bytes: 255): what is read before it is written shows."""
    import numpy as np

    from cynet.core import workspace

    clean = workspace.empty

    def dirty(shape, dtype=np.float32):
        array = clean(shape, dtype)
        array.fill(255 if dtype is np.uint8 else np.nan)
        return array

    monkeypatch.setattr(workspace, "empty", dirty)


@pytest.fixture
def fenced_memory(monkeypatch):
    """Around new arrays of the workspace stands what nobody may write over, as is looked at in the end."""
    import numpy as np

    from cynet.core import workspace

    fence, made = np.full(512, 0xA5, np.uint8), []

    def fenced(shape, dtype=np.float32):
        array = np.empty(shape, dtype)
        made.append(np.concatenate([fence, np.full(array.nbytes, 0xA5, np.uint8), fence]))
        return made[-1][len(fence) : len(fence) + array.nbytes].view(dtype).reshape(shape)

    monkeypatch.setattr(workspace, "empty", fenced)
    yield
    assert all((raw[:512] == 0xA5).all() and (raw[-512:] == 0xA5).all() for raw in made)


@pytest.fixture(scope="module")
def one_thread():
    """Kernels with one thread, for tests that start many small trainings."""
    from cynet.core import threads

    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield
    threads.set_num_threads(before)


# -- runs that several files of tests look at; none of them changes one --------------------------------------
@pytest.fixture(scope="session")
def uneven_runs(tmp_path_factory):
    """A folder with the runs of `uneven.RUNS`, "one" with its page; and what training "one" printed."""
    import contextlib
    import io

    import uneven

    from cynet import cli

    place = tmp_path_factory.mktemp("uneven")
    uneven.train(place, "other", "--no-report")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        uneven.train(place, "one", "--no-report")
    assert cli.main(["report", str(place / "one"), "--threads", "1"]) == 0
    return SimpleNamespace(place=place, one=place / "one", other=place / "other", said=out.getvalue())


@pytest.fixture(scope="session")
def truth(uneven_runs):
    import uneven

    return uneven.Truth(uneven_runs.one)


@pytest.fixture(scope="session")
def other_truth(uneven_runs):
    import uneven

    return uneven.Truth(uneven_runs.other)


@pytest.fixture(scope="session")
def document(uneven_runs):
    """The document within the page of run one."""
    from dom import parsed

    text = (uneven_runs.one / "report.html").read_text()
    return json.loads(parsed(text).one("script", id="data").text)
