"""What a checker of types sees of the public names: what they are, and nothing that is not there."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import environment_of_others

import cynet
from cynet.nn import registry

ROOT = Path(__file__).parent.parent
DOORS = (  # load their names when asked
    "cynet", "cynet.data", "cynet.interop", "cynet.layers", "cynet.nn", "cynet.optim", "cynet.runs",
    "cynet.sklearn", "cynet.train",
)  # fmt: skip

SCRIPT = '''
"""Trains a net of one's own, looks at it, keeps it; then a run on disk that goes on."""

from collections.abc import Iterator

import numpy as np

import cynet
from cynet.data import ArrayDataset, DataLoader, Normalize, RandomFlip
from cynet.interop import safetensors
from cynet.train import Evaluation, Observer, Settings, Trainer, evaluate, train
from cynet.train.loop import Result


class Listener(Observer):
    def evaluated(self, result: Result) -> None:
        print(f"step {result.step}: {result.test.accuracy:.3f}, lr {result.lr:g}")


def small_net(classes: int) -> cynet.Sequential:
    body = cynet.Sequential(cynet.Conv2d(8, 8, 3, padding="same"), cynet.BatchNorm2d(8))
    return cynet.Sequential(
        cynet.Conv2d(3, 8, 3, padding=1), cynet.ReLU(), cynet.Residual(body), cynet.MaxPool2d(2),
        cynet.Flatten(), cynet.Linear(8 * 16 * 16, classes),
    )


def loaders(samples: ArrayDataset, tests: ArrayDataset) -> Iterator[DataLoader]:
    ready = Normalize(samples.mean, samples.std)
    yield DataLoader(samples, 128, transforms=[RandomFlip(), ready], workers="auto", drop_last=True)
    yield DataLoader(tests, 250, shuffle=False, transforms=[ready], workers=0)


def main() -> float:
    cynet.seed(1)
    samples, tests = cynet.data.load("shapes10"), cynet.data.load("shapes10", split="test")
    model = small_net(len(samples.classes))
    weight = cynet.data.class_weights(samples.labels, len(samples.classes))
    criterion = cynet.CrossEntropyLoss(label_smoothing=0.1, weight=weight)
    optimizer = cynet.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = cynet.schedules.Cosine(0.1, 100, warmup=10)
    batches, test_batches = loaders(samples, tests)
    with batches, test_batches:
        for x, y in batches:
            loss: float = criterion(model(x), y)
            model.backward(criterion.backward())
            break
        trainer = Trainer(model, criterion, optimizer, schedule)
        result = train(trainer, batches, test_batches, 100, [Listener()])
        found: Evaluation = evaluate(model, test_batches)
    safetensors.save(model, "net.safetensors", {"loss": str(loss)})
    tensors, notes = safetensors.load("net.safetensors")
    model.load_state_dict(tensors)
    outcome = cynet.runs.start(Settings(steps=300, validation=0.2), "mine")
    if outcome.status == "stopped":
        outcome = cynet.runs.resume(outcome.folder, threads=2)
    answers = cynet.Predictor(outcome.folder)(np.zeros((32, 32, 3), np.uint8))
    print(notes, answers.predicted[0], result.step, cynet.runs.open("mine").settings.lr)
    return float(found.class_accuracy.mean())


