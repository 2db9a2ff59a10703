"""Pages of runs whose tables hold odd numbers, in a real browser: what is not known is a gap."""

import re

import pytest
from dom import CHROMIUM, browsed, parsed

from cynet.report import gather, page
from cynet.runs import contents

WRONG = re.compile("NaN|Infinity|undefined|null")
METRICS = "step,epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds"
STEPS = "step,epoch,lr,loss,accuracy,seconds"
ODD = {
    "one row": ([METRICS, "8,1,0.1,2,0.5,2,0.5,1"], [STEPS, "1,1,0.1,2,0.5,1"]),
    "no row": ([METRICS], [STEPS]),
    "far away": (
        [METRICS, f"{10**15},1,1e-320,3e38,0,1e-320,1,1e9"],
        [STEPS, f"{10**15},1,3e38,-3e38,0,1e9", "1,1,0,0,0,0"],
    ),
    "gaps": (
        [METRICS, "8,1,0.1,,0.5,nan,7.0,1", "16,x,,2,0.5,inf,0.5,"],
        [STEPS, "1,1,,nan,0.5,1", "2,1,0.1,inf,x,"],
    ),
    "no order": (
        [METRICS, "16,2,0.1,1,1,1,1,2", "8,1,0.1,2,0.5,2,0.5,1"],
        [STEPS, "2,1,0.1,1,1,2", "1,1,0.1,2,1,1"],
    ),
    "few columns": (["step,test_loss", "8,1", "16,0.5"], ["loss,step", "1,2", "2,1"]),
    "steps alone": (["step;loss"], [STEPS, "1,1,0.1,2,0.5,1", "2,1,0.1,1,0.5,1"]),
}  # fmt: skip


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_page_of_odd_numbers_is_drawn_without_an_error(tmp_path):
    for name, (metrics, steps) in ODD.items():
        run = tmp_path / name
        run.mkdir()
        (run / "metrics.csv").write_text("\n".join([*metrics, ""]))
        (run / "steps.csv").write_text("\n".join([*steps, ""]))
    read = {name: contents.read(tmp_path / name) for name in ODD}
    for name, run in read.items():
        document = gather.gather(run, [other for other in read.values() if other is not run])
        (tmp_path / "x.html").write_text(page.render(document))
        dom, console = browsed(tmp_path / "x.html", "--window-size=1400,900")
        assert console == [], name
        tree = parsed(dom)
        for part in (tree.one("main"), tree.one("header")):
            drawn = [value for node in part.walk() for value in node.attributes.values() if value]
            assert not WRONG.search("\n".join([part.text, *drawn])), name
        curves = tree.one("section", id="curves").all("svg")
        assert bool(curves) == bool(run.epochs.get("step") or run.steps.get("step")), name
