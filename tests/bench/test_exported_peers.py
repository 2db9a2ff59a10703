"""The peers that run the ONNX file of a net: the same outputs, their threads, and where they take no part."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet import cli
from cynet.bench import exported, measuring, peers, profiled, speed, timing
from cynet.bench.exported import WAYS, FilePeer

INSTALLED = [
    pytest.param("onnxruntime", marks=pytest.mark.onnxruntime),
    pytest.param("openvino", marks=pytest.mark.openvino),
]


def skip_without(name):
    """Skip the test where a peer is not installed, without an import of it, of which OpenVINO would tell."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


@pytest.fixture
def net():
    """Three layers, of which two can be one."""
    cynet.seed(0)
    model = cynet.Sequential(cynet.Conv2d(3, 8, 3), cynet.BatchNorm2d(8), cynet.ReLU())
    model[1].running_mean[...] = np.linspace(-1, 1, 8)
    return model.eval()


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 9, 7, 3), dtype=np.float32)


@pytest.fixture
def started(net, x):
    """(a peer that gives what the net does, which it read where it was started; how it was started)."""
    starts, y = [], net(x)

    def start(content, given, threads):
        starts.append((content, given, threads))
        return lambda: np.moveaxis(y, -1, 1) if given.shape[1] == 3 else y

    return FilePeer("other", start), starts


@pytest.mark.parametrize("way", WAYS)
def test_a_file_has_its_channels_where_its_way_says_and_batch_norm_folded_or_not(net, x, way):
    path_of = exported.written(net, x.shape[1:], way)
    given = exported.arranged(x, way)
    assert given.flags.c_contiguous and given.shape == ((2, 9, 7, 3) if "NHWC" in way else (2, 3, 9, 7))
    assert (b"BatchNormalization" in path_of) == ("folded" not in way)
    assert exported.arranged(x[0, 0], way).shape == (7, 3)  # rows of features are as they are


def test_a_session_is_made_for_each_number_of_threads_when_it_is_first_wanted(started, net, x):
    peer, starts = started
    run = peer.inference(exported.converted(net), x, "NHWC")
    assert starts == []
    for threads in (1, 2, 1, 2, 3):
        peer.set_num_threads(threads)
        run()
    assert [threads for *_, threads in starts] == [1, 2, 3]
    assert all(content == exported.written(net, x.shape[1:], "NHWC") for content, *_ in starts)


def test_equal_outputs_are_looked_for_every_way_and_what_trains_is_refused(started, net, x):
    peer, starts = started
    net.train()
    peer.check_equal(net, net, x, False)
    assert len(starts) == len(WAYS) and net[1].training
    starts.clear()
    peer.start = lambda *given: lambda: np.ones((2, 8, 7, 5), np.float32)
    with pytest.raises(ValueError, match="same logits from cynet and other, got a difference of"):
        peer.check_equal(net, net, x, False)
    with pytest.raises(ValueError, match="got one in training: other cannot train"):
        peer.check_equal(net, net, x, True)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_peer_that_is_installed_gives_cynets_outputs(name, threads, net, x):
    skip_without(name)
    peer = peers.load(name)
    peer.set_num_threads(threads)
    peer.check_equal(net, peer.converted(net), x, False)
    with cynet.no_grad():
        ours = net(x)
    np.testing.assert_allclose(peer.inference(net, x, "NHWC, folded")(), ours, atol=1e-5)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_run_of_ones_own_is_timed_beside_a_peer(name, tmp_path, net, capsys):
    skip_without(name)
    model = cynet.Sequential(net, cynet.GlobalAvgPool2d())
    cynet.interop.safetensors.save(model, tmp_path / "own.safetensors")
    file = str(tmp_path / "own.safetensors")
    arguments = ["--model", file, "--against", name, "--batch-size", "2", "--repeat", "1", "--threads", "1,2"]
    assert cli.main(["bench", "infer", *arguments]) == 0
    out = capsys.readouterr().out
    assert f"{name} / cynet" in out and "own.safetensors" in out and "NHWC, folded" in out
    assert "batch norm o" not in out  # nobody knows


@pytest.mark.onnxruntime
def test_its_threads_are_asleep_when_a_turn_begins():
    skip_without("onnxruntime")
    assert peers.load("onnxruntime").rest is timing.settle


