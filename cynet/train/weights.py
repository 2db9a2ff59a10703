"""Weights files that know which model they belong to and how its pictures were made ready.

Their notes hold nothing that differs between two equal trainings: no times, paths, thread or worker counts.
"""

import hashlib
import json
from dataclasses import dataclass

from cynet import models
from cynet.interop import safetensors


@dataclass(frozen=True)
class Facts:
    """What a weights file tells besides the weights.

    Attributes
    ----------
    model : str
        Its name in the registry of models.
    batch_norm : bool
    data : str
        The name of the data set.
    classes : tuple of str
        The names of the classes.
    mean, std : tuple of float
        A pixel's channel c of 0 to 1 enters the model as (value - mean[c]) / std[c].
    """

    model: str
    batch_norm: bool
    data: str
    classes: tuple
    mean: tuple
    std: tuple

    def create(self):
        """A new model of this kind."""
        return models.create(self.model, batch_norm=self.batch_norm, classes=len(self.classes))


def save_weights(path, model, facts):
    """Write `model` and its `Facts` to a safetensors file, as a whole or not at all."""
    safetensors.save(model, path, {name: json.dumps(value) for name, value in vars(facts).items()})


def digests(model):
    """{name: SHA-256 in hexadecimal digits} of a model's parameters and buffers, their shapes included."""
    found = {}
    for name, (array, _) in model._state().items():
        part = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
        part.update(array.data if array.flags.c_contiguous else array.tobytes())
        found[name] = part.hexdigest()
    return found


def tensor_digests(model):
    """The first 8 digits of SHA-256 of each parameter and buffer, in the order of `state_dict`."""
    return tuple(hashlib.sha256(array.tobytes()).hexdigest()[:8] for array in model.state_dict().values())


def load_weights(path):
    """The model in a file of `save_weights`, in evaluation mode, and its `Facts`.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        Naming the file, when it is damaged, has no facts, or does not fit the model it names; every missing,
        unexpected and differently shaped tensor is listed.
    """
    tensors, notes = safetensors.load(path)
    facts = _facts(path, notes)
    try:
        model = facts.create()
        model.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model.eval(), facts


def _facts(path, notes):
    wanted = Facts.__dataclass_fields__
    missing = [name for name in wanted if name not in notes]
    if missing:
        raise ValueError(
            f"{path}: wanted a file of weights from cynet's training; it lacks {', '.join(missing)}"
        )
    try:
        values = {name: json.loads(notes[name]) for name in wanted}
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        if all(isinstance(values[name], kind) for name, kind in Facts.__annotations__.items()):
            return Facts(**values)
    except json.JSONDecodeError:
        pass
    raise ValueError(
        f"{path}: its notes on the model are no such facts: { ({n: notes[n] for n in wanted})!r:.200}"
    )
