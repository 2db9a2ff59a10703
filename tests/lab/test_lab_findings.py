"""What is found of one function, in words: which mistake it is, shapes, kinds, calls, numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from test_exercises import Messages, module_of, solution, tried

from cynet.lab import calling, calls, checking, folder, hints, showing, trials, trying
from cynet.lab.exercise import Exercise, Hole, array, number, whole
from cynet.lab.registry import find

RELU = "import numpy as np\ndef relu(x):\n    return {}\n"


def relu(expression):
    return tried("activations", module_of(RELU.format(expression)), "python", ["relu"])["relu"]


@pytest.mark.parametrize(
    ("expression", "key", "hint"),
    [
        ("2 * np.maximum(x, 0)", "factor", "it is twice what is wanted, everywhere"),
        ("np.maximum(x, 0) / 2", "factor", "it is half of what is wanted, everywhere"),
        ("-np.maximum(x, 0)", "factor", "it is the negative of what is wanted, everywhere"),
        ("3.25 * np.maximum(x, 0)", "factor", "it is 3.25 times what is wanted, everywhere"),
        ("np.maximum(x, 0) * 6 / len(x)", "factor",
         "it is a multiple of what is wanted, 2 times with this shape: a 1/N, perhaps?"),
        ("np.where(x > 0, x, np.nan)", "nan",
         "there is a NaN in it: look for 0/0, the root of a negative number, inf - inf, or an overflow"),
        ("0 * x", "zero", "everything is 0: was nothing added?"),
        ("np.maximum(x, 0) + np.random.random()", "kept",
         "a second call with the same arguments gives other numbers: something is kept from call to call"),
        ("np.maximum(x, 0) + 0.5 * (x == 120)", None, None),
    ],
)  # fmt: skip
def test_mistakes_that_any_function_can_have_are_named(expression, key, hint):
    finding = relu(expression)
    assert (finding.state, finding.key, finding.hint) == (trials.WRONG, key, hint)


def of_outputs(text, language="cython"):
    """relu with an output to write to, by NumPy."""
    module = module_of(f"import numpy as np\ndef relu(x, y):\n    {text}\n")
    return tried("activations", module, language, ["relu"])["relu"]


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("y += np.maximum(x, 0)", "accumulates",
         "it adds to what is in the output already: assign to it, or set it to 0 first"),
        ("y[1:] = np.maximum(x, 0)[1:]", "unwritten",
         "some elements of the output are never written: they still hold what was there before"),
        ("y[:] = 0", "zero",
         "everything is 0: was nothing added, or is it a division of whole numbers, as -1 / 2 in Cython?"),
        ("y[:] = np.abs(x)", "absolute", "it is the absolute value: wanted 0 where x is negative"),
        ("y += np.maximum(x, 0) * (x > 0) + 1", "depends",
         "what it gives depends on what was in the output before: set that to 0 before you add to it, or "
         "assign"),
        ("y[:] = np.maximum(x, 0) + np.random.random()", "race",
         "calls with the same arguments give different numbers: threads of the prange write to the same "
         "element. Give each thread elements of its own, as one group or one row"),
    ],
)  # fmt: skip
def test_mistakes_with_outputs_that_are_given_are_named(text, key, hint):
    finding = of_outputs(text)
    assert (finding.state, finding.key, finding.hint) == (trials.WRONG, key, hint)


def test_a_right_function_with_outputs_is_tried_with_the_large_case_too():
    finding = of_outputs("y[:] = np.maximum(x, 0)")
    assert finding.state == trials.RIGHT and finding.shapes == len(find("activations").sizes) + 1
    assert relu("np.maximum(x, 0)").shapes == len(find("activations").sizes)


def test_finite_differences_stand_beside_the_wanted_gradient():
    """loss = sum of d * w * x: the gradient to x is d * w, of which a half is wrong."""
    hole = Hole("f", (array("d", "n"), array("x", "n")), (array("dx", "n"), array("dd", "n")), "",
                lambda d, x: (2 * d * x, x * x), lambda d, x: 1,
                slope=lambda d, x: (lambda at: float((d * at * at).sum()), x))  # fmt: skip
    exercise = Exercise("e", (hole,), ("n",), (), lambda sizes, rng: {
        "d": np.array([1.0, -3.0, 0.5]), "x": np.array([2.0, 0.25, -4.0])}, (3,))  # fmt: skip
    case = exercise.case((3,))
    wanted = hole.computed(hole.twin, case.values)
    found = [np.array([4.0, 7.0, -4.0]), wanted[1]]
    assert hints._elements(hole, case, found, found)[0] == [
        "the first wrong element: dx[1]: wanted -1.5 (finite differences: -1.5), got 7",
        "1 of 3 elements of dx are wrong",
    ]
    assert hints._elements(hole, case, [wanted[0], np.zeros(3)], found)[0] == [
        "the first wrong element: dd[0]: wanted 4, got 0", "3 of 3 elements of dd are wrong",
    ]  # fmt: skip
    assert hints.against_differences(hole, case, wanted[0]) < 1e-8
    assert hints.against_differences(hole, case, found[0]) == pytest.approx(8.5 / 4)
    assert hints.against_differences(hole, case, wanted[0] + 1) == pytest.approx(1 / 4)


def test_a_wrong_whole_number_is_told_as_one():
    source = solution("maxpool").replace("row * width + column", "row * width + column + 1")
    finding = tried("maxpool", module_of(source), "python", ["forward"])["forward"]
    assert finding.lines[1] == "the first wrong element: winner[0, 0, 0, 0]: wanted 0, got 1"
    assert (
        "the smallest shape that is wrong: batch 1, channels 1, height 1, width 2, size 1, stride 1"
        in (finding.lines[0])
    )


@pytest.mark.parametrize(
    ("found", "wanted", "share"),
    [(1.5, 1.0, 0.5), (np.nan, np.nan, 0), (np.inf, np.inf, 0), (-np.inf, np.inf, np.inf),
     (np.nan, 1, np.inf), (1, np.nan, np.inf), (3.0, 1.0, 2.0)],
)  # fmt: skip
def test_an_error_is_told_as_a_share_of_what_is_allowed(found, wanted, share):
    assert hints.shares([found], np.array([wanted]), 1.0) == [share]


# -- calls --------------------------------------------------------------------------------------------------
def given(value, shape, gives=None):
    gives = gives or (array("y", "a, b"),)
    hole = Hole("f", (), gives, "", None, None)
    shapes = [shape] * len(gives)
    try:
        return calling.called(hole, lambda: value, {}, "python", shapes)
    except calling.WrongResultError as error:
        return str(error), error.of_shape


WANTED = "wanted y, an array of shape (2, 3) (a, b)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, f"returns None: {WANTED} (is the return missing?)"),
        ((1, 2, 3), f"returns a tuple of 3: {WANTED}"),
        ([1.0], f"returns a list of 1: {WANTED}"), (2.5, f"returns a float: {WANTED}"),
        (np.float32(1), f"returns a float32: {WANTED}"),
        (np.zeros((2, 3), complex), "returns an array of complex128: wanted y of float32"),
        (np.zeros((2, 3), "M8[s]"), "returns an array of datetime64[s]: wanted y of float32"),
    ],
)  # fmt: skip
def test_what_is_no_array_of_numbers_is_told(value, text):
    assert given(value, (2, 3)) == (text, False)


@pytest.mark.parametrize(
    ("shape", "wanted", "text"),
    [
        ((3, 2), (2, 3), ", as many numbers in another shape"),
        ((2, 4, 3), (2, 3), ": one axis is not summed"),
        ((2, 4, 3, 5), (2, 3), ": 2 axes are not summed"), ((2,), (2, 3), ": an axis too many is summed"),
        ((), (2, 3), ": an axis too many is summed"), ((3,), (2,), ""), ((4, 5), (2, 3), ""),
        ((3, 4, 2), (2, 3), ""),
    ],
)  # fmt: skip
def test_another_shape_is_told_with_what_it_may_be(shape, wanted, text):
    def told(shape):
        return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"

    said, of_shape = given(np.zeros(shape), wanted)
    assert of_shape and said == (
        f"returns an array of shape {told(shape)}: wanted y, an array of shape {told(wanted)} (a, b){text}"
    )


def test_several_results_are_a_tuple_of_as_many():
    gives = array("y", "n"), array("z", "n")
    text = "wanted 2 arrays, return y, z"
    one = np.zeros(2)
    assert given([one, one], (2,), gives) == (f"returns a list of 2: {text}", False)
    assert given((one,), (2,), gives) == (f"returns a tuple of 1: {text}", False)
    assert given(None, (2,), gives) == (f"returns None: {text}", False)
    assert given(one, (2,), gives) == (f"returns a ndarray: {text}", False)
    found = given((np.zeros(2, np.float16), np.array([True, False])), (2,), gives)
    assert [each.dtype for each in found] == [np.float64, np.int64]


CYTHON_FILE = '''"""step( is told here: velocity(w)."""


cdef float half(float x) noexcept nogil:  # twice(x)
    """Calls twice(x)."""
    return x / 2


cdef inline float twice(float x) noexcept nogil:
    return half(4 * x)


cpdef velocity(float x):
    return twice (x)


def step(float x):
    return exp(x)
'''


def test_who_calls_whom_is_read_from_code_and_not_from_texts(started):
    assert calls.called(started("sgd", CYTHON_FILE, "cython")) == {
        "half": set(), "twice": {"half"}, "velocity": {"twice", "half"}, "step": set(),
    }  # fmt: skip
    source = (
        "def a():\n    b()\n\ndef b():\n    '''c()'''\n    a()\n    x.c()\n\ndef c():\n    pass\n    # a()\n"
    )
    work = started("gru", source)
    assert calls.called(work) == {"a": {"b"}, "b": {"a"}, "c": set()}
    work.file.write_text("def a(:\n")
    assert calls.called(work) == {}


# -- numbers ------------------------------------------------------------------------------------------------
def numbers(n=3, several=False, cut=True, **values):
    gives = (array("yy", "n"), array("z", "n")) if several else (array("yy", "n"),)
    takes = array("x", "n"), number("rate"), whole("k")
    hole = Hole("f", takes, gives, "", None, None)
    case = SimpleNamespace(values={"x": np.arange(n, dtype=np.float32) / 2, "rate": 1 / 3, "k": 7, **values})
    found, wanted = [np.ones(3)] * len(gives), [np.array([0.5, 1e-9, 123456.789])] * len(gives)
    return showing.numbers(hole, case, found, wanted, cut)


def test_the_smallest_wrong_call_is_shown_by_names():
    assert numbers() == [
        "x      = [0, 0.5, 1]", "rate   = 0.333333", "k      = 7", "wanted = [0.5, 1e-09, 123457]",
        "got    = [1, 1, 1]",
    ]  # fmt: skip
    assert numbers(several=True)[3:] == [
        "wanted yy = [0.5, 1e-09, 123457]", "got yy    = [1, 1, 1]", "wanted z  = [0.5, 1e-09, 123457]",
        "got z     = [1, 1, 1]",
    ]  # fmt: skip


def test_what_is_large_is_cut_or_left_out():
    assert numbers(16)[0].count(",") == 15 and numbers(16, cut=False) == numbers(16)
    assert numbers(17)[0] == "x      = [0, 0.5, 1, ..., 7, 7.5, 8]" and numbers(17, cut=False) == []
    rows = showing._lines("x = ", np.arange(40.0).reshape(5, 2, 4))
    assert len(rows) == 10 and rows[0] == "x = [[[0, 1, 2, 3]," and rows[1] == "      [4, 5, 6, 7]],"
    rows = showing._lines("x = ", np.zeros((2, 3, 4, 2)))
    assert len(rows) == 16 and rows[-1] == "    ..." and rows[-2].strip().startswith("[")


# -- messages of a child ------------------------------------------------------------------------------------
@pytest.fixture
def trial(tmp_path):
    work = folder.start("sgd", tmp_path / "a", "python")
    finding = trials.HoleFinding("step")
    hole = work.exercise.hole("step")
    between = lambda start, end: f"printed {start} to {end}"  # noqa: E731
    return trials.HoleTrial(work.exercise, hole, finding, work, between)


def case(n):
    return {"what": "case", "sizes": {"n": n}}


def result(trial, wrong=0.0, second=0.0):
    right = trial.hole.computed(trial.hole.twin, trial.case.values)[0]
    return {"what": "result", "arrays": [right + wrong, right + second], "printed": (3, 5)}


def said(kind, text, line=4):
    return {"what": "raised", "said": {"kind": kind, "text": text, "line": line}, "printed": (1, 2)}


def test_what_is_wrong_with_the_smallest_shape_is_told_whatever_comes_after(trial):
    for n in (1, 2, 3):
        trial.take(case(n))
        trial.take(result(trial, 2.0 * (n == 2)))
    trial.take(case(5))
    trial.take(said("ValueError", "operands could not be broadcast"))
    trial.close()
    found = trial.finding
    assert (found.state, found.shapes, found.case, found.printed) == (
        trials.WRONG,
        2,
        "n 2",
        "printed 3 to 5",
    )
    assert "the smallest shape that is wrong: n 2" in found.lines[0] and found.key != "broadcast"
    assert found.error > 1e4


def test_what_is_raised_first_is_told_with_its_place(trial):
    trial.take(case(1))
    trial.take(result(trial))
    trial.take(case(2))
    trial.take(said("ValueError", "operands could not be broadcast together"))
    trial.close()
    found = trial.finding
    assert (found.state, found.shapes, found.key, found.hint) == (trials.FAILED, 1, "broadcast", trials.AXIS)
    assert found.lines == ["sgd.py, line 4: operands could not be broadcast together, for n 2"]
    assert (found.case, found.printed) == ("n 2", "printed 1 to 2")


@pytest.mark.parametrize(
    ("messages", "state", "lines"),
    [
        ([], trials.FAILED, ["it was not tried"]), ([case(1)], trials.FAILED, ["it was not tried"]),
        ([{"what": "missing"}], trials.FAILED, ["there is no function step in sgd.py"]),
        ([case(1), said("NotImplementedError", "x")], trials.EMPTY, []),
        ([case(1), said("KeyError", "raises KeyError", None)], trials.FAILED,
         ["sgd.py: raises KeyError, for n 1"]),
        ([case(3), {"what": "shape", "said": "returns None", "printed": (0, 0)}], trials.FAILED,
         ["it returns None, for n 3"]),
    ],
)  # fmt: skip
def test_a_function_without_a_result_is_told_why(trial, messages, state, lines):
    for message in messages:
        trial.take(message)
    trial.close()
    assert (trial.finding.state, trial.finding.lines, trial.finding.shapes) == (state, lines, 0)


def test_where_a_child_ended_is_told(trial):
    trial.ended("crashed")
    trial.close()
    assert (trial.finding.state, trial.finding.lines) == (trials.FAILED, ["it crashed"])
    trial.take(case(2))
    trial.ended("crashed")
    assert trial.finding.lines == ["it crashed, for n 2"]


def test_the_largest_error_of_both_calls_is_kept_and_differences_are_of_the_first_case():
    exercise = find("batchnorm")
    hole = exercise.hole("delta_mean")
    found = trials.HoleFinding("delta_mean")
    trial = trials.HoleTrial(exercise, hole, found, SimpleNamespace(language="python"))
    for numbers, off in (((2, 1, 1), 0.25), ((2, 2, 1), 0.5), ((2, 1, 2), 0.125)):
        trial.take({"what": "case", "sizes": dict(zip(exercise.named, numbers, strict=True))})
        right = hole.computed(hole.twin, trial.case.values)
        allowed = hole.allowed(trial.case.values, right)[0]
        trial.take({"what": "result", "arrays": [right[0], right[0] + off * allowed], "printed": (0, 0)})
        if off == 0.25:
            first = found.difference
            assert first == hints.against_differences(hole, trial.case, right[0])
    trial.close()
    assert found.error == pytest.approx(0.5) and found.difference == first
    assert (found.state, found.shapes) == (trials.RIGHT, 3)


def test_ones_own_tests_are_those_whose_names_say_so(tmp_path):
    path = tmp_path / "my_tests.py"
    path.write_text(
        "test_number = 3\ndef helper():\n    raise ValueError\ndef tests():\n    pass\n"
        "def test_b():\n    assert False, 'x\\n' * 12\ndef test_a():\n    pass\n"
    )
    messages = Messages()
    trying.own_tests({"tests": str(path)}, None, messages)
    assert [(each["what"], each.get("name")) for each in messages.sent] == [
        ("test", "tests"), ("passed", None), ("test", "test_b"), ("failed", None), ("test", "test_a"),
        ("passed", None),
    ]  # fmt: skip
    assert messages.sent[3]["said"] == {
        "line": 7, "kind": "AssertionError", "text": f"raises AssertionError: {chr(10).join('x' * 8)}",
    }  # fmt: skip


def test_a_result_that_differs_most_from_the_first_is_the_second():
    """Of calls with the large case; NaN is farthest."""
    nan, one = np.array([np.nan, 1.0]), np.array([1.0, 1.0])
    assert trying._distance([one], [one + 0.5]) == 0.5 and trying._distance([one], [one]) == 0
    assert trying._distance([one], [nan]) == np.inf and trying._distance([nan], [nan]) == 0
    assert trying._distance([one, one], [one + 0.25, one - 2]) == 2
    count = []

    def function(x, y):
        count.append(1)
        y[:] = x + {3: 5.0, 4: -9.0, 5: 1.0}.get(len(count), 0.0)

    hole = Hole("f", (array("x", "n"),), (array("y", "n"),), "", lambda x: x, lambda x: 1)
    exercise = Exercise("e", (hole,), ("n",), (), lambda sizes, rng: {"x": np.ones(2)}, (2,))
    messages = Messages()
    job = {"language": "cython", "shown": "e.pyx"}
    assert trying._tried(hole, function, exercise.case((2,)), job, messages, 7)
    told, found = messages.sent
    assert told == {"what": "case", "arrays": [], "sizes": {"n": 2}} and len(count) == 7
    np.testing.assert_array_equal(found["arrays"], [[1, 1], [-8, -8]])


def test_a_verdict_is_right_where_everything_is(tmp_path):
    work = folder.start("sgd", tmp_path / "a", "python")
    findings = [trials.HoleFinding("velocity", trials.RIGHT), trials.HoleFinding("step", trials.RIGHT)]
    assert checking.Verdict(work, findings).right
    findings[1].state = trials.FAILED
    assert not checking.Verdict(work, findings).right


def test_finite_differences_are_taken_close_by():
    at = np.array([1.0, 0.0, -200.0])
    found = [hints._quotient(lambda x: float(np.sin(x).sum()), at, (i,)) for i in range(3)]
    np.testing.assert_allclose(found, np.cos(at), atol=2e-6)
    assert found[:2] == pytest.approx(np.cos(at[:2]), abs=1e-8) and at.tolist() == [1.0, 0.0, -200.0]
