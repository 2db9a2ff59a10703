"""Nets as a page computes them in a real browser, beside cynet."""

import json

import drawn_graphs
import numpy as np
import pytest
from dom import CHROMIUM, asked
from examples import ALL, OF_NUMBERS, made

import cynet
from cynet.interop import save_html
from cynet.interop.browser.document import OPERATIONS, document
from cynet.interop.program.folding import folded, with_curves
from cynet.interop.program.lowering import lower

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip
CLOSE, OF_PROBABILITIES = 1e-5, 1e-4
BEYOND = "embedding", "gru", "lstm"  # what a page has not
NET = cynet.Sequential(cynet.GlobalAvgPool2d())
PIXELS = (0.4, 0.5, 0.3), (0.2, 0.3, 0.25)


def test_every_layer_and_drawn_graphs_give_what_they_give_in_cynet(tmp_path):
    calls = [call for call, shape in ALL.items() if not isinstance(shape[0], tuple)]
    models = [(call, made(call), tuple(np.atleast_1d(ALL[call]).tolist()[1:])) for call in calls
              if call.partition("(")[0] not in OF_NUMBERS]  # fmt: skip
    models += [(seed, model, shape) for seed in range(40)
               for model, (shape, *_) in [drawn_graphs.graph(seed, inputs=1, outputs=1)]]  # fmt: skip
    told, wanted, seen = [], [], set()
    for name, model, shape in models:
        program = with_curves(folded(lower(model.eval(), shape)))
        if any(step.operation in BEYOND for step in program.steps) or len(program.outputs) != 1:
            continue
        seen.update(step.operation for step in program.steps)
        net, weights = document(program)
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        told.append([net, weights.tolist(), x.ravel().tolist()])
        wanted.append((name, np.ravel(model(x[None]))))
    assert seen == set(OPERATIONS) - {"pixels"} and len(told) > 120
    save_html(NET, tmp_path / "x.html", (1, 1, 1), pixels=((0,), (1,)))
    run = "((net) => Array.from(net.run(x)))(new Net(net, new Float32Array(numbers)))"
    found, _ = asked(tmp_path / "x.html", f"{json.dumps(told)}.map(([net, numbers, x]) => {run})")
    for (name, y), numbers in zip(wanted, found, strict=True):
        assert len(y) == len(numbers), name
        assert np.abs(y - numbers).max() <= CLOSE * max(1, np.abs(y).max()), name


def pictures(count, shape):
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def probabilities(model, images, mean, std):
    logits = model.eval()(((images / 255 - mean) / std).astype(np.float32)).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_a_net_says_of_a_hundred_pictures_what_it_says_in_cynet(tmp_path):
    cynet.seed(3)
    shape, (mean, std) = (32, 32, 3), PIXELS
    model, images = cynet.models.create("uwnet2", shape, 10), pictures(100, shape)
    last = [layer for _, layer in model.walk() if isinstance(layer, cynet.Linear)][-1]
    last.bias.data -= np.log(probabilities(model, images, mean, std)).mean(axis=0)  # each class has its turn
    wanted = probabilities(model, images, mean, std)
    labels = wanted.argmax(axis=1)
    assert len(set(labels.tolist())) > 5
    save_html(model, tmp_path / "x.html", shape, pixels=(mean, std), pictures=(images, labels))
    each = "(_, k) => asked(all.subarray(k * size, (k + 1) * size))"
    given = f"(decoded(DATA.pictures.bytes), {images[0].size})"
    script = f"((all, size) => Array.from({{ length: 100 }}, {each})){given}"
    found, _ = asked(tmp_path / "x.html", script)
    assert [row["said"] for row in found] == [[label] for label in labels.tolist()]
    np.testing.assert_allclose([row["probabilities"] for row in found], wanted, atol=OF_PROBABILITIES)
