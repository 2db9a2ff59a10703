"""What the lab says of times, trainings and checks, whole, on a terminal and on pages; and what is made
of what a child says."""

import csv
import html
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from cynet.lab import (
    checking,
    folder,
    grading,
    handing,
    learning,
    pages,
    racing,
    roofline,
    saying,
    trials,
)
from cynet.lab.contest import CYNET, NUMPY, TEXTBOOK, YOURS
from cynet.lab.learning import Learnt, Schooling
from cynet.lab.process import Ending
from cynet.lab.roofline import Times


@pytest.fixture
def work(tmp_path):
    return folder.start("sgd", tmp_path / "sgd", "python")


# -- times --------------------------------------------------------------------------------------------------
def row(who, seconds, flops=1e9, moved=1e6, share=1.0, n=8, holes="velocity, step"):
    return {"holes": holes, "sizes": {"n": n}, "who": who, "seconds": seconds, "share": share, "flops": flops,
            "bytes": moved}  # fmt: skip


MACHINE = {"flops": 1e11, "bandwidth": 1e10, "threads": 4}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1234.5, "1.23e+03 s"), (12.345, "12.3 s"), (1, "1 s"), (0.9994, "999 ms"), (0.0123, "12.3 ms"),
        (1e-3, "1 ms"), (0.000999, "999 µs"), (1e-6, "1 µs"), (2.5e-7, "250 ns"), (3.21e-9, "3.21 ns"),
    ],
)  # fmt: skip
def test_a_time_has_three_digits_that_count(seconds, text):
    assert roofline.duration(seconds) == text


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (1234, "1,234 times as long as"), (10, "10 times as long as"), (9.94, "9.9 times as long as"),
        (1.05, "1.1 times as long as"), (1.049, "as long as"), (0.951, "as long as"),
        (0.95, "0.95 of the time of"), (0.123, "0.12 of the time of"),
    ],
)  # fmt: skip
def test_how_much_longer_than_cynet_is_told_in_words(times, text):
    rows = [row(YOURS, times), row(CYNET, 1.0)]
    assert f"% of the roof, {text} cynet's kernel. " in roofline.sentence(Times(**MACHINE, rows=rows), rows,
                                                                          "cython", True)  # fmt: skip


def advice(language="cython", parallel=True, threads=4, **rows):
    given = [row(who, *each) for who, each in rows.items()]
    for one, who in zip(given, rows, strict=True):
        one["who"] = {"yours": YOURS, "numpy": NUMPY}[who]
    times = Times(**{**MACHINE, "threads": threads}, rows=given)
    return roofline.sentence(times, given, language, parallel)


def test_what_to_try_next_changes_where_it_says():
    """Each at both sides of its limit; the roof of 1e9 operations is 10 ms, of 1e9 bytes 100 ms."""
    assert "calls themselves" in advice(yours=(149e-6, 14e5, 1e3))  # its roof is 14 µs
    assert "calls themselves" not in advice(yours=(151e-6, 14e5, 1e3))
    assert "calls themselves" not in advice(yours=(149e-6, 16e5, 1e3))
    assert "bound by Python's loops" in advice("python", yours=(5.1,), numpy=(1.0,))
    assert "bound by Python's loops" not in advice("python", yours=(4.9,), numpy=(1.0,))
    assert "a prange over" in advice(parallel=False, yours=(0.2,))
    assert "a prange over" not in advice(parallel=False, threads=1, yours=(0.2,))
    assert "not vectorised" in advice(yours=(0.101,)) and "(a tile)" in advice(yours=(0.099,))
    assert "(a tile)" in advice(yours=(0.0201,)) and "near the roof" in advice(yours=(0.0199,))
    assert "memory (10 GB/s)" in advice(yours=(0.2, 1e9, 1e8))  # both are 10 ms
    assert "more often than it has to" in advice(yours=(0.3, 1e6, 1e9))


ROWS = [row(YOURS, 0.01, 1e7), row(TEXTBOOK, 9, 1e7, share=0.5), row(YOURS, 0.2, n=16), row(NUMPY, 0.1, n=16)]
SAID = """velocity, step
  size  yours   textbook loop  NumPy     yours, of the roof
  n 8   10 ms   about 9 s      too slow  1 %
  n 16  200 ms  too slow       100 ms    5 %
For n 16 the roof is arithmetic (100 GFLOP/s): 10 ms. Yours takes 200 ms, 5 % of the roof. Let a
product of matrices (@) do the sums: it is what comes near the machine's arithmetic.

step
  size  NumPy   yours, of the roof
  n 8   100 ms
Even the smallest size is too slow to be timed: look for a loop within a loop that need not be
there.

It is noted."""


