"""The weights in a PyTorch file: a state dict, by itself or in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cynet.core.files import open_regular, user_path
from cynet.core.names import few
from cynet.core.types import AnyPath, State
from cynet.interop import kinds
from cynet.interop.zips import ZipDirectory

from .storages import TorchArrays
from .tensors import MOST_PICKLE, TorchStorage, TorchTensor, read_pickle

PICKLE = "data.pkl"
KNOWN = "state_dict", "model_state_dict", "model"  # what a checkpoint calls its weights; the first one counts
PREFIXES = "module.", "_orig_mod."  # of DataParallel, and of a compiled module
SHOWN = 80  # letters of a name
RESAVED = {
    kinds.PYTORCH_LEGACY: "torch.save(torch.load(FILE), NEW)",
    kinds.TORCHSCRIPT: "torch.save(torch.jit.load(FILE).state_dict(), NEW)",
}


def load_torch(path: AnyPath) -> State:
    """The tensors of a state dict that `torch.save` wrote, without PyTorch. No code is run.

    Parameters
    ----------
    path : str or Path
        A .pt or .pth file, a zip archive: a dict of names to tensors, or a checkpoint that has one as its
        "state_dict", "model_state_dict" or "model", or as the only such dict. What in it is no tensor is left
        out. "module." before all names, as torch.nn.DataParallel writes, or "_orig_mod.", is taken off.

    Returns
    -------
    dict of str to ndarray
        In PyTorch's layouts, as `Layer.load_state_dict` takes them: float16, float32, float64, integers and
        bool; bfloat16 comes as the float32 of the same values. Writable. Tensors that share a storage come as
        arrays that share memory, with PyTorch's strides.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file, and what is wrong with it: what else it is, what is damaged, or what is in it that is
        neither a tensor nor a plain value.

    Examples
    --------
    >>> model = cynet.models.create("resnet18", (224, 224, 3), 1000)
    >>> model.load_state_dict(cynet.interop.load_torch("resnet18.pth"))

    Notes
    -----
    The layout is that of torch/serialization.py and torch/_utils.py.
    """
    path = user_path(path)
    try:
        kind = kinds.kind_of(path)
        if kind in (kinds.PYTORCH, kinds.DAMAGED_ZIP):
            with open_regular(path) as file:
                return _loaded(ZipDirectory(file))
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    hint = f" (in PyTorch, {RESAVED[kind]} writes one)" if kind in RESAVED else ""
    got = kind or "a safetensors file"
    raise ValueError(f"{path}: wanted weights in a PyTorch file (zip), got {got}{hint}")


def _loaded(archive: ZipDirectory) -> State:
    pickles = [name for name in archive.entries if name.rpartition("/")[2] == PICKLE]
    if not pickles:
        raise ValueError(f"wanted a PyTorch file, got a zip archive without {PICKLE}")
    place = min(pickles, key=lambda name: name.count("/"))
    tensors = _state(read_pickle(archive.read(place, MOST_PICKLE), f"its {PICKLE}"))
    arrays = TorchArrays(archive, place.removesuffix(PICKLE))
    return {name: arrays.of(tensor) for name, tensor in tensors.items()}


def _state(value: Any) -> dict[str, TorchTensor]:
    """The tensors of the state dict that a pickle holds, their names without what wrappers put before."""
    if not isinstance(value, dict):
        got = {TorchTensor: "a tensor", TorchStorage: "a storage"}.get(type(value), type(value).__name__)
        raise ValueError(f"wanted a dict of names to tensors, got {got}")
    found = _tensors(value)
    if len(found) < len(value):
        within = {name: _tensors(each) for name, each in value.items() if _is_state(name, each)}
        names = [name for name in KNOWN if name in within][:1] or [*within]
        if len(names) > 1:
            wanted = f"wanted one dict of names to tensors, or one called {' or '.join(KNOWN)}"
            raise ValueError(f"{wanted}, got {_told(names)}")
        found = within[names[0]] if names else found
    if value and not found:
        raise ValueError(f"wanted names of tensors, or a checkpoint with them, got {_told(value)}")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def _is_state(name: object, value: object) -> bool:
    """Whether an entry is a dict of names to tensors; of one that is called so, a few may be no tensors."""
    if not isinstance(value, dict):
        return False
    found = _tensors(value)
    return bool(found) and (name in KNOWN or len(found) == len(value))


def _tensors(value: dict[Any, Any]) -> dict[str, TorchTensor]:
    return {name: each for name, each in value.items() if type(name) is str and type(each) is TorchTensor}


def _told(names: Iterable[object]) -> str:
    return few([name[:SHOWN] if type(name) is str else f"a key of {type(name).__name__}" for name in names])
