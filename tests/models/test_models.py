"""The models: sizes as published, and that they learn; what all keep is in test_every_model.py."""

import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import cynet
from cynet import models
from cynet.core.workspace import pool
from cynet.models.registry import model as registered

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/models.md"

PARAMETERS = {
    "uwnet0": 789_258,
    "uwnet1": 27_098,
    "uwnet2": 11_162,
    "resnet20": 271_690,
    "vgg_small": 307_498,
}
WITH_NORM = {  # two more a channel, and a bias less where batch norm follows
    "uwnet0": 789_514,
    "uwnet1": 27_218,
    "uwnet2": 11_218,
    "resnet20": 272_474,
    "vgg_small": 307_946,
}


OF_IMAGENET = {  # of 1,000 classes and 224x224x3, as published: parameters, and millions of multiply-adds
    "resnet18": (11_689_512, 1_814),
    "resnet34": (21_797_672, 3_664),
    "mobilenet_v2": (3_504_872, 301),
    "squeezenet1_1": (1_235_496, 349),
}
OTHERS = {  # of ten classes: the shape of an input, parameters
    "resnet32": ((32, 32, 3), 466_906),
    "resnet44": ((32, 32, 3), 661_338),
    "resnet56": ((32, 32, 3), 855_770),
    "wide_resnet_16_4": ((32, 32, 3), 2_748_890),
    "densenet_bc_40_12": ((32, 32, 3), 176_122),
    "lenet5": ((32, 32, 1), 61_706),
    "airbench94": ((32, 32, 3), 1_971_640),
    "conv1d_small": ((256, 1), 36_778),
}


@pytest.mark.parametrize("name", OF_IMAGENET)
def test_nets_of_imagenet_have_the_published_sizes(name):
    table = cynet.summary(models.create(name, (224, 224, 3), 1000), (1, 224, 224, 3))
    assert (table.parameters, round(table.macs / 1e6)) == OF_IMAGENET[name]


@pytest.mark.parametrize("name", OTHERS)
def test_parameter_counts_of_the_others(name):
    shape, parameters = OTHERS[name]
    assert sum(p.size for p in models.create(name, shape).parameters()) == parameters


@pytest.mark.parametrize("name", registered.those(tokens=None))
def test_the_table_of_the_document_says_what_a_net_is(name):
    rows = re.findall(rf"^\| {name} \| (.*) \|$", DOCUMENT.read_text(), re.M)
    (cells,) = (row.split(" | ") for row in rows)
    shape, classes = cells[0].split(", ")
    sizes = tuple(map(int, shape.split("x")))
    model = models.create(name, sizes, int(classes))
    table = cynet.summary(model, (1, *sizes))
    millions = float(cells[2].removesuffix(" M").replace(",", ""))
    assert (
        f"{table.parameters:,}" == cells[1] and abs(table.macs / 1e6 - millions) <= 0.005 * millions + 0.005
    )
    least = registered.facts(name).get("least")
    assert cells[3].startswith("any shape" if least is None else "x".join(map(str, least[:2])))
    assert cells[4] == (", ".join(models.options(name)) or "none")
    assert cells[5].strip("`") in model.state_dict()


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts(name):
    assert sum(p.size for p in models.create(name, batch_norm=False).parameters()) == PARAMETERS[name]
    assert sum(p.size for p in models.create(name).parameters()) == WITH_NORM[name]


WITHOUT_WEIGHTS = {  # how many layers of each such kind a net has: counts of parameters do not tell of them
    "uwnet0": "1 Flatten, 1 LeakyReLU", "uwnet1": "1 Flatten, 4 MaxPool2d, 4 ReLU",
    "uwnet2": "1 Flatten, 2 MaxPool2d, 3 ReLU", "vgg_small": "1 Flatten, 3 MaxPool2d, 6 ReLU",
    "lenet5": "2 AvgPool2d, 1 Flatten, 4 Tanh", "conv1d_small": "1 GlobalAvgPool1d, 3 MaxPool1d, 3 ReLU",
    "resnet20": "1 GlobalAvgPool2d, 19 ReLU", "resnet32": "1 GlobalAvgPool2d, 31 ReLU",
    "resnet44": "1 GlobalAvgPool2d, 43 ReLU", "resnet56": "1 GlobalAvgPool2d, 55 ReLU",
    "resnet18": "8 Add, 1 GlobalAvgPool2d, 1 MaxPool2d, 17 ReLU",
    "resnet34": "16 Add, 1 GlobalAvgPool2d, 1 MaxPool2d, 33 ReLU",
    "wide_resnet_16_4": "6 Add, 1 GlobalAvgPool2d, 13 ReLU",
    "densenet_bc_40_12": "2 AvgPool2d, 18 Concatenate, 1 GlobalAvgPool2d, 39 ReLU",
    "mobilenet_v2": "10 Add, 1 Dropout, 1 GlobalAvgPool2d, 35 ReLU6",
    "airbench94": "7 GELU, 1 GlobalMaxPool2d, 3 MaxPool2d",
    "squeezenet1_1": "8 Concatenate, 1 Dropout, 1 GlobalAvgPool2d, 3 MaxPool2d, 26 ReLU",
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_the_layers_without_weights_of_each_net(name):
    shape = OTHERS[name][0] if name in OTHERS else (32, 32, 3)
    layers = [one for _, one in models.create(name, shape).walk() if not one.children()]
    counts = Counter(type(one).__name__ for one in layers if not one.parameters())
    assert ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) == WITHOUT_WEIGHTS[name]


