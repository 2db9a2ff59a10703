"""cynet: a Cython-compiled CNN training framework for CPUs.

Layers, losses and optimisers stand here; besides there are

    cynet.data       data sets, and the loader that feeds batches of them
    cynet.models     ready-made nets: names(), create(name)
    cynet.train      a training with its settings, run folder, checkpoints and metrics; Predictor
    cynet.distributed  training by several processes over MPI (an extra)
    cynet.runs       start, resume and open a run on disk, as `cynet train` does
    cynet.schedules  learning rates over a training
    cynet.interop    files that other programs read and write
    cynet.sklearn    CNNClassifier and CNNRegressor, estimators of scikit-learn's (an extra)
    cynet.uwnet      the interface of the course framework uwnet, over the same kernels

The public names are loaded when they are first used, so that `import cynet` is quick: every worker process of
a data loader pays for it.
"""

import importlib

from ._version import __version__ as __version__

_HOMES = {
    "cynet.nn.losses": "CrossEntropyLoss",
    "cynet.nn.elementwise_losses": "BCEWithLogitsLoss HuberLoss L1Loss",
    "cynet.nn.squared_loss": "MSELoss",
    "cynet.optim": "SGD Adam AdamW Lookahead",
    "cynet.nn.gradients": "check_gradients",
    "cynet.nn.summary": "summary",
    "cynet.core.build": "show_config",
    "cynet.nn.layer": "Layer",
    "cynet.nn.passes": "no_grad",
    "cynet.nn.spec": "from_spec to_spec",
    "cynet.nn.symbols": "Input",
    "cynet.nn.parameter": "Parameter",
    "cynet.core.random": "seed",
    "cynet.core.threads": "get_num_threads set_num_threads",
    "cynet.kernels.conv.columns": "im2col col2im",
    "cynet.runs.predictor": "Predictor",
    "cynet.runs.weights": "load",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = (
    "data", "distributed", "interop", "layers", "losses", "models", "nn", "optim", "runs", "schedules",
    "sklearn", "train", "uwnet",
)  # fmt: skip


def __getattr__(name):
    if name == "__all__":
        return ["__version__", *_HOME_OF, *_layers(), *_MODULES]
    if name in _MODULES:
        return importlib.import_module(f"cynet.{name}")
    home = _HOME_OF.get(name)
    if home is None and name[:1].isupper() and name in _layers():
        home = "cynet.nn"
    if home is None:
        raise AttributeError(f"module 'cynet' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def _layers():
    """The names of the layers, which cynet.nn lists."""
    return importlib.import_module("cynet.nn").__all__


def __dir__():
    return sorted(__getattr__("__all__"))
