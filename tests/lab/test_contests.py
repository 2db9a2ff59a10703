"""What is timed: each contestant does the same work, and what is said of times is so."""

import importlib.util
import json

import numpy as np
import pytest
from test_exercises import NAMES, SOLUTIONS, Messages, module_of, solution

from cynet import cli
from cynet.lab import checking, folder, handing, racing, roofline, timing, trials
from cynet.lab.contest import CYNET, NUMPY, OTHERS, TEXTBOOK, TORCH, YOURS, contest
from cynet.lab.registry import find
from cynet.lab.roofline import Times

# What NumPy gives of each contest: its value that is compared.
GIVEN = {
    "im2col": ("col", "image"), "convolution": ("y", "dw"), "maxpool": ("y", "dx"), "batchnorm": ("v", "dx"),
    "softmax-loss": ("loss",), "sgd": ("new_v",), "gru": ("hs",), "activations": ("y", "dx"),
}  # fmt: skip


def test_every_exercise_is_timed():
    assert contest.names() == tuple(sorted(NAMES, key=contest.names().index)) and set(contest.names()) == set(
        NAMES
    )
    for name in NAMES:
        holes = {hole.name for hole in find(name).holes}
        for each in contest[name]():
            assert holes.issuperset(each.holes) and len(each.sizes) == 3
            work = [each.flops(find(name).case(numbers).sizes) for numbers in each.sizes[:2]]
            assert 0 < work[0] < work[1]


@pytest.mark.parametrize("name", NAMES)
def test_contestants_compute_what_the_twins_do(name):
    """NumPy's to the twin; the others run, and the textbook's loop does a part."""
    exercise = find(name)
    for number, each in enumerate(contest[name]()):
        case = exercise.case(each.sizes[0])
        with np.errstate(all="ignore"):
            found = each.numpy(case.values)()
            found = found if isinstance(found, (tuple, list)) else (found,)
            each.cynet(case.values)()
            step, share = each.textbook(case.values)
            step()
        assert 0 < share <= 1
        wanted_name = GIVEN[name][number]
        for hole in (exercise.hole(hole) for hole in each.holes):
            for value, wanted in zip(hole.gives, hole.computed(hole.twin, case.values), strict=True):
                if value.name == wanted_name and hole.name not in (
                    "relu",
                    "leaky_relu",
                    "relu_gradient",
                    "leaky_relu_gradient",
                ):
                    got = (
                        found[0].reshape(wanted.shape)
                        if found[0].size == wanted.size
                        else found[-1].reshape(wanted.shape)
                    )
                    np.testing.assert_allclose(got, wanted, atol=1e-4 * max(1, np.abs(wanted).max()))
                    wanted_name = None
        assert wanted_name is None, "nothing was compared"


@pytest.mark.torch
@pytest.mark.parametrize("name", NAMES)
def test_pytorch_takes_part(name):
    torch = pytest.importorskip("torch")
    for each in contest[name]():
        each.torch(find(name).case(each.sizes[0]).values, torch)()


