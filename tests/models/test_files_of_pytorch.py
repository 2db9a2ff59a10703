"""The nets with the weights that PyTorch wrote: the same outputs."""

import numpy as np
import pytest

from cynet import models
from cynet.runs.facts import Facts
from cynet.runs.initial import load_initial

pytestmark = pytest.mark.torch
SHAPES = {"conv1d_small": (50, 2)}  # others: (32, 32, 3)
NAMES = (
    "resnet18", "resnet34", "wide_resnet_16_4", "mobilenet_v2", "squeezenet1_1", "densenet_bc_40_12",
    "lenet5", "conv1d_small", "vgg_small",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nets_begin_from_files_that_pytorch_writes(name, tmp_path):
    torch = pytest.importorskip("torch")
    from pytorch_models import MODELS

    shape, path = SHAPES.get(name, (32, 32, 3)), tmp_path / "w.pth"
    theirs = MODELS[name](shape, 7).eval()
    torch.save({"model": torch.nn.DataParallel(theirs).state_dict(), "epoch": 1}, path)
    model = models.create(name, shape, 7)
    zeros = (0.0,) * shape[-1]
    taken = load_initial(model, path, Facts(name, True, "x", tuple("abcdefg"), zeros, zeros))
    assert (taken.new, taken.unused, taken.count) == ((), (), len(theirs.state_dict()))
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    wanted = theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).detach().numpy()
    np.testing.assert_allclose(model.eval()(x), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
