"""What a command loads before it does anything: help is there at once."""

import pytest
from helpers import run_python

PROGRAM = """
import contextlib, io, sys
from cynet.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main({arguments!r})
assert "usage" in out.getvalue()
print(*sorted(name for name in sys.modules if name.startswith({unwanted!r})))
"""


@pytest.mark.parametrize(("arguments", "unwanted"), [
    (["--help"], ("numpy", "cynet.nn", "cynet.kernels", "cynet.data", "cynet.train")),
    (["train", "--help"], ("cynet.nn", "cynet.kernels", "cynet.models", "cynet.optim", "cynet.train")),
])  # fmt: skip
def test_help_loads_no_layer(arguments, unwanted):
    done = run_python("-c", PROGRAM.format(arguments=arguments, unwanted=unwanted))
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_settings_are_data_that_need_no_numpy():
    program = (
        "import sys; from cynet.runs.settings import Settings; from cynet.runs import origins, ranges; "
        "Settings.unflat(Settings(lr_steps={3: 0.1}).flat()); "
        "print([name for name in ('numpy', 'cynet.nn', 'cynet.data') if name in sys.modules])"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
