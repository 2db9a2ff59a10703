"""The program that comes with a net as C: what it reads, prints and refuses."""

import c_programs as c
import numpy as np
import pytest

import cynet

pytestmark = c.needs_compiler
CLASSES = 'quo"te', "back\\slash", "what??/", "Grüße", "100 %d", "a*/b"
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
SHAPE = 6, 5, 3


@pytest.fixture(scope="module")
def net():
    cynet.seed(3)
    layers = [cynet.Conv2d(3, 8, 3, padding=1), cynet.BatchNorm2d(8), cynet.ReLU(), cynet.GlobalAvgPool2d()]
    return c.varied(cynet.Sequential(*layers, cynet.Linear(8, 6)))


@pytest.fixture(scope="module")
def program(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    cynet.interop.save_c(net, folder, SHAPE, pixels=(MEAN, STD), classes=CLASSES, name="Letters_2")
    return c.compiled(folder, "-O1")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (7, *SHAPE)).astype(np.uint8)


def logits(net, pictures):
    return c.evaluated(net, ((pictures / 255 - MEAN) / STD).astype(np.float32))


def test_outputs_of_all_pictures_of_all_files(net, program, pictures, tmp_path):
    files = c.stored(tmp_path / "a", pictures[:4]), c.stored(tmp_path / "b", pictures[4:])
    c.assert_near(c.answers(program, "--outputs", *files), logits(net, pictures), 1e-6)


def test_classes_come_best_first_with_their_probabilities(net, program, pictures, tmp_path):
    lines = c.run(program, c.stored(tmp_path / "a", pictures)).stdout.splitlines()
    for line, row in zip(lines, logits(net, pictures), strict=True):
        shares = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        best = np.argsort(-row)[:5]
        assert line == ", ".join(f"{CLASSES[i]} {100 * shares[i]:.1f} %" for i in best)


def test_pictures_with_headers(program, pictures, tmp_path):
    plain = c.run(program, c.stored(tmp_path / "a", pictures[:1])).stdout
    picture = tmp_path / "a.ppm"
    picture.write_bytes(b"P6\n# a comment, 7\n5 6 # another\n255\n" + pictures[0].tobytes())
    assert c.run(program, picture).stdout == plain


WRONG = {
    "size.ppm": (b"P6 6 5 255\n" + bytes(90), "wanted 5 x 6 pixels of 0 to 255, got 6 x 5 of 0 to 255"),
    "deep.ppm": (b"P6 5 6 65535\n" + bytes(180), "wanted 5 x 6 pixels of 0 to 255, got 5 x 6 of 0 to 65535"),
    "cut.ppm": (b"P6 5", "wanted 5 x 6 pixels of 0 to 255, got 5 x -1 of 0 to -1"),
    "grey.ppm": (b"P5 5 6 255\n" + bytes(30), "wanted a picture that begins with P6"),
    "none": (b"", "wanted samples of 90 bytes, got 0 bytes after 0 of them"),
    "more": (bytes(91), "wanted samples of 90 bytes, got 1 bytes after 1 of them"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_do_not_fit_are_named(program, tmp_path, name):
    (tmp_path / name).write_bytes(WRONG[name][0])
    done = c.tried(program, tmp_path / name)
    assert done.returncode == 1 and done.stderr == f"{tmp_path / name}: {WRONG[name][1]}\n"


def test_a_missing_file_and_no_file_are_told(program, tmp_path):
    done = c.tried(program, tmp_path / "missing")
    assert done.returncode == 1 and done.stderr == f"{tmp_path / 'missing'}: No such file or directory\n"
    done = c.tried(program)
    assert done.returncode == 1 and done.stderr == "usage: main [--outputs] FILE...\n"


def test_eight_bits_that_are_no_classes_are_printed_as_the_numbers_they_are(tmp_path):
    net = cynet.Linear(3, 1)
    x = np.random.default_rng(0).standard_normal((50, 3), np.float32)
    cynet.interop.save_c(net, tmp_path, (3,), samples=x)
    program, file = c.compiled(tmp_path, "-O1"), c.stored(tmp_path / "x", x)
    c.assert_near(c.answers(program, file), c.evaluated(net, x), 0.05)
    whole = c.answers(program, "--outputs", file)
    assert (whole == whole.round()).all()
