"""The page is written: where its figures go, what stands beside it, how layers are timed, what is said."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hand_made import DOCUMENT

import cynet
from cynet.core.threads import get_num_threads
from cynet.report import gather, writing
from cynet.runs.errors import PlotsError


@pytest.mark.parametrize(("page", "folder"), [
    ("run/report.html", "run/plots"), ("run/other.html", "run/other-plots"), ("x.y.htm", "x.y-plots"),
])  # fmt: skip
def test_where_the_figures_of_a_page_go(tmp_path, page, folder):
    assert Path(writing.plots_of(tmp_path / page)) == tmp_path / folder


@pytest.mark.parametrize(("shape", "batch"), [
    ((31, 32, 3), 128), ((32, 32, 3), 128),  # 64 channels of 1,024 pixels
    ((33, 32, 3), 124), ((256, 255, 3), 2), ((2000, 2000, 3), 2),
])  # fmt: skip
def test_layers_of_large_outputs_are_timed_in_smaller_batches(shape, batch):
    model = cynet.Sequential(cynet.Conv2d(3, 64, 3, padding=1), cynet.MaxPool2d(2))
    assert writing.batch_of(model, shape) == batch


def test_the_times_of_layers_are_medians_of_a_training_step(monkeypatch):
    asked = []

    def times(leaves, x, repeat):
        asked.append((x.shape, repeat, [layer.training for _, layer, _ in leaves]))
        return np.array([[[0.1, 0.5], [0.3, 0.123456], [0.2, 0.1]]] * len(leaves))

    monkeypatch.setattr(writing.per_layer, "times", times)
    monkeypatch.setattr(writing, "processor", lambda: "A processor")
    model = cynet.models.create("uwnet2").eval()
    found = writing._times(model, (32, 32, 3))
    assert (found["batch"], found["threads"], found["processor"]) == (128, get_num_threads(), "A processor")
    assert asked == [((128, 32, 32, 3), 7, [True] * len(model))] and not any(l.training for l in model.layers)
    x = np.zeros((1, 32, 32, 3), np.float32)
    for (path, layer, _), row in zip(model.trace((1, 32, 32, 3)), found["rows"], strict=True):
        x = layer(x)
        assert row == {"path": path, "layer": writing.per_layer.short(layer), "output": list(x.shape[1:]),
                       "forward": 0.2, "backward": 0.1235}  # fmt: skip


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Writes a page of the hand-made document; what was gathered, and what was said."""
    asked, said = [], []

    def gathered(*given):
        asked.append(given)
        return DOCUMENT

    monkeypatch.setattr(gather, "gather", gathered)
    monkeypatch.setattr(writing, "_neighbours", lambda run: [f"beside {run.name}"])
    monkeypatch.setattr(writing, "commands", lambda run: (f"command of {run.name}", False))
    run = SimpleNamespace(name="first", plain={"data": "d"}, data_dir="its data")

    def write(*others, output="report.html", **more):
        writing.write([run, *others], tmp_path / output, say=said.append, **more)
        return asked[-1], said

    return write


def test_all_that_was_asked_for_is_gathered(written, monkeypatch, tmp_path):
    monkeypatch.setattr(writing.plots, "write", lambda document, folder: [folder / "a.png"])
    (run, others, *rest), said = written()
    assert (run.name, others) == ("first", ["beside first"])
    assert rest == ["its data", "last.safetensors", writing._times, "command of first", False]
    (_, others, *rest), _ = written("other", data_dir="mine", weights="best.safetensors", timing=False)
    assert others == ["other"] and rest[:3] == ["mine", "best.safetensors", None]
    size = (tmp_path / "report.html").stat().st_size
    assert said[:3] == ["note: a note", f"{tmp_path}/plots/a.png",
                        f"{tmp_path}/report.html: {size / 1024:,.0f} KiB; open it in a browser"]  # fmt: skip


def test_a_page_is_there_when_its_figures_cannot_be(written, monkeypatch, tmp_path):
    def missing(document, folder):
        raise ImportError("no matplotlib")

    monkeypatch.setattr(writing.plots, "write", missing)
    _, said = written(output="other.html")
    assert said[1] == f"note: no PNG files in {tmp_path}/other-plots: no matplotlib"
    assert said[2].startswith(f"{tmp_path}/other.html: ")

    def full(document, folder):
        raise OSError(28, "No space left on device", "x.png")

    monkeypatch.setattr(writing.plots, "write", full)
    with pytest.raises(PlotsError) as caught:
        written(output="third.html")
    assert caught.value.errno == 28 and (tmp_path / "third.html").is_file()


def test_runs_beside_one_are_read_and_those_that_cannot_be_left_out(monkeypatch):
    def opened(path):
        if path.startswith("bad"):
            raise (ValueError if path == "bad" else OSError)(path)
        return f"run {path}"

    asked = []
    monkeypatch.setattr(writing.runs, "open", opened)
    monkeypatch.setattr(
        writing.contents, "beside", lambda run, most: asked.append((run, most)) or ["a", "bad", "bad2", "b"]
    )
    assert writing._neighbours("this") == ["run a", "run b"] and asked == [("this", 20)]
