"""Nets as C for other processors, in emulators, built by the Makefile that comes with them."""

import shutil

import c_programs as c
import numpy as np
import pytest

import cynet

pytestmark = pytest.mark.cross
BOARDS = {"cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
LINUX = "aarch64", "riscv64"


def need(*programs):
    missing = [name for name in ("make", *programs) if not shutil.which(name)]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}")


def built(folder, machine, *settings):
    """The command that starts a net's program on a machine, a function of its words."""
    if machine in LINUX:
        need(f"{machine}-linux-gnu-gcc", f"qemu-{machine}")
        c.run("make", "-B", f"CC={machine}-linux-gnu-gcc", "ARCH=-static -Werror", *settings, cwd=folder)
        return lambda *words: (f"qemu-{machine}", folder / "main", *words)
    need("arm-none-eabi-gcc", "qemu-system-arm")
    c.run("make", machine, *settings, cwd=folder)

    def command(*words):
        line = ",".join(["enable=on", "target=native", *(f"arg={word}" for word in ("main", *words))])
        board = "-machine", BOARDS[machine], "-kernel", folder / f"main-{machine}.elf"
        return "qemu-system-arm", "-nographic", "-monitor", "none", "-semihosting-config", line, *board

    return command


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A small net for pictures, built: its folder, a file of pictures, and what it prints here."""
    need("cc")
    folder = tmp_path_factory.mktemp("classifier")
    cynet.seed(1)
    body = cynet.Conv2d(20, 20, 3, padding=1), cynet.BatchNorm2d(20)
    layers = [cynet.Conv2d(3, 20, 3, padding=1), cynet.ReLU(), cynet.Residual(cynet.Sequential(*body))]
    layers += [cynet.ReLU(), cynet.MaxPool2d(2), cynet.Conv2d(20, 20, 3, groups=20), cynet.GlobalAvgPool2d()]
    model = c.varied(cynet.Sequential(*layers, cynet.Linear(20, 4)))
    pixels = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    cynet.interop.save_c(model, folder, (9, 11, 3), pixels=pixels, classes=["a", "b", "c", "d"])
    c.run("make", "ARCH=-march=native -Werror", cwd=folder)
    pictures = np.random.default_rng(1).integers(0, 256, (20, 9, 11, 3)).astype(np.uint8)
    file = c.stored(folder / "pictures", pictures)
    here = c.run(folder / "main", "--outputs", file).stdout, c.run(folder / "main", file).stdout
    c.assert_near(
        c.numbers(here[0]), c.evaluated(model, ((pictures / 255 - pixels[0]) / pixels[1]).astype("f"))
    )
    return folder, file, here


@pytest.mark.parametrize("machine", [*LINUX, *BOARDS])
def test_the_same_bits_as_here(classifier, machine):
    folder, file, here = classifier
    command = built(folder, machine)
    assert c.run(*command("--outputs", file)).stdout == here[0]
    assert c.run(*command(file)).stdout == here[1]


def test_the_same_bits_without_vectors(classifier):
    folder, file, here = classifier
    c.run("make", "-B", "ARCH=-DNO_VECTORS -Werror", cwd=folder)
    assert c.run(folder / "main", "--outputs", file).stdout == here[0]


@pytest.mark.parametrize("machine", [*LINUX, *BOARDS])
def test_every_operation(tmp_path, machine):
    model, shape = c.of_everything()
    cynet.interop.save_c(model, tmp_path, shape)
    x = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    command = built(tmp_path, machine, "CFLAGS=-std=c99 -O1 -ffp-contract=off -Wall -Wextra -Werror")
    found = c.answers(*command("--outputs", c.stored(tmp_path / "x", x)))
    c.assert_near(found, c.evaluated(model, x))
