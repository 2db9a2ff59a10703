"""cynet: a Cython-compiled CNN training framework for CPUs.

Layers, losses and optimisers stand here; besides there are

    cynet.data       data sets, and the loader that feeds batches of them
    cynet.models     ready-made nets: names(), create(name)
    cynet.train      a training with its settings, run folder, checkpoints and metrics; Predictor
    cynet.runs       start, resume and open a run on disk, as `cynet train` does
    cynet.schedules  learning rates over a training
    cynet.interop    files that other programs read and write
    cynet.uwnet      the interface of the course framework uwnet, over the same kernels

The public names are loaded when they are first used, so that `import cynet` is quick: every worker process of
a data loader pays for it.
"""

import importlib

from ._version import __version__

_HOMES = {
    "cynet.layers": (
        "AvgPool2d BatchNorm1d BatchNorm2d Concat Conv2d Dropout Flatten GELU GlobalAvgPool2d LeakyReLU "
        "Linear MaxPool2d ReLU Residual Sequential Sigmoid Softmax Tanh"
    ),
    "cynet.losses": "CrossEntropyLoss MSELoss",
    "cynet.optim": "SGD Adam AdamW",
    "cynet.nn.gradients": "check_gradients",
    "cynet.nn.summary": "summary",
    "cynet.core.build": "show_config",
    "cynet.nn.layer": "Layer no_grad",
    "cynet.nn.parameter": "Parameter",
    "cynet.core.random": "seed",
    "cynet.core.threads": "get_num_threads set_num_threads",
    "cynet.kernels.conv.columns": "im2col col2im",
    "cynet.runs.predictor": "Predictor",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = ("data", "layers", "losses", "models", "optim", "runs", "schedules", "train", "interop", "uwnet")

__all__ = ["__version__", *_HOME_OF, *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"cynet.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
