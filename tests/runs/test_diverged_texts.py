"""A training on a text that comes to no number keeps the state that was carried there, and shows it again."""

import copy
import json

import numpy as np
import pytest

import cynet
from cynet.data.text import Text, TokenSet
from cynet.runs import divergence, replay
from cynet.runs.folder import RunFolder
from cynet.runs.origins import Names
from cynet.train import Diverged, Session, Settings
from cynet.train.carrying import carriable
from cynet.train.diagnosis import Doctor, not_falling, not_finite, overfitted
from cynet.train.language_task import LanguageTask

pytestmark = pytest.mark.usefixtures("one_thread")
CONTENT = "the quick brown fox jumps over the lazy dog. " * 40


@pytest.fixture(params=["gru", "lstm"])
def left(request, tmp_path):
    """(a run's folder, the error): its 9th step's loss was no number, as the decoder's weights were not."""
    text = Text.of(CONTENT)
    parts = [TokenSet(tokens, 10, text.vocabulary) for tokens in (text.train, text.test)]
    options = {"embedding": 6, "hidden": 8, "layers": 2, "cell": request.param}
    settings = Settings(
        model="language_model", model_option=json.dumps(options), data="text", batch_size=4, steps=20,
        optimizer="adam", lr=0.01, sequence_length=10,
    )  # fmt: skip
    observer = cynet.train.Observer()
    with Session(settings.resolved(parts[0]), *parts) as session:
        decoder = session.model.parameters()[-1]

        def stepped(progress):
            if progress.step == 8:
                decoder.data[3] = np.inf
                observer.carried = copy.deepcopy(session.task.carried(session.model))

        observer.stepped = stepped
        with pytest.raises(Diverged) as caught:
            session.train([observer])
        folder = RunFolder(tmp_path / "run")
        folder.write_config(session.settings.flat())
        caught.value.wanted = observer.carried
        yield session, folder, caught.value


def kept(folder):
    return dict(np.load(folder.path / replay.BATCH))


def test_the_state_into_the_step_is_told(left):
    session, _, error = left
    assert error.step == 9
    shapes = {name: array.shape for name, array in carriable(session.model, 4).items()}
    assert {name: array.shape for name, array in error.carried.items()} == shapes
    for name, array in error.carried.items():
        assert array.any()
        np.testing.assert_array_equal(array, error.wanted[name])


def test_it_is_kept_and_the_step_taken_again_goes_on_from_it(left, monkeypatch):
    session, folder, error = left
    divergence._keep(session, folder, error, lambda line: None)
    found = kept(folder)
    assert found["step"] == 9 and found["samples"].tolist() == [80, 440, 800, 1160]  # where its rows begin
    for name, array in error.carried.items():
        np.testing.assert_array_equal(found[f"carried.{name}"], array)
    begun = []
    monkeypatch.setattr(cynet.nn.layers.recurrent.Recurrent, "_starts", started(begun))
    with pytest.raises(Diverged, match="is nan at step 9"):
        replay.diverged(folder.path)
    for name, array in error.carried.items():
        assert any(np.array_equal(array, one) for one in begun), name


def started(begun):
    """`Recurrent._starts` that notes the arrays which a pass begins with."""
    real = cynet.nn.layers.recurrent.Recurrent._starts

    def starts(self, batch, state):
        parts = state[0] if isinstance(state[0], tuple) else (state[0],)
        begun.extend(parts)
        return real(self, batch, state)

    return starts


@pytest.mark.parametrize("damage", ["shape", "type"])
def test_a_state_that_no_run_left_is_refused_by_file_and_array(left, damage):
    session, folder, error = left
    divergence._keep(session, folder, error, lambda line: None)
    arrays = kept(folder)
    name = sorted(each for each in arrays if each.startswith("carried."))[-1]
    arrays[name] = {"shape": arrays[name][:1], "type": arrays[name].astype(np.float64)}[damage]
    np.savez(folder.path / replay.BATCH, **arrays)
    with pytest.raises(ValueError, match=rf"diverged\.npz: {name}: wanted float32 \(2, 4, 8\), got"):
        replay.diverged(folder.path)


@pytest.mark.parametrize("left", ["lstm"], indirect=True)
def test_a_part_of_a_state_is_refused(left):
    session, folder, error = left
    divergence._keep(session, folder, error, lambda line: None)
    arrays = kept(folder)
    del arrays["carried.1.c"]
    np.savez(folder.path / replay.BATCH, **arrays)
    with pytest.raises(ValueError, match=r"carried\.1\.c: wanted float32 \(2, 4, 8\), got none"):
        replay.diverged(folder.path)


def test_a_file_without_states_begins_with_zeros(left):
    session, folder, error = left
    divergence._keep(session, folder, error, lambda line: None)
    np.savez(
        folder.path / replay.BATCH, **{n: a for n, a in kept(folder).items() if not n.startswith("carried.")}
    )
    with pytest.raises(Diverged, match="is nan at step 9"):
        replay.diverged(folder.path)


def test_the_diagnosis_goes_on_from_it_and_names_places_in_the_text(left):
    session, folder, error = left
    decoder = session.model.parameters()[-1]
    decoder.data[3] = 0
    error.carried = {name: np.full_like(array, np.nan) for name, array in error.carried.items()}
    for array in error.carried.values():
        array[:, 1:] = 0
    said = not_finite(session.trainer, session.batches, error)
    assert "layer 1, " in said.seen and said.seen.endswith(", for the rows that begin at the token 80")
    assert session.model[1].carry is False  # nothing of the model's own is changed
    lines = []
    divergence.explain(session, folder, error, lambda line: lines.append(str(line)), Names())
    assert "rows that begin at the token 80" in lines[0]


def test_what_is_said_of_a_text_says_nothing_of_pictures(left):
    session, _, _ = left
    things = LanguageTask.things
    doctor = Doctor(session.trainer, print, np.zeros((9, 3), int), lambda count: None, task=session.task)
    assert doctor.things == things == "sequences"
    for found in (
        overfitted(0.1, 9.0, 1.0, 3.0, things=things), not_falling(200, 9.0, 3.0, 0.1, things=things),
    ):  # fmt: skip
        text = str(found)
        assert found is not None
        assert not any(word in text for word in ("picture", "augment", "mixup", "label", "image"))
    assert "by heart. Try: a greater --weight-decay, fewer steps, or --patience." in str(
        overfitted(0.1, 9.0, 1.0, 3.0, things=things)
    )
