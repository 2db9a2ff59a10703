"""Floor 3: data sets, and the loader that feeds batches of them.

The names are loaded when they are first used: every worker process imports this package.
"""

import importlib

_HOMES = {
    "cynet.data.dataset": "ArrayDataset",
    "cynet.data.sets.cifar": "CIFAR10 CIFAR100",
    "cynet.data.sets.idx": "IdxDataset MNIST FashionMNIST",
    "cynet.data.images.image_list": "ImageList",
    "cynet.data.images.image_folder": "ImageFolder",
    "cynet.data.images.damaged": "DamagedError",
    "cynet.data.sets.array_files": "from_npy from_npz",
    "cynet.data.sets.shapes10": "Shapes10",
    "cynet.data.loading": "load",
    "cynet.data.registry": "names register",
    "cynet.data.images.augment": "Brightness Contrast Cutout Normalize RandomCrop RandomFlip",
    "cynet.data.images.warps": (
        "CenterCrop RandomAffine RandomHorizontalFlip RandomResizedCrop RandomRotation Resize"
    ),
    "cynet.data.images.colours": "ColorJitter RandomGrayscale",
    "cynet.data.images.erasing": "RandomErasing",
    "cynet.data.images.trivial": "TrivialAugmentWide",
    "cynet.data.balance": "class_weights",
    "cynet.data.holdout": "split",
    "cynet.data.sampler": "BalancedSampler SubsetSampler WeightedSampler",
    "cynet.data.workers.crew": "WorkerLostError",
    "cynet.data.loader": "DataLoader",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

_ROOMS = ("text",)  # that are public as they are

__all__ = list(_HOME_OF)


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"cynet.data.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cynet.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted((*__all__, *_ROOMS))