def test_times_on_a_terminal_are_a_table_a_sentence_and_notes():
    times = Times(**MACHINE, rows=[*ROWS, row(NUMPY, 0.1, holes="step")], notes=["It is noted."])
    assert roofline.said(times, "python", None) == SAID
    assert roofline.said(Times(**MACHINE, rows=ROWS), "python", None) == SAID.partition("\n\nstep")[0]


def test_times_on_a_page_have_a_section_for_each_contest_and_one_of_the_roof():
    times = Times(**MACHINE, rows=[*ROWS, row(NUMPY, 0.1, holes="step")], notes=["It is <noted>."])
    (one, first), (two, second), (three, last) = roofline.sections(times, "python", None)
    assert (one, two, three) == ("velocity, step", "step", "The roof")
    assert "<tr><td>n 8</td><td>10 ms</td><td>about 9 s</td><td>too slow</td><td>1 %</td></tr>" in first
    assert "<p>For n 16 the roof is arithmetic (100 GFLOP/s): 10 ms. Yours takes" in first
    assert "Even the smallest size" in second and last.startswith("<svg")
    assert "memory (10 GB/s), the level one arithmetic (100 GFLOP/s), measured just before, with 4" in last
    assert "The textbook loop did a part of the work" in last
    assert last.endswith('<p class="note">It is &lt;noted&gt;.</p>')


class Told:
    """A child that has said all that it will say."""

    jobs, printing = [], ""

    def __init__(self, job, *given, **more):
        self.jobs.append((job, given, more))
        self.left = list(self.messages)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def printed(self):
        return self.printing

    def next(self, *_):
        message = self.left.pop(0)
        if isinstance(message, Exception):
            raise message
        return message


@pytest.fixture
def told(monkeypatch):
    """A function that puts such a child, which is loaded, into a module."""

    def put(module, *messages, printing=""):
        kind = type("Child", (Told,), {"messages": messages, "printing": printing, "jobs": []})
        monkeypatch.setattr(module, "Child", kind)
        monkeypatch.setattr(checking, "loaded", lambda child, work: None)
        return kind.jobs

    return put


def right(work, *names):
    names = names or [hole.name for hole in work.exercise.holes]
    findings = [trials.HoleFinding(hole.name, trials.RIGHT if hole.name in names else trials.WRONG)
                for hole in work.exercise.holes]  # fmt: skip
    return checking.Verdict(work, findings)


PEAK = {"what": "peak", "flops": 1e11, "bandwidth": 1e10, "threads": 3}


def message(contest=0, who=YOURS, seconds=0.5):
    return {"what": "row", "contest": contest, "sizes": {"n": 8}, "who": who, "seconds": seconds,
            "share": 1.0, "flops": 5, "bytes": 7, "arrays": []}  # fmt: skip


def test_what_is_timed_is_what_is_right_with_as_many_threads_as_are_asked_for(tmp_path, told):
    work = folder.start("activations", tmp_path / "a", "python")
    jobs = told(racing, PEAK, message(0), message(0, NUMPY, 0.25), {"what": "done"})
    times = racing.race(work, right(work, "logistic", "relu", "leaky_relu", "relu_gradient"), 3)
    job, _, more = jobs[0]
    assert (job["job"], job["contests"], job["threads"], more["threads"]) == ("time", [0], 3, 3)
    assert (job["budget"], job["array"], job["repeat"]) == (racing.BUDGET, racing.ARRAY, racing.REPEAT)
    assert job["module"] == str(work.file)
    assert (times.flops, times.bandwidth, times.threads) == (1e11, 1e10, 3)
    assert times.notes == [
        "Not timed, since not right yet: logistic_gradient, relu_gradient, leaky_relu_gradient."
    ]
    holes = "logistic, relu, leaky_relu"
    assert times.rows == [row(YOURS, 0.5, 5, 7, holes=holes), row(NUMPY, 0.25, 5, 7, holes=holes)]