def test_times_are_medians_of_turns_and_slow_ones_are_called_once():
    calls = []
    times = timing.measured({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 0.02)
    assert set(times) == {"a", "b"} and all(value > 0 for value in times.values())
    assert calls.index("b") < len(calls) - calls[::-1].index("a")  # in turns


def row(who, seconds, flops=1e9, moved=1e6, share=1.0):
    told = {"holes": "forward", "sizes": {"n": 8}, "who": who}
    return told | {"seconds": seconds, "share": share, "flops": flops, "bytes": moved}


MACHINE = {"flops": 1e11, "bandwidth": 1e10, "threads": 4}


@pytest.mark.parametrize(
    ("rows", "language", "parallel", "words"),
    [
        ([row(YOURS, 10.0), row(NUMPY, 0.1)], "python", None, "bound by Python's loops"),
        ([row(YOURS, 0.2), row(NUMPY, 0.1)], "python", None, "product of matrices"),
        (
            [row(YOURS, 2.0, 1e6, 1e9), row(NUMPY, 1.0)],
            "python",
            None,
            "Every NumPy operation goes through memory",
        ),
        ([row(YOURS, 0.2)], "cython", False, "one of 4 threads: a prange"),
        ([row(YOURS, 0.2)], "cython", True, "not vectorised"),
        ([row(YOURS, 0.04)], "cython", True, "(a tile)"),
        ([row(YOURS, 0.4, 1e6, 1e9)], "cython", True, "more often than it has to"),
        ([row(YOURS, 0.011), row(CYNET, 0.01)], "cython", True, "near the roof"),
        ([row(YOURS, 1e-5, 1e3, 1e3)], "cython", True, "the calls themselves"),
        ([row(CYNET, 1.0)], "python", None, "Even the smallest size is too slow"),
    ],
)
def test_what_bounds_it_and_what_to_try_is_said(rows, language, parallel, words):
    text = roofline.sentence(Times(**MACHINE, rows=rows), rows, language, parallel)
    assert words in text, text
    if rows[0]["who"] == YOURS:
        bound = "memory (10 GB/s)" if rows[0]["flops"] / rows[0]["bytes"] < 10 else "arithmetic (100 GFLOP/s)"
        assert bound in text


def test_the_largest_size_is_told_and_compared_with_the_same_size():
    def sized(who, n, seconds):
        return row(who, seconds, n * 1e9) | {"sizes": {"n": n}}

    rows = [sized(YOURS, 1, 0.1), sized(CYNET, 1, 0.001), sized(YOURS, 8, 1.6), sized(CYNET, 8, 0.4)]
    text = roofline.sentence(Times(**MACHINE, rows=rows), rows, "cython", True)
    assert "For n 8 the roof is arithmetic (100 GFLOP/s): 80 ms. Yours takes 1.6 s, 5 % of the roof" in text
    assert ", 4 times as long as cynet's kernel. " in text
    _, lines = roofline.rows_of(Times(**MACHINE, rows=rows), rows)
    assert lines == [("n 1", "100 ms", "1 ms", "10 %"), ("n 8", "1.6 s", "400 ms", "5 %")]


def test_the_table_and_the_picture_have_every_contestant():
    rows = [
        row(YOURS, 0.2),
        row(TEXTBOOK, 90.0, share=0.01),
        row(NUMPY, 0.1),
        row(CYNET, 0.02),
        row(TORCH, 0.03),
    ]
    headings, (line,) = roofline.rows_of(Times(**MACHINE, rows=rows), rows)
    assert headings == ("size", YOURS, *OTHERS, "yours, of the roof")
    assert line == ("n 8", "200 ms", "about 90 s", "100 ms", "20 ms", "30 ms", "5 %")
    drawn = roofline.picture(Times(**MACHINE, rows=rows))
    assert drawn.count("<circle") == 5 and all(f">{who}</text>" in drawn for who in (YOURS, *OTHERS))


def test_a_student_is_timed_and_what_is_kept_of_it_is_in_the_report(tmp_path, capsys, monkeypatch):
    for name, value in (("BUDGET", 0.1), ("ARRAY", 1 << 20), ("REPEAT", 1)):
        monkeypatch.setattr(racing, name, value)
    work = folder.start("gru", tmp_path / "gru", "python")
    work.tests.unlink()
    work.file.write_text((SOLUTIONS / "gru.py").read_text())
    assert cli.main(["lab", "time", str(work.folder), "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert (
        "through_time" in out
        and "For steps 32, batch 32, inputs 64, hidden 128 the roof is arithmetic" in out
    )
    times = json.loads((work.folder / "time.json").read_text())
    who = [name for name in (YOURS, *OTHERS) if name != TORCH or importlib.util.find_spec("torch")]
    assert {(each["who"], each["sizes"]["hidden"]) for each in times["rows"]} == {
        (name, n) for name in who for n in (16, 64, 128)
    }
    assert (work.folder / "time.png").exists() == (importlib.util.find_spec("matplotlib") is not None)
    assert ("no time.png: plots need matplotlib" in err) == (not (work.folder / "time.png").exists())
    assert cli.main(["lab", "report", str(work.folder)]) == 0
    page = (work.folder / "report.html").read_text()
    assert "The roof" in page and "was changed after this" not in page and page.count("<svg") == 1
    assert "no train/train.json: cynet lab train makes it" in capsys.readouterr().err


def test_what_cannot_be_read_and_what_is_old_is_told_in_the_report(tmp_path):
    work = folder.start("sgd", tmp_path / "sgd", "python")
    verdict = checking.Verdict(work, [trials.HoleFinding("velocity", lines=["<b>"])])
    times = Times(**MACHINE, rows=[row(YOURS, 0.2), row(NUMPY, 0.1)])
    racing.write(work, times, None)
    (work.folder / "train").mkdir()
    for damaged in ("{", "{}", "[]", '{"source": 1, "schooling": 3}', '{"schooling": {"rates": 1}}'):
        (work.folder / "train" / "train.json").write_text(damaged)
        _, missing = handing.write(work, verdict)
        assert len(missing) == 1 and "train/train.json cannot be read" in missing[0]
    with work.file.open("a") as file:
        file.write("# <more>\n")
    path, _ = handing.write(work, verdict)
    page = path.read_text()
    assert "sgd.py was changed after this; cynet lab time does it anew." in page and "# &lt;more&gt;" in page
    assert "&lt;b&gt;" in page and "<b>" not in page
    (work.folder / "time.html").unlink()
    (work.folder / "time.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        racing.write(work, times, None)


def test_what_is_not_right_is_not_timed(tmp_path):
    work = folder.start("sgd", tmp_path / "sgd", "python")
    with pytest.raises(checking.NotRightError, match=r"wanted functions that are right \(velocity, step\)"):
        racing.race(work, checking.Verdict(work, [trials.HoleFinding("velocity")]))


def test_rows_come_from_the_child_for_every_size():
    """In this process, with a pipe that keeps what it is sent."""
    messages = Messages()
    module = module_of(solution("activations"))
    job = {"exercise": "activations", "contests": [1], "threads": 1, "language": "python", "budget": 0.05}
    job |= {"array": 1 << 16, "repeat": 1}
    with np.errstate(all="ignore"):
        timing.time_all(job, module, messages)
    assert messages.sent[0]["what"] == "peak"
    assert {each["sizes"]["n"] for each in messages.sent[1:]} == {4096, 262_144, 4_194_304}
