"""What stands in each column of `cynet bench language-model`, beside a peer that takes its time."""

from types import SimpleNamespace

import numpy as np
import pytest

from cynet.bench import texts
from cynet.core.threads import get_num_threads

MIB = 1 << 20
SIZE = texts.Size(8, 2, 5)


@pytest.fixture
def other(monkeypatch, clock):
    """A framework whose steps take twice as long as cynet's, and what it was asked for."""
    asked = []
    made = SimpleNamespace(
        asked=asked,
        set_num_threads=lambda n: asked.append(("threads", n)),
        language_model=lambda state: asked.append(("net", sorted(state))) or "net",
        logits=lambda net, x: asked.append(("logits", net, x.shape)) or made.answer(x),
        training_step=lambda net, x, y: asked.append(("training", net, x.shape)) or clock(0.2),
        writing=lambda net: asked.append(("writing", net)) or clock(0.5),
    )
    create, models = texts.create, []

    def kept(hidden):
        models.append(create(hidden))
        return models[-1]

    made.answer = lambda x: models[-1](x) * 1.0
    monkeypatch.setattr(texts, "create", kept)
    monkeypatch.setattr(texts.peers, "load", lambda name, part: {("other", "texts"): made}[name, part])
    monkeypatch.setattr(texts, "training_step", lambda model, x, y: clock(0.1))
    monkeypatch.setattr(texts, "writing", lambda model: clock(0.25))
    monkeypatch.setattr(texts, "WRITTEN", 5)
    return made


def test_training_writing_and_memory_beside_a_peer(other, monkeypatch, shown):
    jobs = []

    def peaks(*given):
        jobs.append(given[:2])
        told.append(given[3])
        return {"peak_bytes": 40 * MIB, "own_bytes": 10 * MIB, "peer_peak_bytes": 90 * MIB,
                "peer_own_bytes": 15 * MIB, "ratio": 2.25, "own_ratio": 1.5}  # fmt: skip

    monkeypatch.setattr(texts, "peaks", peaks)
    before, told = get_num_threads(), []
    found = texts.measure("other", 1, 2, (SIZE,), lambda *at: told.append(at))
    trained, written, memory = found
    assert get_num_threads() == before
    assert shown(trained) == [{
        "units": "8", "batch": "2", "length": "5", "threads": "1", "cynet ms/step": "100", "tokens/s": "100",
        "other ms/step": "200", "other / cynet": "2.00", "quartiles": "2.00 to 2.00",
    }]  # fmt: skip
    assert shown(written) == [{
        "units": "8", "threads": "1", "cynet ms/token": "50.0", "tokens/s": "20", "other ms/token": "100",
        "other / cynet": "2.00", "quartiles": "2.00 to 2.00",
    }]  # fmt: skip
    assert shown(memory) == [{
        "units": "8", "batch": "2", "length": "5", "cynet peak MiB": "40.0", "less imports": "10.0",
        "other peak MiB": "90.0", "less imports 2": "15.0", "other / cynet": "2.25", "less imports 3": "1.50",
    }]  # fmt: skip
    job = {"hidden": 8, "batch_size": 2, "length": 5, "threads": 1, "steps": 3}
    assert jobs == [({"cynet": job, "eager": job | {"peer": "other"}}, 2)]
    assert told == [
        *((i, 2, "language-model: 8 units, batch 2") for i in (1, 2)),
        *((i, 2, "language-model: writing, 8 units") for i in (1, 2)), "language-model: memory",
    ]  # fmt: skip
    parts = [one for one in other.asked if one[0] != "threads"]
    state = ("net", sorted(texts.create(8).state_dict()))
    assert parts == [state, ("logits", "net", (2, 5)), ("training", "net", (2, 5)),
                     state, ("logits", "net", (1, 20)), ("writing", "net")]  # fmt: skip
    assert {one for one in other.asked if one[0] == "threads"} == {("threads", 1)}
    beside = "other and cynet take turns in one process, with the same weights, tokens and threads."
    assert trained.notes[1:] == written.notes[1:] == (beside,)
    assert "over 65 characters" in trained.notes[0] and "200 in a turn" in written.notes[0]
    assert "trains 3 steps" in memory.notes[0]


def test_alone_there_is_no_word_of_a_peer(monkeypatch, shown, clock):
    monkeypatch.setattr(texts, "training_step", lambda model, x, y: clock(0.1))
    monkeypatch.setattr(texts, "writing", lambda model: clock(0.2))
    monkeypatch.setattr(
        texts, "peaks", lambda jobs, *_: {"peak_bytes": MIB, "own_bytes": MIB} | {"n": len(jobs)}
    )
    for report in texts.measure(repeat=1, sizes=(SIZE,)):
        assert len(report.rows) == 1 and not any("None" in name for name in shown(report)[0])
        assert "peer" not in " ".join(report.rows[0]) and report.rows[0].get("n", 1) == 1
        assert report.rows[0]["threads"] == get_num_threads()


@pytest.mark.parametrize(("scale", "off", "same"), [(1, 9e-4, True), (1, 1.1e-3, False), (100, 0.09, True),
                                                    (100, 0.11, False), (1, np.nan, False),
                                                    (0.1, 9e-4, True), (0.1, 1.1e-3, False)])  # fmt: skip
def test_logits_are_the_same_to_a_thousandth_of_the_largest(scale, off, same):
    ours = np.array([[0.0, scale, -scale / 2]], np.float32)
    given = SimpleNamespace(language_model=lambda state: "net", logits=lambda net, x: ours + np.float32(off))

    class Model:
        def __call__(self, x):
            return ours

        def state_dict(self):
            return {}

    if same:
        assert texts._same(given, Model(), None) == "net"
    else:
        with pytest.raises(ValueError, match="wanted the same logits from cynet and its peer, got a diff"):
            texts._same(given, Model(), None)