def test_threads_that_still_run_are_waited_for(monkeypatch, tmp_path):
    """By what the system says of each: its own runs, one has ended, one runs or waits for a processor."""
    slept, own = [], str(timing.threading.get_native_id())
    for name, state in ((own, "R"), ("7", "S"), ("8", "R")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(f"{name} (R (x) R) {state} 1 2 3\n")
    (tmp_path / "9").mkdir()

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) in (5, 9):
            (tmp_path / "8" / "stat").write_text(f"8 (x) {'S' if len(slept) == 9 else 'R'} 1\n")
        if len(slept) == 3:
            (tmp_path / "8" / "stat").write_text("8 (x) D 1\n")

    monkeypatch.setattr(timing, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(timing, "TASKS", tmp_path)
    timing.settle()
    assert len(slept) == 4  # asleep the third and the fourth time
    slept[:] = [0.0] * 4  # it runs from now on
    timing.settle()
    assert len(slept) == 10
    (tmp_path / "8" / "stat").write_text("8 (x) R 1\n")
    slept[:] = [0.0] * 10
    timing.settle()
    assert sum(slept) == pytest.approx(timing.LONGEST_REST)
    slept.clear()
    monkeypatch.setattr(timing, "TASKS", tmp_path / "none")
    timing.settle()
    assert slept == [timing.UNTOLD_REST]


@pytest.mark.skipif(not timing.TASKS.is_dir(), reason="the system does not tell of threads")
def test_a_thread_that_spins_is_seen_and_one_that_sleeps_is_not():
    stop, done = timing.threading.Event(), timing.threading.Event()

    def spin():
        while not stop.is_set():
            sum(range(100))
        done.wait()

    thread = timing.threading.Thread(target=spin)
    thread.start()
    try:
        seen = any(timing._others_run() for _ in range(1000))
        stop.set()
        timing.settle()
        assert seen and not timing._others_run()
    finally:
        stop.set(), done.set()
        thread.join()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("what", [one for one in peers.PEERS["torch"] if one != "infer"])
def test_what_cannot_train_is_refused_and_told_what_it_can(name, what, capsys):
    assert cli.main(["bench", what, "--against", name]) == 2
    said = f"--against: wanted torch for {what}, got {name}, which takes part in infer"
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and out == ""
    with pytest.raises(ValueError, match=f"wanted torch for {what}, got {name}"):
        next(measuring.reports(measuring.Wanted(what, against=name)))


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_one_that_is_not_installed_is_named(name, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, name, None)
    monkeypatch.delitem(__import__("sys").modules, f"cynet.bench.{name}_peer", raising=False)
    assert cli.main(["bench", "infer", "--against", name]) == 2
    said = f"--against: wanted the package {name}, got none (python -m pip install {name})"
    assert said in capsys.readouterr().err


def test_a_turn_begins_when_those_before_have_come_to_rest(monkeypatch, clock, peer):
    done = []
    peer.rest = lambda: done.append("rest")
    peer.set_num_threads = lambda n: done.append("peer")
    peer.inference = lambda net, x, way: clock(1.0)
    monkeypatch.setattr(speed, "set_num_threads", lambda n: done.append("cynet"))
    monkeypatch.setattr(speed.workload, "inference", lambda model, x: clock(1.0))
    speed.measure(speed.Setup(False, ("uwnet2",), (1,), (1,), peer="other", rounds=1))
    assert done[:6] == ["rest", "cynet", "rest", "peer", "rest", "peer"]


@pytest.mark.parametrize("fixed", [True, False])
def test_beside_a_peer_whose_weights_cannot_change_those_of_cynet_cannot_either(
    monkeypatch, clock, peer, fixed
):
    seen = []
    peer.inference = lambda net, x, way: clock(1.0)
    monkeypatch.setattr(peers, "FIXED", ("other",) if fixed else ())
    monkeypatch.setattr(speed.workload, "inference", lambda model, x: seen.append(model) or clock(1.0))
    made = speed.measure(speed.Setup(False, ("uwnet2",), (1,), (1,), peer="other", rounds=1))
    assert all(parameter.is_sealed == fixed for parameter in seen[0].parameters())
    assert any("cynet's net is sealed" in note for note in made.notes) == fixed


def test_a_file_of_weights_is_a_model_of_inference(tmp_path, net, capsys):
    cynet.interop.safetensors.save(net, tmp_path / "own.safetensors")
    file = str(tmp_path / "own.safetensors")
    report = speed.measure(speed.Setup(False, (file, "uwnet2"), (2,), rounds=1))
    assert [row["batch_norm"] for row in report.rows] == [None, True] and "batch norm on" in report.notes[0]
    assert not profiled.of(file).norm
    with pytest.raises(ValueError, match="side: wanted a net that is made for it, got weights"):
        profiled.of(file, side=64)
    assert cli.main(["bench", "infer", "--model", file, "--batch-size", "2", "--repeat", "1"]) == 0
    assert capsys.readouterr().out.count("own.safetensors") == 1


@pytest.mark.openvino
def test_nobody_is_told_over_the_network_of_a_comparison():
    skip_without("openvino")
    program = "import sys\nfrom cynet.bench import peers\npeers.load('openvino')\nprint(sorted(sys.modules))"
    names = run_python("-c", program).stdout
    assert "openvino_peer" in names and "openvino_telemetry." not in names


@pytest.mark.parametrize("name", INSTALLED)
def test_after_a_comparison_a_signal_is_handled_as_before(name):
    """Of its sessions one ends after another that had begun later."""
    skip_without(name)
    program = f"""
import gc, os, signal
import numpy as np
import cynet
from cynet.bench import exported, peers

content = exported.written(cynet.Sequential(cynet.ReLU()).eval(), (4, 4, 3), "NHWC")
x = np.ones((1, 4, 4, 3), np.float32)
peer, runs, seen = peers.load({name!r}), [], []
for _ in range(2):
    runs.append(peer._start(content, x, 1))
    runs[-1]()
del runs[0]
gc.collect()
runs.clear()
gc.collect()
signal.signal(signal.SIGTERM, lambda *given: seen.append(1))
os.kill(os.getpid(), signal.SIGTERM)
print("seen", seen)
"""
    done = run_python("-c", program)
    assert (done.returncode, done.stdout) == (0, "seen [1]\n"), done.stderr


def test_pictures_have_the_sides_that_are_asked_for(shown):
    made = speed.measure(speed.Setup(False, ("uwnet2",), (1,), rounds=1, side=48))
    assert profiled.of("uwnet2", side=48).shape == (48, 48, 3) and shown(made)[0]["side"] == "48"
    with pytest.raises(ValueError, match="side: wanted a net of pictures, got conv1d_small, one of signals"):
        profiled.of("conv1d_small", side=48)