def test_what_ends_while_it_is_timed_is_noted_or_told(work, told):
    end = Ending("crashed (SIGABRT)")
    told(racing, PEAK, message(), end)
    times = racing.race(work, right(work))
    assert len(times.rows) == 1 and times.notes == ["It crashed (SIGABRT)."]
    for messages in ((PEAK, end), (end,)):
        told(racing, *messages)
        with pytest.raises(
            checking.NotRightError, match=r"^nothing could be timed: It crashed \(SIGABRT\)\.$"
        ):
            racing.race(work, right(work))
    verdict = right(work)
    verdict.problem = "it cannot be compiled"
    with pytest.raises(checking.NotRightError, match="wanted functions that are right"):
        racing.race(work, verdict)


def test_times_are_kept_as_they_were(work, monkeypatch):
    monkeypatch.setattr(racing.figures, "roofline", lambda times: b"drawn")
    times = Times(**MACHINE, rows=ROWS, notes=["a"])
    files, note = racing.write(work, times, True)
    assert note is None and [path.name for path in files] == ["time.html", "time.json", "time.png"]
    kept = json.loads(files[1].read_text())
    wanted = {**MACHINE, "rows": ROWS, "notes": ["a"], "parallel": True, "source": work.digest()}
    assert kept == wanted and files[2].read_bytes() == b"drawn"
    page = files[0].read_text()
    assert "<h1>sgd: how fast</h1>" in page and "sgd.py, python" in page and "<h2>The roof</h2>" in page

    def undrawn(times):
        raise ImportError("plots need it")

    monkeypatch.setattr(racing.figures, "roofline", undrawn)
    assert racing.write(work, times, True) == (files[:2], "no time.png: plots need it")


# -- trainings ----------------------------------------------------------------------------------------------
def run(who, losses, rate=0.1, accuracy=0.5, rounds=False, norm=True, seconds=0.003):
    return {"who": who, "batch_norm": norm, "rounds": rounds, "rate": rate, "losses": losses,
            "accuracy": accuracy, "seconds": seconds}  # fmt: skip


def plan(steps, wanted=100, runs=7):
    return {"what": "plan", "steps": steps, "wanted": wanted, "runs": runs}


def test_what_is_trained_is_what_was_asked_for(work, told):
    found = run("yours", [2.0, 1.0])
    jobs, seen = told(learning, plan(100), {"what": "run", **found, "arrays": []}, {"what": "done"}), []
    schooling = Schooling("cifar10", "there", (0.1,), (0.2, 0.1), 100, 9.0, 3, 5)
    learnt = learning.learn(work, right(work), schooling, lambda one, count: seen.append((one, count)))
    assert seen == [(found, 7)] and learnt.runs == [found]
    assert (learnt.steps, learnt.notes, learnt.schooling) == (100, [], schooling)
    job, _, more = jobs[0]
    asked = {"data": "cifar10", "data_dir": "there", "rates": (0.1,), "rounds": (0.2, 0.1), "steps": 100,
             "seconds": 9.0, "seed": 3, "threads": 5, "job": "train", "module": str(work.file)}  # fmt: skip
    assert {key: job[key] for key in asked} == asked and more["threads"] == 5


def test_fewer_steps_and_an_early_end_are_noted(work, told):
    told(learning, plan(99), {"what": "run", **run("yours", [1.0])}, Ending("did not end within 600 s"),
         printing="one\ntwo")  # fmt: skip
    learnt = learning.learn(work, right(work), Schooling(seconds=9.5))
    assert learnt.notes == [
        "Your functions are slow: each run has 99 steps in place of 100, to end within 9.5 s.",
        "The training did not end within 600 s (two).",
    ]
    told(learning, plan(100), Ending("crashed"))
    with pytest.raises(checking.NotRightError, match=r"^nothing could be trained: The training crashed\.$"):
        learning.learn(work, right(work), Schooling())
    told(learning, {"what": "absent"})
    text = "^CIFAR-10 is not here: `cynet data fetch cifar10`, or --data-dir$"
    with pytest.raises(checking.NotRightError, match=text):
        learning.learn(work, right(work), Schooling("cifar10"))


