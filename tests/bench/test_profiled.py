"""`cynet bench profile` times nets of the registry, of files of one's own, of runs and of weights."""

import json

import pytest
import tiny

import cynet
from cynet import cli
from cynet.bench import per_layer, profiled
from cynet.bench.peak import Peak
from cynet.interop import safetensors
from cynet.train import Settings

OWN = """
import cynet

def model(input_shape, classes, width=4):
    layers = cynet.Conv2d(input_shape[-1], width, 3), cynet.GlobalAvgPool2d(), cynet.Linear(width, classes)
    return cynet.Sequential(*layers)
"""
PEAK = Peak(flops=100e9, copy=10e9, triad=20e9, read=12e9, threads=2, array_bytes=1)


def layers(report):
    return [row["layer"] for row in report.rows][:-3]


@pytest.mark.usefixtures("one_thread")
def test_a_file_of_ones_own_is_timed_with_its_options(tmp_path):
    (tmp_path / "net.py").write_text(OWN)
    report = per_layer.measure(str(tmp_path / "net.py"), PEAK, 2, repeat=1, options='{"width": 6}')
    assert [layer.partition("(")[0] for layer in layers(report)] == ["Conv2d", "GlobalAvgPool2d", "Linear"]
    assert layers(report)[-1] == "Linear(6, 10)" and report.rows[-1]["total"] > 0
    assert report.notes[0] == f"{tmp_path / 'net.py'}, batch 2, 1 threads."


@pytest.mark.usefixtures("one_thread")
def test_a_run_and_its_weights_are_timed_with_what_they_tell(tmp_path):
    run, steps = tmp_path / "run", {"batch_size": 16, "steps": 1, "lr": 0.01, "workers": 0}
    settings = Settings(data="tiny", model="uwnet1", **steps)
    assert cynet.runs.start(settings, run, report=False, say=None).status == "finished"
    for name in (run, run / "last.safetensors"):
        net = profiled.of(str(name))
        assert (net.shape, net.classes) == ((32, 32, 3), len(tiny.CLASSES)) and not net.create().input_grad
        report = per_layer.measure(str(name), PEAK, 2, repeat=1)
        assert layers(report)[-1] == "Linear(256, 3)"
        assert {row["input_shape"][0] for row in report.rows[:-3]} == {2}


def test_weights_that_no_training_wrote_tell_the_shape_of_a_graph(tmp_path):
    x = cynet.Input((5, 7, 2))
    model = cynet.Graph(x, cynet.Linear(2, 4)(cynet.GlobalAvgPool2d()(x)))
    safetensors.save(model, tmp_path / "a.safetensors")
    net = profiled.of(str(tmp_path / "a.safetensors"))
    assert (net.shape, net.classes, net.norm) == ((5, 7, 2), 4, "")
    other = cynet.Input((5, 7, 2))
    both = cynet.Linear(2, 4)(cynet.GlobalAvgPool2d()(cynet.Add()(x, other)))
    safetensors.save(cynet.Graph([x, other], both), tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="wanted a net of one input, got one of 2"):
        profiled.of(str(tmp_path / "b.safetensors"))


@pytest.mark.parametrize(("flags", "words"), [
    (("--model", "uwnt2"), "--model: wanted one of uwnet0, "),
    (("--model", "gone.py"), "gone.py: No such file"),
    (("--model", "net.py:other"), "wanted a function other in it"),
    (("--model", "net.py", "--model-option", "wdth=3"), "did you mean width?"),
    (("--model", "net.py", "--no-batch-norm"), "batch_norm: wanted a model of the registry"),
    (("--model", "uwnet1", "--model-option", "width=3"), "width: wanted an option of uwnet1"),
    (("--model", "text.txt"), "--model: text.txt: wanted weights in a safetensors file"),
    (("--model", ".", "--model-option", "width=3"), "model_option: wanted a function that takes it"),
    (("--model", "net.py", "--model-option", "width"), "--model-option: wanted KEY=VALUE"),
])  # fmt: skip
def test_what_cannot_be_timed_is_refused_in_a_line(tmp_path, monkeypatch, capsys, flags, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(OWN)
    (tmp_path / "text.txt").write_text(json.dumps({}))
    assert cli.main(["bench", "profile", *flags]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_the_side_of_pictures_is_that_of_the_net_that_is_made(tmp_path):
    (tmp_path / "net.py").write_text(OWN)
    for name in ("uwnet2", str(tmp_path / "net.py")):
        for side, shape in ((None, (32, 32, 3)), (48, (48, 48, 3))):
            net = profiled.of(name, side=side)
            assert (net.shape, net.classes) == (shape, 10) and net.create().output_shape((2, *shape)) == (
                2,
                10,
            )
    with pytest.raises(
        ValueError, match=r"^side: wanted a net of pictures, got conv1d_small, one of signals$"
    ):
        profiled.of("conv1d_small", side=48)
    assert profiled.of("conv1d_small").shape == (1024, 3)


def test_what_a_title_says_of_batch_norm():
    assert [profiled.of("uwnet2", on).norm for on in (True, False)] == [", batch norm on", ", batch norm off"]
    norms = [
        sum(
            isinstance(layer, cynet.BatchNorm2d)
            for _, layer in profiled.of("uwnet2", on, options).create().walk()
        )
        for on, options in ((True, None), (False, None), (True, '{"batch_norm": false}'), (False, "{}"))
    ]
    assert norms[0] > 0 and norms[1:] == [0, 0, 0]
