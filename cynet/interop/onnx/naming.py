"""Names of layers: those that a file has for its weights and nodes, as far as a layer can have them."""

from __future__ import annotations

import re
from collections import Counter

OURS = "weight", "bias", "running_mean", "running_var", "num_batches_tracked"  # names within a layer
ENDS = re.compile(r"(.+?)[._/](?:weight|weight_ih|weights|kernel|gamma|scale|W|w)(?:[._/:]\d+)?")
MADE_UP = re.compile(r"onnx::.*|\d+|(?:val|const|tmp|temp|tensor)_?\d+|.*const_fold.*")  # by a program
OTHERS = re.compile(r"[^A-Za-z0-9_]+")
MOST = 100  # letters


class LayerNames:
    """Gives each layer a name of its own."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: Counter[str] = Counter()

    def counted(self, kind: str) -> str:
        """That of a layer which has no name in the file: its kind and a number, "relu_3"."""
        self._counts[kind] += 1
        return self._own(f"{kind}_{self._counts[kind]}")

    def told(self, weight: str, node: str, kind: str) -> str:
        """That of a layer with weights.

        Parameters
        ----------
        weight : str
            What the file calls its first weight: "layer1.0.conv1.weight" is one of layer1.0.conv1.
        node : str
            What it calls the node: "/layer1/layer1.0/conv1/Conv".
        kind : str
        """
        ended = None if MADE_UP.fullmatch(weight) else ENDS.fullmatch(weight)
        own = "" if MADE_UP.fullmatch(weight) else weight
        for text in (ended[1] if ended else own, _place(node)):
            if name := cleaned(text):
                return self._own(name)
        return self.counted(kind)

    def _own(self, name: str) -> str:
        if name.rpartition(".")[2] in OURS:  # else "a.weight" may be a layer, or the weight of a layer a
            name += "_"
        found, number = name, 1
        while found in self._used:
            number += 1
            found = f"{name}_{number}"
        self._used.add(found)
        return found


def _place(node: str) -> str:
    """Where a node stands, as PyTorch writes it: "/features/features.0/Conv" is features.0."""
    parts = [part for part in node.split("/") if part][:-1]
    found: list[str] = []
    for part in parts:
        if found and part.startswith(f"{found[-1]}."):
            found.pop()
        found.append(part)
    return ".".join(found)


def cleaned(text: str) -> str:
    """A text as the name of a layer; "" where nothing of it can be one."""
    parts = (OTHERS.sub("_", part).strip("_") for part in re.split(r"[./]", text))
    return ".".join(part for part in parts if part)[-MOST:].strip(".")
