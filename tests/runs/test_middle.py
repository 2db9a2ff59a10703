"""Pictures that are kept larger than they are cut: what is trained on, and which part is evaluated."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

import cynet
from cynet import cli, data
from cynet.runs import matching, middle
from cynet.runs.facts import Facts
from cynet.train import Predictor, Session, Settings, load_weights, save_weights

pytestmark = pytest.mark.usefixtures("one_thread")
CUT = Settings(
    model="uwnet2", data="tiny", augment="random-resized-crop:24x28:.5/1,flip", batch_size=8, steps=3,
    workers=0, threads=1, lr=0.01,
)  # fmt: skip
FACTS = Facts("uwnet2", True, "tiny", ("a", "b"), (0.5,) * 3, (0.2,) * 3)


@pytest.mark.parametrize(("augment", "shape", "wanted"), [
    (False, (48, 64, 3), ((48, 64, 3), ())), ("random-resized-crop", (48, 64, 3), ((48, 64, 3), ())),
    ("random-resized-crop:48x64", (48, 64, 3), ((48, 64, 3), ())),
    ("random-resized-crop:32", (48, 64, 1), ((32, 32, 1), (48, 64))),
    ("flip,random-resized-crop:.3/1:size=40x64", (48, 64, 3), ((40, 64, 3), (48, 64))),
    (True, (90,), ((90,), ())),
])  # fmt: skip
def test_the_size_that_a_net_gets_is_that_of_the_cut(augment, shape, wanted):
    assert middle.sizes(augment, shape) == wanted


@pytest.mark.parametrize("size", ["49", "48x65", "64x48"])
def test_a_cut_larger_than_the_pictures_is_refused(size):
    with pytest.raises(ValueError, match=r"^augment: wanted a cut of at most the pictures' size, 48 x 64 \("):
        middle.sizes(f"random-resized-crop:{size}", (48, 64, 3))


@pytest.mark.parametrize(("kept", "cut", "wanted"), [
    ((), (32, 32), []), ((256, 256), (224, 224), ["CenterCrop(224)"]),
    ((36, 40), (32, 32), ["CenterCrop(32)"]),  # the shorter side counts, as torchvision has it
    ((512, 512), (224, 224), ["Resize(256)", "CenterCrop(224)"]),
    ((64, 96), (32, 48), ["Resize((37, 55))", "CenterCrop((32, 48))"]),
    ((9, 9), (1, 1), ["Resize(1)", "CenterCrop(1)"]),
])  # fmt: skip
def test_the_middle_is_seven_eighths_or_more(kept, cut, wanted):
    facts = replace(FACTS, picture_shape=(*cut, 3), kept=kept)
    facts.check()
    assert list(map(repr, middle.cut(facts))) == wanted


@pytest.mark.parametrize("kept", [(48,), (31, 64), (64, 31), (48.0, 64), ("48", "64"), (1 << 15, 64),
                                  (1 << 14, 1 << 14), 48, [48, 64]])  # fmt: skip
def test_a_note_on_kept_pictures_that_is_none_is_refused(kept):
    with pytest.raises(ValueError, match=r"^kept: wanted "):
        replace(FACTS, kept=kept).check()
    with pytest.raises(ValueError, match=r"^kept: wanted none of what is no picture"):
        replace(FACTS, picture_shape=(32, 3), kept=(48, 64)).check()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(weights file, result) of a short training."""
    cynet.set_num_threads(1)
    training, path = tiny.tiny(), tmp_path_factory.mktemp("middle") / "w.safetensors"
    with Session(CUT.resolved(training), training, tiny.tiny("test", "test")) as session:
        result = session.train()
        save_weights(path, session.model, session.facts)
    return path, result


def test_weights_tell_both_sizes(made):
    _, facts = load_weights(made[0])
    assert (facts.picture_shape, facts.kept, facts.kept_shape) == ((24, 28, 3), (32, 32), (32, 32, 3))


def test_the_middle_is_what_is_evaluated_and_predicted(made):
    path, result = made
    model, facts = load_weights(path)
    test = tiny.tiny("test", "test")
    planar = test.images[:, :, 4:28, 2:30]
    x = (planar.transpose(0, 2, 3, 1) / 255 - facts.mean) / facts.std
    with cynet.no_grad():
        logits = model(x.astype(np.float32)).astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = Predictor(path)(list(test.images.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-5)
    assert result.test.accuracy == pytest.approx((found.labels == test.labels).mean())
    np.save(path.parent / "some.npy", test.images[:3].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(
        Predictor(path)(path.parent / "some.npy").probabilities, found.probabilities[:3]
    )


def test_a_data_set_of_the_cut_size_is_not_taken_for_kept_pictures(made):
    _, facts = load_weights(made[0])
    data.register("small-pictures", _small)
    assert len(matching.load(facts, "tiny", None, "test").known) == 20
    with pytest.raises(ValueError, match="wanted pictures of the model's size, 32 x 32 with 3 channels"):
        matching.load(facts, "small-pictures", None, "test")


def _small(root=None, split="train"):
    return data.ArrayDataset(np.zeros((6, 3, 24, 28), np.uint8), np.arange(6) % 3, ("a", "b", "c"))


def test_a_run_of_cut_pictures_is_resumed_verified_and_evaluated(tmp_path, capsys):
    run, other = str(tmp_path / "run"), str(tmp_path / "other")
    flags = [
        "train", "--data", "tiny", "--augment", "random-resized-crop:24x28", "--batch-size", "16",
        "--workers", "0", "--threads", "1", "--lr", ".01", "--schedule", "constant", "--no-report",
    ]  # fmt: skip
    assert cli.main([*flags, "--steps", "4", "--run-dir", run]) == 0
    assert cli.main(["train", "--resume", run, "--steps", "7", "--allow-change", "steps", "--no-report"]) == 0
    assert cli.main([*flags, "--steps", "7", "--run-dir", other]) == 0
    one, two = ((tmp_path / name / "last.safetensors").read_bytes() for name in ("run", "other"))
    assert one == two
    for words in (["verify", run], ["evaluate", run], ["report", run, "--no-timing"], ["diff", run, other]):
        assert cli.main(words) == 0, words
    out = capsys.readouterr().out
    assert "(1, 12, 14, 8)" in out and "(1, 16, 16" not in out


def test_a_cut_that_does_not_fit_is_refused_in_a_line(tmp_path, capsys):
    words = ["train", "--data", "tiny", "--augment", "random-resized-crop:64", "--batch-size", "8"]
    assert cli.main([*words, "--run-dir", str(tmp_path / "r")]) == 2
    err = capsys.readouterr().err
    assert "--augment: wanted a cut of at most the pictures' size, 32 x 32 (" in err and err.count("\n") == 1
    assert not (tmp_path / "r").exists()