def test_to_train_each_function_that_is_not_right_is_named(work):
    with pytest.raises(checking.NotRightError) as error:
        learning.learn(work, right(work, "none"), Schooling())
    assert str(error.value) == ("velocity, step are not right yet: training needs all 2; see cynet lab check")
    verdict = right(work)
    verdict.problem = "sgd.py cannot be loaded"
    with pytest.raises(checking.NotRightError, match=r"^sgd.py cannot be loaded; see cynet lab check$"):
        learning.learn(work, verdict, Schooling())


RUNS = [
    run("yours", [2.0, 1.5, 1.0]), run("cynet", [2.0, 1.25, 1.0], accuracy=0.25, norm=False),
    run("yours", [2.0, None], 0.5, None), run("yours", [4.0, 2.0], 0.2, rounds=True, seconds=3.0),
    run("yours", [1.0, 0.5], 0.02, rounds=True),
]  # fmt: skip
LEARNT = Learnt(Schooling(rates=(0.5, 0.1), rounds=(0.2, 0.02)), 3, RUNS, ["It is <noted>."])
TRAINED = """net                        learning rate  loss at the end     test accuracy  a step took
yours, with batch norm     rate 0.1       1.500               50.0 %         1 ms
cynet, without batch norm  rate 0.1       1.417               25.0 %         1 ms
yours, with batch norm     rate 0.5       diverged at step 2                 1.5 ms
yours, with batch norm     round at 0.2   3.000               50.0 %         1.5 s
yours, with batch norm     round at 0.02  0.750               50.0 %         1.5 ms

There is nothing to compare with cynet's.
It is <noted>."""


def test_trainings_on_a_terminal_are_a_table_a_sentence_and_notes():
    assert learning.said(LEARNT) == TRAINED


def test_the_loss_at_the_end_is_the_mean_of_ten_steps():
    (found,) = learning.table_of(Learnt(Schooling(), 12, [run("yours", [99.0, 99.0, *range(10)])]))[1]
    assert found[2] == "4.500"
    assert learning.smooth([99.0, *range(10)])[-2:] == pytest.approx([(99 + 36) / 10, 4.5])


def test_agreement_is_that_of_the_first_twenty_steps_of_the_same_net():
    def learnt(*runs):
        return Learnt(Schooling(rates=(0.1, 0.5), rounds=()), 21, list(runs))

    yours = run("yours", [1.0] * 19 + [2.0, 9.0])
    text = learning.agreement(learnt(yours, run("cynet", [1.0] * 21), run("cynet", [5.0] * 21, norm=False)))
    assert text == (
        "In the first 20 steps at the smallest rate your losses differ from those of cynet's net, which "
        "begins with the same weights, by at most 1; later on roundings make them part."
    )
    other = run("yours", [1.0, 4.5], norm=False), run("cynet", [1.0, 1.0], norm=False)
    assert "by at most 3.5;" in learning.agreement(learnt(yours, run("cynet", [1.0] * 21), *other))
    for alone in (
        [yours], [run("cynet", [1.0])], [yours, run("cynet", [1.0], 0.5)],
        [run("yours", [1.0, None], accuracy=None), run("cynet", [1.0])],
        [run("yours", [1.0], rounds=True), run("cynet", [1.0], rounds=True)],
    ):  # fmt: skip
        assert learning.agreement(learnt(*alone)) == "There is nothing to compare with cynet's."


def test_curves_are_a_section_for_each_rate_and_one_for_the_rounds():
    found = dict(learning.sections(LEARNT))
    assert list(found) == ["Runs", "Yours and cynet's", "rate 0.5", "rate 0.1", "annealed through 0.2, 0.02"]
    assert '<p class="note">It is &lt;noted&gt;.</p>' in found["Runs"] and "<td>1.417</td>" in found["Runs"]
    one = found["rate 0.1"]
    assert "<title>Training loss, rate 0.1</title>" in one and "loss, mean of 10 steps</text>" in one
    assert '<path d="M236.7 124.7L403.3 150.8L570.0 177.0" fill="none" stroke="var(--orange)"' in one
    dashed = '" fill="none" stroke="var(--green)" stroke-width="2" stroke-dasharray="6 4"/>'
    assert one.count("stroke-dasharray") == 2 and dashed in one
    assert ">yours, norm</text>" in one and ">cynet, no norm</text>" in one
    assert ">cynet" not in found["rate 0.5"]
    joined = found["annealed through 0.2, 0.02"]  # four steps of one line, whose first is above the chart
    assert '<path d="M195.0 20.0L320.0 20.0L445.0 89.8L570.0 137.8" fill="none" stroke="var(--orange)"' in (
        joined
    )