main()
'''

# An expression, and what its type is called.
SEEN = {
    "cynet.Conv2d(3, 8, 3)": "cynet.nn.layers.conv2d.Conv2d",
    "cynet.layers.ReLU()": "cynet.nn.layers.relu.ReLU",
    "cynet.models.create('uwnet2')": "cynet.nn.layer.Layer",
    "cynet.models.names()": "tuple[str, ...]",
    "cynet.data.load('shapes10')": "cynet.data.dataset.ArrayDataset",
    "cynet.data.Shapes10().classes": "tuple[str, ...]",
    "next(iter(cynet.data.DataLoader(cynet.data.Shapes10(), 8)))[0]": "numpy.ndarray[",
    "cynet.runs.start(cynet.train.Settings())": "cynet.runs.outcome.Outcome",
    "cynet.runs.open('a')": "cynet.runs.run.Run",
    "cynet.runs.open('a').settings.steps": "int | None",
    "cynet.train.load_weights('a')": "tuple[cynet.nn.layer.Layer, cynet.runs.facts.Facts]",
    "cynet.Predictor('a')('b.png')": "cynet.runs.predictor.Predicted",
    "cynet.CrossEntropyLoss()(x, y)": "float",
    "cynet.SGD([], 0.1).state_dict()['lr']": "numpy.ndarray[",
    "cynet.schedules.Constant(0.1)(3)": "float",
    "cynet.interop.safetensors.load('a')[1]": "dict[str, str]",
    "cynet.uwnet.make_net([]).n": "int",
    "cynet.uwnet.accuracy_net(cynet.uwnet.make_net([]), cynet.uwnet.Data(x, y))": "float",
    "cynet.im2col(x, 3)": "numpy.ndarray[",
    "cynet.Linear(2, 3).forward(x)": "numpy.ndarray[",
    "cynet.get_num_threads()": "int",
}

# A statement, and what is wrong with it.
WRONG = {
    "cynet.Conv2D(3, 8, 3)": 'Module has no attribute "Conv2D"',
    "cynet.Conv2d('3', 8, 3)": 'Argument 1 to "Conv2d" has incompatible type "str"; expected "int"',
    "cynet.data.load('shapes10').class_names": '"ArrayDataset" has no attribute "class_names"',
    "cynet.runs.start({'steps': 3})": 'Argument 1 to "start" has incompatible type',
    "cynet.train.Setings()": 'Module has no attribute "Setings"',
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{file: [(line, message), ...]} of what mypy --strict says of the scripts, in one call: it is slow."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("types")
    head = "import numpy as np\nimport cynet\n\nx, y = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)\n"
    (folder / "script.py").write_text(SCRIPT.lstrip())
    (folder / "seen.py").write_text(head + "".join(f"reveal_type({text})\n" for text in SEEN))
    (folder / "wrong.py").write_text(head + "".join(f"{text}\n" for text in WRONG))
    files = ["script.py", "seen.py", "wrong.py"]
    # As of an installed package: what is wrong within it is not this script's.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent"),
            *("--cache-dir", str(folder / "cache"), "--no-error-summary", "--hide-error-codes", *files),
        ],
        cwd=folder, env={**environment_of_others(), "MYPYPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr
    lines = {file: [] for file in files}
    for text in done.stdout.splitlines():
        file, line, message = re.fullmatch(r"([^:]+):(\d+): (.*)", text).groups()
        lines[file].append((int(line), message))
    return lines


def test_a_users_script_is_right(found):
    assert found["script.py"] == []


@pytest.mark.parametrize("number", range(len(SEEN)), ids=list(SEEN))
def test_the_types_are_seen(found, number):
    wanted = list(SEEN.values())[number]  # of an array NumPy's versions tell different things
    (message,) = [message for line, message in found["seen.py"] if line == number + 5]
    start, end = 'note: Revealed type is "', "" if wanted.endswith("[") else '"'
    assert message.replace("builtins.", "").startswith(f"{start}{wanted}{end}")


@pytest.mark.parametrize("number", range(len(WRONG)), ids=list(WRONG))
def test_mistakes_are_found(found, number):
    (message,) = [message for line, message in found["wrong.py"] if line == number + 5]
    assert message.startswith(f"error: {list(WRONG.values())[number]}")


# -- the doors, whose names are loaded when they are asked for ----------------------------------------------
def told(door):
    """{name: module} of what a door's .pyi tells checkers of types; a star's names are those of `__all__`."""
    module, found = importlib.import_module(door), {}
    for node in ast.parse(Path(module.__file__).with_suffix(".pyi").read_text()).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        home = f"{module.__package__}.{node.module or ''}".rstrip(".") if node.level else node.module
        for alias in node.names:
            if alias.name == "*":
                found |= dict.fromkeys(importlib.import_module(home).__all__, home)
            else:
                assert alias.asname == alias.name, f"{door}: {alias.name}: else it is not public"
                found[alias.name] = home
    return found


@pytest.mark.parametrize("door", DOORS)
def test_checkers_of_types_are_told_the_public_names(door):
    module = importlib.import_module(door)
    homes = getattr(module, "_HOME_OF", {})
    known = {name: homes.get(name, door) for name in module.__all__ if name != "__version__"}
    if door in ("cynet", "cynet.layers"):
        known |= dict.fromkeys(cynet.nn.__all__, "cynet.nn")
    if door == "cynet.nn":
        known = {name: registry.layer.home(name)[0] for name in module.__all__}
        known |= dict.fromkeys(("from_spec", "to_spec"), "cynet.nn.spec")
    assert told(door) == known


@pytest.mark.parametrize("door", DOORS)
def test_the_names_of_a_door_are_there(door):
    module = importlib.import_module(door)
    for name in told(door):
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018
