"""Runs with other optimisers, steps in parts, frozen weights, several views: kept, repeated and resumed."""

import json
import tomllib

import numpy as np
import pytest
import tiny

import cynet
from cynet import cli
from cynet.runs import checkpoint
from cynet.runs.state import checked
from cynet.train import DamagedError, load_weights

FLAGS = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--steps", 13, "--lr", 0.01)
pytestmark = pytest.mark.usefixtures("one_thread")

WAYS = {
    "nesterov": ("--optimizer", "nesterov", "--no-decay", "norm,bias", "--weight-decay", 0.1),
    "adam": ("--optimizer", "adam", "--momentum", 0.8, "--lookahead", "3:.75"),
    "in parts": ("--optimizer", "adamw", "--weight-decay", 0.1, "--no-decay", "bias", "--accumulate", 3),
    "frozen": ("--optimizer", "adam", "--freeze", "0.*,1.*", "--tta", "flip,shift", "--ema", 0.9),
    "rates": ("--lr-factor", "*.bias:8,0.weight:.5", "--no-decay", "norm", "--weight-decay", 0.1,
              "--freeze-after", "0.*:1", "--evaluate-every", 2, "--tta", "diagonal"),
    "all": ("--lookahead", "2:.5", "--accumulate", 2, "--freeze", "4.*", "--mixup", 0.3, "--clip-norm", 1,
            "--no-decay", "norm", "--tta", "flip", "--validation", 0.25),
}  # fmt: skip


def said(capsys, command, *arguments):
    more = ["--no-report"] if command == "train" else []
    status = cli.main([command, *more, *map(str, arguments)])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_repeated_and_resumed_to_the_bit(tmp_path, capsys, way):
    flags = (*FLAGS, *WAYS[way], "--checkpoint-every", 1)
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert said(capsys, "train", *flags, "--run-dir", whole)[0] == 0
    status, out, err = said(capsys, "verify", whole)
    assert (status, err) == (0, "") and "equal: 13 losses" in out
    stopped = [7 if flag == 13 else flag for flag in flags]  # in the middle of an epoch
    assert said(capsys, "train", *stopped, "--run-dir", half)[0] == 0
    more = ("--resume", half, "--steps", 13, "--allow-change", "steps", "--threads", 2)
    assert said(capsys, "train", *more)[0] == 0
    assert (half / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()
    for file in ("last.ckpt", "last.prev.ckpt"):
        checked(*checkpoint.load(whole / file))
    one, two = (checkpoint.load(run / "last.ckpt")[0] for run in (whole, half))
    assert all(np.array_equal(array, two[name]) for name, array in one.items()) and one.keys() == two.keys()


def test_what_is_frozen_is_as_it_was_drawn_also_its_norm(tmp_path, capsys):
    status, out, _ = said(capsys, "train", *FLAGS, "--freeze", "0.*,1.*", "--run-dir", tmp_path / "a")
    assert status == 0 and "\nfrozen: 3 of 11 parameters, " in out
    cynet.seed(0)
    drawn = cynet.models.create("uwnet2", classes=3).state_dict()
    found = load_weights(tmp_path / "a")[0].state_dict()
    same = {name for name in drawn if np.array_equal(drawn[name], found[name])}
    assert same == {"0.weight", *(name for name in drawn if name.startswith("1."))}
    assert said(capsys, "verify", tmp_path / "a")[0] == 0


def test_a_norm_of_which_a_part_is_frozen_goes_on_counting(tmp_path, capsys):
    status, out, _ = said(capsys, "train", *FLAGS, "--freeze", "0.*,1.weight", "--run-dir", tmp_path / "a")
    assert status == 0 and "\nfrozen: 2 of 11 parameters, " in out
    cynet.seed(0)
    drawn = cynet.models.create("uwnet2", classes=3).state_dict()
    found = load_weights(tmp_path / "a")[0].state_dict()
    same = {name for name in drawn if np.array_equal(drawn[name], found[name])}
    assert same == {"0.weight", "1.weight"}
    assert found["1.num_batches_tracked"] == 13


def test_a_step_in_parts_is_one_of_all_their_pictures(tmp_path, capsys):
    plain = ("--no-batch-norm", "--data", "tiny", "--workers", 0, "--lr", 0.01, "--epochs", 2)
    runs = {}
    for name, flags in {
        "whole": ("--batch-size", 24),
        "parts": ("--batch-size", 8, "--accumulate", 3),
    }.items():
        status, out, _ = said(capsys, "train", *plain, *flags, "--run-dir", tmp_path / name)
        assert status == 0
        runs[name] = load_weights(tmp_path / name)[0].state_dict()
        rows = (tmp_path / name / "steps.csv").read_text().splitlines()
        assert len(rows) == 1 + 2 * (64 // 24)
    assert "4 steps of 3 x 8;" in out and "an epoch is 2 steps of 3 x 8 pictures and leaves out 16" in out
    for name, array in runs["whole"].items():
        np.testing.assert_allclose(runs["parts"][name], array, rtol=1e-3, atol=1e-6)


def test_the_run_and_all_that_looks_at_it_judge_by_the_same_views(tmp_path, capsys):
    run = tmp_path / "run"
    flags = (*FLAGS, "--tta", "shift,flip", "--run-dir", run)
    status, out, _ = said(capsys, "train", *flags)
    last = out.splitlines()[-1]
    assert status == 0 and last.startswith("test accuracy ")
    rows = (run / "metrics.csv").read_text().splitlines()
    loss = float(dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))["test_loss"])
    losses = {}
    for more in ((), ("--tta", "none"), ("--flip", "--tta", "none"), ("--tta", "flip")):
        status, out, _ = said(capsys, "evaluate", run, *more, "--json", "-")
        found = json.loads(out)
        losses[more] = found["loss"], found["flip"], found["tta"]
    assert losses[()][0] == pytest.approx(loss, rel=1e-5) and losses[()][1:] == (True, "flip,shift")
    assert losses[("--tta", "none")][1:] == (False, None)
    assert losses[("--tta", "flip")] == losses[("--flip", "--tta", "none")]
    assert len({found[0] for found in losses.values()}) == 3
    status, out, _ = said(capsys, "evaluate", run)
    assert out.splitlines()[-1] == last and ", each the mean of its views: flip, shift" in out
    facts = load_weights(run)[1]
    assert facts.tta == "flip,shift" and cynet.Predictor(run).tta == "flip,shift"
    assert cynet.Predictor(run, tta="").tta == ""
    with pytest.raises(ValueError, match="tta: wanted"):
        cynet.Predictor(run, tta="crop")
    assert tomllib.loads((run / "config.toml").read_text())["tta"] == "flip,shift"