def test_what_was_trained_is_kept(work, monkeypatch):
    drawn = []
    monkeypatch.setattr(learning.figures, "curves", lambda panels: drawn.extend(panels) or b"drawn")
    files, note = learning.write(work, LEARNT)
    names = ["train.html", "train.json", "curves.csv", "sgd.py", "train.png"]
    assert note is None and files == [work.folder / "train" / name for name in names]
    page, numbers, table, source, picture = (path.read_bytes() for path in files)
    assert (source, picture) == (work.source(), b"drawn")
    head = "sgd.py, python: the assignment's net on shapes10, 3 steps a run; what is dashed is cynet's own"
    assert html.escape(head) in page.decode() and "<h1>sgd: what a net learns</h1>" in page.decode()
    kept = json.loads(numbers)
    assert (kept["runs"], kept["steps"], kept["notes"]) == (RUNS, 3, ["It is <noted>."])
    assert kept["source"] == work.digest() and kept["schooling"]["rates"] == [0.5, 0.1]
    assert table.decode().splitlines() == [
        "who,batch_norm,rounds,rate,step,loss", "yours,1,0,0.1,1,2", "yours,1,0,0.1,2,1.5",
        "yours,1,0,0.1,3,1",
        "cynet,0,0,0.1,1,2", "cynet,0,0,0.1,2,1.25", "cynet,0,0,0.1,3,1", "yours,1,0,0.5,1,2",
        "yours,1,0,0.5,2,", "yours,1,1,0.2,1,4", "yours,1,1,0.2,2,2", "yours,1,1,0.02,1,1",
        "yours,1,1,0.02,2,0.5",
    ]  # fmt: skip
    assert [title for title, _ in drawn] == ["rate 0.5", "rate 0.1", "annealed through 0.2, 0.02"]
    assert drawn[1][1] == [
        ("yours, with norm", "#b24c08", [2.0, 1.75, 1.5], False),
        ("cynet, without norm", "#14775a", [2.0, 1.625, pytest.approx(4.25 / 3)], True),
    ]
    files, _ = learning.write(work, LEARNT)  # once more, over what is there
    assert files[2].read_bytes() == table

    def undrawn(panels):
        raise ImportError("plots need it")

    monkeypatch.setattr(learning.figures, "curves", undrawn)
    assert learning.write(work, LEARNT) == (files[:4], "no train.png: plots need it")


@pytest.mark.parametrize("module", [racing, learning])
def test_what_is_timed_and_trained_with_is_compiled_as_fast_as_it_goes(tmp_path, told, monkeypatch, module):
    asked = []
    work = folder.start("sgd", tmp_path / "a", "cython")
    monkeypatch.setattr(checking.compiling, "compiled", lambda *given: asked.append(given) or "made.so")
    jobs = told(module, PEAK if module is racing else plan(1), Ending("ended"))
    with pytest.raises(checking.NotRightError):
        racing.race(work, right(work)) if module is racing else learning.learn(work, right(work), Schooling())
    assert asked == [(work, "fast")] and jobs[0][0]["module"] == "made.so"


# -- the report ---------------------------------------------------------------------------------------------
def finding(name, state=trials.RIGHT, **more):
    return trials.HoleFinding(name, state, **more)