@pytest.mark.parametrize("name", ["resnet20", "resnet32", "resnet44", "resnet56"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_sum_of_a_block_is_of_what_may_be_negative(name, batch_norm):
    """Its ReLU follows the sum, and none stands right before it."""
    layers = list(models.create(name, batch_norm=batch_norm))
    norm = [cynet.BatchNorm2d] * batch_norm
    for block, after in itertools.pairwise(layers):
        if isinstance(block, cynet.Residual):
            assert [type(one) for one in block.body] == [
                cynet.Conv2d, *norm, cynet.ReLU, cynet.Conv2d, *norm
            ] and isinstance(after, cynet.ReLU)  # fmt: skip
            assert block.shortcut is None or [type(one) for one in block.shortcut] == [cynet.Conv2d, *norm]


def test_resnet20_has_the_papers_multiplications():
    # He et al. (2015) count 40.6 million for this net with identity shortcuts; projections add 0.4 million.
    assert 40.5e6 < cynet.summary(models.create("resnet20"), (32, 32, 3)).macs < 41.5e6


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"got 'uwnet3' \(did you mean uwnet"):
        models.create("uwnet3")


@pytest.mark.parametrize("name", ["uwnet1", "resnet20"])
def test_a_model_learns_a_batch_by_heart_without_new_memory(name):
    cynet.seed(0)
    model, criterion = models.create(name), cynet.CrossEntropyLoss()
    optimiser = cynet.SGD(model.parameters(), 0.05, momentum=0.9)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((16, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 16)
    taken = []
    for _ in range(30):
        loss = criterion(model(x), labels)
        model.zero_grad()
        model.backward(criterion.backward())
        optimiser.step()
        taken.append(pool.allocated)
    assert loss < 0.1
    assert taken[-1] == taken[1], "a step after the second took new memory"


def test_summary_counts_and_prints():
    table = cynet.summary(models.create("uwnet2"), (2, 32, 32, 3))
    assert table.parameters == 11_162 - 8 - 16 - 32 + 2 * (8 + 16 + 32)
    assert (
        table.rows[0].macs == 2 * 16 * 16 * 27 * 8 and table.rows[0].activation_bytes == 2 * 16 * 16 * 8 * 4
    )
    text = str(table).splitlines()
    assert "Conv2d(3, 8" in text[2] and text[-1].split()[:2] == ["total", "11,218"]


@pytest.mark.torch
@pytest.mark.parametrize("batch_norm", [True, False])
def test_pytorch_trains_the_same_net_to_the_same_weights(batch_norm):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = models.create("uwnet2", batch_norm=batch_norm)
    layers = []
    for ours in model:
        if isinstance(ours, cynet.Conv2d):
            stride = ours.stride[0]
            padding = nn.ZeroPad2d((1, 0, 1, 0)) if stride == 2 else nn.ZeroPad2d(1)
            conv = nn.Conv2d(ours.in_channels, ours.out_channels, 3, stride, bias=ours.bias is not None)
            layers.append(nn.Sequential(padding, conv))
        elif isinstance(ours, cynet.MaxPool2d):
            layers.append(nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), nn.MaxPool2d(3, 2)))  # inputs are >= 0
        elif isinstance(ours, cynet.BatchNorm2d):
            layers.append(nn.BatchNorm2d(ours.num_features))
        elif isinstance(ours, cynet.Linear):
            layers.append(nn.Linear(ours.in_features, ours.out_features))
        else:
            layers.append(nn.ReLU() if isinstance(ours, cynet.ReLU) else nn.Flatten())
    theirs = nn.Sequential(*layers)
    keys = list(theirs.state_dict())
    state = dict(zip(keys, model.state_dict().values(), strict=True))
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((8, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 8)
    arguments = {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}
    ours_opt = cynet.SGD(model.parameters(), **arguments)
    theirs_opt = torch.optim.SGD(theirs.parameters(), **arguments)
    criterion = cynet.CrossEntropyLoss()
    for _ in range(5):
        criterion(model(x), labels)
        model.zero_grad()
        model.backward(criterion.backward())
        ours_opt.step()
        theirs_opt.zero_grad()
        images = torch.tensor(x.transpose(0, 3, 1, 2).copy())
        nn.functional.cross_entropy(theirs(images), torch.tensor(labels)).backward()
        theirs_opt.step()
    for ours, wanted in zip(model.state_dict().values(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(ours, wanted.numpy(), atol=2e-4)