def test_predict_sees_views_too(tmp_path, capsys):
    pillow = pytest.importorskip("PIL.Image")
    run, picture = tmp_path / "run", tmp_path / "a.png"
    said(capsys, "train", *FLAGS, "--tta", "flip", "--run-dir", run)
    array = tiny.tiny().images[0].transpose(1, 2, 0)
    pillow.fromarray(array).save(picture)
    found = {}
    for tta in (None, "flip", "none", "flip,shift"):
        status, out, _ = said(capsys, "predict", run, picture, "--json", *(("--tta", tta) if tta else ()))
        assert status == 0
        found[tta] = out
    assert found[None] == found["flip"] and len(set(found.values())) == 3
    status, _, err = said(capsys, "predict", run, picture, "--tta", "crop")
    assert status == 2 and "--tta: wanted one of flip, shift, diagonal, got 'crop'" in err


def test_fine_tuning_from_a_run_is_repeated_too(tmp_path, capsys):
    assert said(capsys, "train", *FLAGS, "--run-dir", tmp_path / "base")[0] == 0
    flags = (
        "--init-from",
        tmp_path / "base",
        "--new-head",
        "--freeze",
        "[0-9].*",
        "--run-dir",
        tmp_path / "tuned",
    )
    status, out, _ = said(capsys, "train", *FLAGS, *flags)
    assert (
        status == 0
        and "begun from " in out
        and "drawn anew, and not used of the file: 12.weight, 12.bias" in out
    )
    assert said(capsys, "verify", tmp_path / "tuned")[0] == 0
    base, tuned = (load_weights(tmp_path / name)[0] for name in ("base", "tuned"))
    for one, other in zip(base.parameters(), tuned.parameters(), strict=True):
        assert np.array_equal(one.data, other.data) == (not one.name.startswith("12."))
    status, _, err = said(capsys, "train", "--resume", tmp_path / "tuned", "--new-head")
    assert status == 2 and "--new-head: not allowed with --resume" in err


@pytest.mark.parametrize(("flags", "words"), [
    (("--freeze", "0"), "--freeze: wanted a pattern of parameters, got '0', which matches none (did you"),
    (("--freeze", "*"), "--freeze: wanted a parameter left to train"),
    (("--optimizer", "nesterov", "--momentum", 0), "--optimizer: wanted a momentum above 0 for nesterov"),
    (("--accumulate", 9), "--accumulate: wanted at most 8 batches of 8 of the 64 training samples, got 9"),
    (("--new-head",), "--new-head: wanted weights to begin from beside it"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line_and_leaves_no_folder(tmp_path, capsys, flags, words):
    status, out, err = said(capsys, "train", *FLAGS, *flags, "--run-dir", tmp_path / "run")
    assert (status, out, err.count("\n")) == (2, "", 1) and words in err
    assert not (tmp_path / "run").exists()


def test_a_state_that_no_run_wrote_is_damaged(tmp_path, capsys):
    run = tmp_path / "run"
    assert said(capsys, "train", *FLAGS, *WAYS["adam"], "--run-dir", run)[0] == 0
    tensors, state = checkpoint.load(run / "last.ckpt")
    assert "optimizer.slow.0" in tensors and tensors["optimizer.skipped"].shape == (11,)
    for change, words in (
        ({"optimizer.skipped": np.full(11, 99)}, r"optimizer\.skipped: wanted whole numbers from 0 to 13"),
        ({"optimizer.slow.0": np.zeros(3, np.float32)}, r"shape of optimizer\.slow\.0: wanted"),
        ({"optimizer.slow.99": np.zeros(3, np.float32)}, r"unexpected: optimizer\.slow\.99"),
        ({"optimizer.0.exp_avg_sq": np.zeros(3)}, r"shape of optimizer\.0\.exp_avg_sq"),
    ):
        checkpoint.save(run / "other.ckpt", tensors | change, state)
        with pytest.raises(DamagedError, match=words):
            checkpoint.load(run / "other.ckpt", checked)


def test_the_rate_of_adam_is_its_own_where_nobody_gives_one(tmp_path, capsys):
    flags = ("--data", "tiny", "--batch-size", 8, "--workers", 0, "--steps", 5)
    for optimizer, rate in (("adam", 0.001), ("adamw", 0.001), ("nesterov", 0.1)):
        assert (
            said(capsys, "train", *flags, "--optimizer", optimizer, "--run-dir", tmp_path / optimizer)[0] == 0
        )
        assert tomllib.loads((tmp_path / optimizer / "config.toml").read_text())["lr"] == rate