def test_the_report_is_of_the_check_the_times_the_training_and_the_file(work, monkeypatch):
    monkeypatch.setattr(racing.figures, "roofline", lambda times: b"")
    monkeypatch.setattr(learning.figures, "curves", lambda panels: b"")
    racing.write(work, Times(**MACHINE, rows=ROWS), None)
    learning.write(work, LEARNT)
    verdict = checking.Verdict(
        work,
        [finding("velocity", error=0.034, shapes=8),
         finding("step", trials.WRONG, lines=["one", "two & three"], hint="it is <so>")],
        tests=[("test_a", None), ("test_b", "it is wrong"), ("test_c", None)],
    )  # fmt: skip
    path, missing = handing.write(work, verdict)
    page = path.read_text()
    assert path == work.folder / "report.html" and missing == []
    assert "<h1>sgd: report</h1>" in page and ">python; 1 of 2 functions are right</p>" in page
    assert "<tr><td>velocity</td><td>right</td><td>8</td><td>3.4 %</td><td></td></tr>" in page
    assert (
        "<tr><td>step</td><td>wrong</td><td>0</td><td></td><td>one two &amp; three hint: it is &lt;so&gt;"
        in page
    )
    assert "<p>Tests of one&#x27;s own: 2 of 3 pass.</p>" in page
    assert "sgd.py was checked as it is printed below. That no file imports cynet was looked at;" in page
    heads = [part.partition("</h2>")[0] for part in html.unescape(page).split("<h2>")[1:]]
    assert heads == [
        "What is right",
        "velocity, step",
        "The roof",
        *dict(learning.sections(LEARNT)),
        "sgd.py",
    ]
    assert "Let a product of matrices" in page and "raise NotImplementedError(&quot;velocity&quot;)" in page


def test_the_report_of_a_file_that_could_not_be_tried_says_why(work):
    path, missing = handing.write(work, checking.Verdict(work, [finding("velocity")], "it is <broken>"))
    page = path.read_text()
    assert "<section><h2>What is right</h2><pre>it is &lt;broken&gt;</pre></section>" in page
    assert "was checked as it is printed" not in page
    assert missing == ["no time.json: cynet lab time makes it",
                       "no train/train.json: cynet lab train makes it"]  # fmt: skip


def test_of_a_parallel_file_the_report_gives_the_advice_for_one(tmp_path, monkeypatch):
    monkeypatch.setattr(racing.figures, "roofline", lambda times: b"")
    work = folder.start("sgd", tmp_path / "a", "cython")
    for parallel, words in ((True, "not vectorised"), (False, "a prange over what is independent")):
        racing.write(work, Times(**MACHINE, rows=[row(YOURS, 0.2)]), parallel)
        assert words in handing.write(work, right(work))[0].read_text()


def test_a_page_has_its_parts_escaped_in_their_places():
    page = pages.page("a < b", "c & d", [("one <1>", "<p>1</p>"), ("two", "<p>2</p>")])
    assert "<title>a &lt; b</title>" in page and "<h1>a &lt; b</h1>" in page
    assert '<p class="lead">c &amp; d</p>' in page
    assert (
        "<section><h2>one &lt;1&gt;</h2><p>1</p></section>\n<section><h2>two</h2><p>2</p></section>\n" in page
    )
    assert f"NumPy {np.__version__}</footer>" in page and "{{" not in page and "--orange:" in page
    assert pages.paragraph("<a>", "hint") == '<p class="hint">&lt;a&gt;</p>'
    assert (
        pages.paragraph("<a>") == "<p>&lt;a&gt;</p>" and pages.preformatted("<a>") == "<pre>&lt;a&gt;</pre>"
    )
    assert pages.table(("<h>", ""), [("<c>", 3)]) == (
        '<div class="wide"><table><thead><tr><th>&lt;h&gt;</th><th></th></tr></thead>'
        "<tbody><tr><td>&lt;c&gt;</td><td>3</td></tr></tbody></table></div>"
    )


# -- a check ------------------------------------------------------------------------------------------------
def test_a_verdict_on_a_terminal(work):
    verdict = checking.Verdict(
        work,
        [finding("velocity", error=0.0099, shapes=8, difference=2.4e-7),
         finding("step", trials.WRONG, lines=["the first", "word " * 25], numbers=["w = [1]", "got = [2]"],
                 hint="it is so", printed="\n".join(map(str, range(12))), case="n 1")],
        tests=[("test_a", None), ("test_b", "it is\nwrong")], printed="unseen", seconds=1.26,
    )  # fmt: skip
    words = " ".join(["word"] * 19)
    rest = " ".join(["word"] * 6)
    assert saying.said(verdict).splitlines() == [
        f"sgd, python: {work.file}", "",
        "  velocity  right, 8 shapes; the largest error is under 1 % of what is allowed; finite differences "
        "agree to 2e-07",
        "  step      WRONG", "      the first", f"      {words}", f"        {rest}", "          w = [1]",
        "          got = [2]", "      hint: it is so", "      step printed, for n 1:",
        *(f"          {number}" for number in range(2, 12)), "",
        "Your own tests (my_tests.py): 1 of 2 pass.", "      test_b: it is", "        wrong", "",
        "1 of 2 functions are right. (1.3 s)",
    ]  # fmt: skip


