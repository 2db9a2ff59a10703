"""What a check says to a student who is stuck: numbers, prints, whom to mend first."""

import re

import numpy as np
import pytest
from test_exercises import NAMES, SOLUTIONS, module_of, tried

from cynet import cli
from cynet.lab import calls, checking, folder, grading, hints, saying, showing, trials
from cynet.lab.registry import find


def test_the_smallest_wrong_call_is_shown_in_numbers_with_what_it_printed(started):
    source = "def variance(x, m, groups):\n    print('x is', x.shape)\n    return m + 0.125 * x[0, 0]\n"
    work = started("batchnorm", source)
    work.tests.unlink()
    verdict = checking.check(work)
    finding = next(each for each in verdict.findings if each.name == "variance")
    names = [line.split(" = ")[0].strip() for line in finding.numbers if "=" in line]
    assert finding.hint is None and names == ["x", "m", "groups", "wanted", "got"]
    assert finding.case == "rows 2, groups 1, n 1" and finding.printed == "x is (2, 1)"
    text = saying.said(verdict)
    assert "variance printed, for rows 2, groups 1, n 1:\n          x is (2, 1)\n" in text
    assert "Your code printed" not in text and "groups = 1\n" in text


def test_how_many_elements_are_wrong_is_told_of_the_output_and_the_call_that_has_them():
    exercise = find("batchnorm")
    hole, case = exercise.hole("normalize"), exercise.case((7, 5, 3))
    right = hole.computed(hole.twin, case.values)
    wrong = [array.copy() for array in right]
    wrong[0][1, 2] = wrong[0][3, 4] = wrong[0][0, 14] = 99
    for first, second in ((wrong, right), (right, wrong), (wrong, wrong)):
        lines, found, wanted = hints._elements(hole, case, first, second)
        name = hole.gives[0].name
        told = f"{name}[0, 14]: wanted {right[0][0, 14]:.6g}, got 99"
        assert lines == [f"the first wrong element: {told}", f"3 of 105 elements of {name} are wrong"]
        assert found is wrong
        np.testing.assert_array_equal(wanted[0], right[0])
    assert hints._elements(hole, case, right, right)[0] == []


def test_a_large_wrong_call_is_cut_where_no_hint_says_what_it_is():
    hole = find("batchnorm").hole("normalize")
    case = find("batchnorm").case((7, 5, 3))
    wanted = hole.computed(hole.twin, case.values)
    lines = showing.numbers(hole, case, wanted, wanted, True)
    assert len(lines) < 60 and any("..." in line for line in lines) and all(len(line) < 90 for line in lines)
    assert showing.numbers(hole, case, wanted, wanted, False) == []


@pytest.mark.parametrize(
    ("axes", "text"),
    [
        ("0", "shape (3, 4): wanted v, an array of shape (3,) (groups): one axis is not summed"),
        ("None", "shape (): wanted v, an array of shape (3,) (groups): an axis too many is summed"),
        ("(0, 2), keepdims=True", "shape (1, 3, 1): wanted v, an array of shape (3,) (groups), as many"),
    ],
)
def test_a_wrong_shape_is_told_where_all_sizes_differ(axes, text):
    body = f"np.asarray((x.reshape(len(x), groups, -1) ** 2).mean(axis={axes}))"
    module = module_of(f"import numpy as np\ndef variance(x, m, groups):\n    return {body}\n")
    finding = tried("batchnorm", module, "python", ["variance"])["variance"]
    assert text in finding.lines[0] and finding.lines[0].endswith("for rows 2, groups 3, n 4"), finding.lines


def test_a_function_that_calls_a_wrong_one_is_not_blamed_itself(started):
    good = (SOLUTIONS / "softmax_loss.py").read_text()
    work = started("softmax-loss", good.replace("axis=1, keepdims=True)\n", "axis=0)\n"))
    work.tests.unlink()
    found = {each.name: each for each in checking.check(work).findings}
    assert found["softmax"].key == "columns" and found["losses"].state == trials.RIGHT
    assert found["gradient"].hint == "gradient calls your softmax, which is wrong above: mend that first"


def test_calls_are_found_through_helpers_in_cython_too(started):
    source = "# step(\ncdef float a(float x) nogil:\n    return b(x)\n\ndef b(x):\n    step(x)\n"
    source += "\ndef velocity(w):\n    return a(w)\n\n\ndef step(w):\n    return w\n"
    work = started("sgd", source, "cython")
    assert calls.called(work)["velocity"] == {"a", "b", "step"} and calls.called(work)["step"] == set()


def test_a_file_stands_for_its_folder_and_a_renamed_one_is_named(tmp_path, started):
    work = started("sgd")
    assert folder.open_folder(work.file).folder == work.folder
    work.file.rename(work.folder / "mine.py")
    with pytest.raises(folder.FolderError, match=r"got none; there is mine.py: was it renamed\?"):
        checking.check(work)
    (tmp_path / "a.zip").write_bytes(b"")
    grades = list(grading.grade([str(tmp_path / "a.zip")]))
    assert grades[0].problem.startswith("wanted a folder of the lab") and "Errno" not in grades[0].problem


def test_a_failing_test_of_ones_own_says_what_differs(started):
    work = started("sgd", (SOLUTIONS / "sgd.py").read_text().replace("momentum * v", "v"))
    text = saying.said(checking.check(work))
    assert "0 of 1 pass" in text and "raises AssertionError: Not equal to tolerance" in text
    assert re.search(r"\n +Mismatched elements: \d / 3", text), text


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_an_exercise_has_each_heading_once(started, name):
    text = (started(name).folder / folder.TEXT).read_text()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings)) > 2 and "TIPS" not in text and "\n- `" in text


def test_to_train_all_functions_have_to_be_right_and_the_data_to_be_there(capsys, tmp_path, started):
    work = started("sgd", (SOLUTIONS / "sgd.py").read_text())
    words = ["lab", "train", work.folder, "--data", "cifar10", "--data-dir", tmp_path / "none"]
    status, err = cli.main(list(map(str, words))), capsys.readouterr().err
    assert status == 1 and "CIFAR-10 is not here: `cynet data fetch cifar10`, or --data-dir" in err
    work.file.write_text((SOLUTIONS / "sgd.py").read_text().replace("w - rate", "w + rate"))
    status, err = cli.main(list(map(str, words))), capsys.readouterr().err
    assert status == 1 and "step is not right yet: training needs all 2; see cynet lab check" in err


def test_arrays_that_do_not_meet_get_a_hint():
    module = module_of("import numpy as np\ndef variance(x, m, groups):\n    return x - np.ones((3, 1))\n")
    finding = tried("batchnorm", module, "python", ["variance"])["variance"]
    assert finding.state == trials.FAILED and finding.lines[0].endswith("for rows 2, groups 1, n 1")
    assert finding.key == "broadcast" and "v[:, None]" in finding.hint
