"""Without the room that writes pages a run is trained and kept all the same."""

from pathlib import Path

from helpers import run_python

import cynet

PROGRAM = """
import sys
# What finds a checkout that was installed with -e would find the room there.
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in getattr(each, "__module__", "")]
import cynet
import numpy as np
from cynet.train import Settings
pictures = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), np.uint8)
cynet.data.register("few", lambda root, split: cynet.data.ArrayDataset(pictures, np.arange(40) % 2))
settings = Settings(data="few", model="uwnet0", steps=2, batch_size=20, workers=0)
outcome = cynet.runs.start(settings, sys.argv[1], report=True)
assert outcome.status == "finished", outcome
print(cynet.__file__)
"""


def test_a_run_ends_well_and_says_that_there_is_no_page(tmp_path):
    package = tmp_path / "cynet"
    package.mkdir()
    for path in Path(cynet.__file__).parent.iterdir():
        if path.name not in ("report", "__pycache__"):
            (package / path.name).symlink_to(path)
    done = run_python("-c", PROGRAM, tmp_path / "run", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(package / "__init__.py")
    assert "note: no report.html: wanted cynet.report, which writes it, got a cynet without" in done.stdout
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert "report.html" not in made and "best.safetensors" in made