def test_what_was_printed_outside_of_a_wrong_call_is_shown_at_the_end(work):
    verdict = right(work)
    verdict.printed, verdict.findings[0].error = "\n".join(map(str, range(12))), 0.01
    verdict.findings[0].shapes = 3
    text = saying.said(verdict)
    lines = [f"    {number}" for number in range(2, 12)]
    assert "\n".join(["", "Your code printed:", *lines, ""]) in text and "    1\n" not in text
    assert "velocity  right, 3 shapes; the largest error is 1 % of what is allowed\n" in text
    assert "Your own tests" not in text
    assert text.endswith("\n2 of 2 functions are right. (0.0 s) `cynet lab time` tells how fast they are.")
    verdict.parallel = True
    assert saying.said(verdict).endswith(" `cynet lab time` tells how fast they are.")
    verdict.parallel = False
    assert saying.said(verdict).endswith(
        " The second half: a prange over what is independent; then `cynet\nlab time`."
    )
    verdict.problem = "line 3: expected\n        x = \n            ^"
    assert saying.said(verdict).splitlines()[2:6] == ["  line 3: expected", "  x = ", "      ^", ""]
    assert saying.said(verdict).endswith("\nNothing could be tried. (0.0 s)")


@pytest.mark.parametrize(("state", "mark"), [(trials.EMPTY, "not written yet"), (trials.FAILED, "FAILED")])
def test_a_function_is_marked_by_its_state(work, state, mark):
    verdict = checking.Verdict(work, [finding("velocity", state), finding("step", state)])
    assert f"\n  velocity  {mark}\n  step      {mark}\n" in saying.said(verdict)


# -- grades -------------------------------------------------------------------------------------------------
def test_grades_are_a_table_and_a_csv_file(work):
    verdict = checking.Verdict(
        work, [finding("velocity", trials.WRONG, key="sign"), finding("step", trials.EMPTY)],
        tests=[("a", None), ("b", "x")], seconds=1.26, offline=True,
    )  # fmt: skip
    good = right(work)
    good.seconds = 12.0
    grades = [
        grading.Grade("a, b", verdict),
        grading.Grade("good", good),
        grading.Grade("c", None, "it is none"),
    ]
    assert grading.as_table(grades).splitlines() == [
        "folder  exercise  language  right   tests   s", "a, b    sgd       python    0 of 2  1 of 2  1.3   "
        "velocity: wrong (sign); step: not written yet",
        "good    sgd       python    2 of 2          12.0",
        "c                                                 "
        "it is none",
    ]  # fmt: skip
    rows = list(csv.reader(io.StringIO(grading.as_csv(grades))))
    assert rows == [
        list(grading.COLUMNS),
        ["a, b", "sgd", "python", "0", "2", "1", "2", "1.3", "yes",
         "velocity: wrong (sign); step: not written yet"],
        ["good", "sgd", "python", "2", "2", "0", "0", "12.0", "no", ""],
        ["c", "", "", "0", "0", "0", "0", "", "", "it is none"],
    ]  # fmt: skip
    assert grading.COLUMNS == ("folder", "exercise", "language", "right", "of", "tests_passed", "tests",
                               "seconds", "offline", "problem")  # fmt: skip
    assert "\r" not in grading.as_csv(grades)


def test_a_graded_folder_is_cut_off_and_what_is_compiled_of_it_goes_elsewhere(work, monkeypatch):
    seen = []

    def check(given, offline=False):
        seen.append((given.folder, given.build.is_dir(), given.build, offline))
        if len(seen) == 2:
            raise OSError("cannot be read")
        return SimpleNamespace(given=given)

    monkeypatch.setattr(checking, "check", check)
    first, second = grading.grade([work.folder, work.folder])
    assert (first.place, first.problem) == (work.folder, "") and first.verdict.given.folder == work.folder
    assert (second.verdict, second.problem) == (None, "cannot be read")
    (place, there, build, offline), (_, _, other, _) = seen
    assert place == work.folder and there and offline and build != other
    assert work.folder not in build.parents and not build.exists() and not other.exists()
