"""Weights that tell of their net: they load without its code and its name."""

import json

import numpy as np
import pytest

import cynet
from cynet.interop import safetensors
from cynet.runs.facts import Facts
from cynet.runs.weights import load_weights, save_weights

FACTS = Facts("net.py:model", True, "shapes10", ("a", "b"), (0.5,), (0.2,), (6, 5, 1))


class Own(cynet.Layer):
    def __init__(self):
        self.inner = net()

    def forward(self, x):
        return self.inner(x)

    def output_shape(self, shape):
        return self.inner.output_shape(shape)


def net(classes=2):
    cynet.seed(4)
    x = cynet.Input((6, 5, 1))
    h = cynet.ReLU()(cynet.BatchNorm2d(3)(cynet.Conv2d(1, 3, 3, name="stem")(x)))
    return cynet.Graph(x, cynet.Linear(3, classes, name="head")(cynet.GlobalAvgPool2d()(h)))


def images():
    return np.random.default_rng(0).standard_normal((4, 6, 5, 1)).astype(np.float32)


def test_a_net_that_no_registry_knows_loads_from_its_weights(tmp_path):
    model, path = net().eval(), tmp_path / "a.safetensors"
    save_weights(path, model, FACTS)
    state = cynet.core.random.get_state()
    found, facts = cynet.load(path)
    assert facts == FACTS and facts.net == cynet.nn.to_spec(model) and not found.training
    assert found(images()).tobytes() == model(images()).tobytes()
    assert list(found.state_dict()) == list(model.state_dict()) and cynet.core.random.get_state() == state


def test_a_model_that_no_training_wrote_loads_too(tmp_path):
    model, path = net().eval(), tmp_path / "a.safetensors"
    safetensors.save(model, path)
    found, facts = cynet.load(path)
    assert facts is None and found(images()).tobytes() == model(images()).tobytes()


def test_files_without_a_net_load_by_the_models_name(tmp_path):
    model, path = cynet.models.create("uwnet1"), tmp_path / "a.safetensors"
    facts = Facts("uwnet1", True, "shapes10", tuple("0123456789"), (0.5,) * 3, (0.2,) * 3)
    save_weights(path, model, facts)
    tensors, notes = safetensors.load(path)
    safetensors.save(tensors, path, {k: v for k, v in notes.items() if k not in ("net", "cynet")})
    found, told = cynet.load(path)
    assert told == facts and told.net is None and repr(found) == repr(model)


def test_unknown_layers_are_said_in_the_notes_and_when_it_is_loaded(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(path, Own(), FACTS)
    notes = safetensors.load(path)[1]
    assert "net" not in notes and notes["no_net"] == "model: wanted layers of cynet's, got Own"
    with pytest.raises(ValueError, match=r"model: wanted the file that this model comes from .*Own"):
        cynet.load(path)
    found, _ = load_weights(path, lambda facts: Own())
    assert found(images()).tobytes() == Own().eval()(images()).tobytes()
    safetensors.save(Own(), path)
    with pytest.raises(ValueError, match=r"wanted weights with their net.*got Own"):
        cynet.load(path)


@pytest.mark.parametrize(
    ("note", "value", "wanted"),
    [
        ("net", "{", "net: wanted JSON"),
        ("net", "[]", "net: spec: wanted a table"),
        ("net", '{"cynet_net":1,"layers":[{"kind":"os.system"}]}', "knows, got 'os.system'"),
        ("net", json.dumps({"cynet_net": 1, "layers": [{"kind": "ReLU"}] * 20_000}), "wanted 1 to 10,000"),
        ("net", '{"cynet_net":1,"layers":[{"kind":"ReLU"}]}', "wanted an output of shape|wanted one that"),
        ("net", '{"cynet_net":1,"layers":[{"kind":"Linear","arguments":'
         '{"in_features":65536,"out_features":65536}}]}',
         "wanted at most 1,048,6.. values in all"),
        ("net", '{"cynet_net":1,"layers":[{"kind":"GlobalAvgPool2d"},{"kind":"Conv2d","arguments":'
         '{"in_channels":1,"out_channels":2,"kernel_size":1}},{"kind":"Sequential","arguments":'
         '{"layers":[{"layer":1},{"layer":0}]}}]}', "missing: 0.weight; .*unexpected: stem.weight"),
        ("classes", '["a", "b", "c"]', r"wanted an output of shape \(1, 3\), one of .* got \(1, 2\)"),
        ("picture_shape", "[2, 2, 1]", "picture_shape: wanted one that a net.py:model of"),
    ],
)  # fmt: skip
def test_a_file_whose_net_is_none_is_refused_in_words(tmp_path, note, value, wanted):
    path = tmp_path / "a.safetensors"
    save_weights(path, net(), FACTS)
    tensors, notes = safetensors.load(path)
    notes.pop("cynet")
    safetensors.save(tensors, path, notes | {note: value})
    with pytest.raises(ValueError, match=wanted) as error:
        cynet.load(path)
    assert str(error.value).startswith(str(path)) and len(str(error.value)) < 1_500
