"""Runs whose steps are cut into shards, in one process: resumed, verified, and of texts."""

import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

import cynet
from cynet import cli
from cynet.runs.checkpoint import load
from cynet.train import Settings

pytestmark = pytest.mark.usefixtures("one_thread")
SHARDED = {
    "data": "tiny", "model": "uwnet1", "batch_size": 16, "lr": 0.02, "shards": 4, "workers": 0, "threads": 1,
    "augment": "flip", "checkpoint_every": 2,
}  # fmt: skip


def weights(run):
    return (run / "last.safetensors").read_bytes()


@pytest.mark.parametrize("more", [{}, {"sync_batch_norm": True}, {"accumulate": 2}], ids=str)
def test_a_run_that_went_on_has_the_bytes_of_one_that_was_never_stopped(tmp_path, more):
    class Stopping(cynet.train.Observer):
        def stepped(self, progress):
            if progress.step == 3:
                raise KeyError("stop")

    settings, options = Settings(**SHARDED, steps=6, **more), {"report": False, "say": None}
    cynet.runs.start(settings, tmp_path / "whole", **options)
    with pytest.raises(KeyError):
        cynet.runs.start(settings, tmp_path / "parts", observers=[Stopping()], **options)
    cynet.runs.resume(tmp_path / "parts", **options)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert cli.main(["verify", str(tmp_path / "parts"), "--steps", "6"]) == 0
    _, state = load(tmp_path / "whole" / "last.ckpt")
    assert state["config"]["shards"] == 4


def test_the_number_of_shards_is_settled_when_a_run_begins(tmp_path):
    cynet.runs.start(Settings(**SHARDED, steps=2), tmp_path / "run", report=False, say=None)
    with pytest.raises(cynet.runs.RefusedError, match="the weights depend on shards"):
        cynet.runs.resume(tmp_path / "run", shards=2, report=False, say=None)


def test_a_text_is_cut_by_rows(tmp_path):
    settings = Settings(
        data="alice", model="language_model", model_option={"hidden": 8}, batch_size=8, shards=4, steps=3,
        sequence_length=12, threads=1, checkpoint_every=1, lr=0.01,
    )  # fmt: skip
    cynet.runs.start(settings, tmp_path / "run", report=False, say=None)
    assert cli.main(["verify", str(tmp_path / "run"), "--steps", "3"]) == 0
