"""What every net gives with weights that are known: its layers' order, sources, strides and paddings at once.

The logits were written down when the nets equalled PyTorch's (test_models_in_pytorch.py, test_models.py).
"""

import numpy as np
import pytest

from cynet import models
from cynet.models.registry import model as registered

DEEPER = {"resnet34": "resnet18"}  # of the same parts as another one, and large
SHAPES = {"conv1d_small": (64, 2), "lenet5": (32, 32, 1)}  # others: (33, 40, 3)
LOGITS = {  # with batch norm, or as the net is; and without
    "uwnet0": [[0.705589, 0.779251, 0.271485, -0.235325], [-0.423617, -0.103182, -0.520096, -0.646541]],
    "uwnet1": [[0.0787526, 3.59373, 1.01913, -1.10479], [0.181334, 0.65452, 0.122919, 0.425418]],
    "uwnet2": [[-0.0142169, -0.917953, -1.32892, -2.75078], [-0.87126, -0.844989, -0.0738916, 1.8313]],
    "resnet20": [[-14.7289, 0.365378, -3.44265, 11.2766], [-0.341033, -4.71045, -6.21851, 0.655601]],
    "resnet32": [[-139.432, 32.8225, 79.4561, -121.813], [-19.6271, 1.621, -3.90156, -0.123707]],
    "resnet44": [[-651.582, -883.806, 123.11, -41.2801], [66.5809, 21.1188, -17.7602, -146.605]],
    "resnet56": [[-26603.3, 7521.91, 1794.76, 3760.23], [225.819, -112.546, 344.058, -390.801]],
    "vgg_small": [[1.1157, -0.423541, 0.298762, 3.16467], [-0.172408, 0.354541, -1.35, 0.712957]],
    "lenet5": [[-0.607264, 0.304985, -0.269536, -0.00954214]],
    "wide_resnet_16_4": [[-3.17244, 1.48014, -3.07251, -0.279131]],
    "densenet_bc_40_12": [[1.18481, -0.119324, -0.0819382, 0.22676]],
    "resnet18": [[4.70945, 13.6342, -2.67921, 3.37089]],
    "mobilenet_v2": [[-2.9742, 1.82902, -1.4034, 1.46321]],
    "squeezenet1_1": [[0.503458, 0.0, 0.313379, 0.362895]],
    "airbench94": [[0.7912336, -0.2965744, 0.6460079, -0.025903]],
    "conv1d_small": [[1.54001, 1.55281, -1.12455, -1.99272], [-0.38997, -0.582721, 0.934484, -0.819021]],
}  # fmt: skip


def known(model):
    """The model with weights and statistics that no version of NumPy changes."""
    state = model.state_dict()
    for number, (name, array) in enumerate(state.items()):
        drawn = np.random.RandomState(number).uniform(-1, 1, array.shape)
        if array.ndim > 1:
            drawn *= 2.2 / np.sqrt(array[0].size)
        elif name.endswith("running_var"):
            drawn = 1 + drawn / 2
        elif name.endswith("num_batches_tracked"):
            continue
        else:
            drawn = drawn / 4 + (name.endswith("weight"))
        state[name] = drawn.astype(np.float32)
    model.load_state_dict(state)
    return model.eval()


def found_of(name, **options):
    shape = SHAPES.get(name, (33, 40, 3))
    model = known(models.create(name, shape, classes=4, **options))
    return model(np.random.RandomState(7).uniform(-1, 1, (1, *shape)).astype(np.float32))[0]


def cases():
    """(name, options) of the variants of every net."""
    names = [name for name in registered.those(tokens=None) if name not in DEEPER]
    return [(name, {}) for name in names] + [
        (name, {"batch_norm": False}) for name in names if "batch_norm" in models.options(name)
    ]


@pytest.mark.parametrize(("name", "options"), cases(), ids=str)
def test_logits_of_known_weights(name, options):
    wanted = np.array(LOGITS[name][not options.get("batch_norm", True)])
    np.testing.assert_allclose(found_of(name, **options), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
