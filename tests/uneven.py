"""A data set "uneven" whose numbers differ wherever two could be taken for each other, with markup as names;
and what is true of a run on it, computed from its weights and tables by the definitions.
"""

import csv
import math

import numpy as np

from cynet import cli, data
from cynet.data import ArrayDataset
from cynet.train import load_weights

CLASSES = ("<b>a</b>", "c & 'd'", "</script x")
COUNTS = {"train": (26, 20, 18), "test": (13, 9, 5)}
RUNS = {
    "one": ("--steps", 20, "--lr", 0.02),
    "other": ("--steps", 12, "--lr", 0.01, "--seed", 3, "--no-batch-norm"),
}
BINS = 15


def uneven(root=None, split="train"):
    """Noise, a little brighter from class to class: mistakes are made."""
    random = np.random.default_rng(split == "test")
    labels = np.repeat(np.arange(len(CLASSES)), COUNTS[split])
    images = random.integers(0, 256, (len(labels), 3, 32, 32)) // 2 + labels[:, None, None, None] * 2
    return ArrayDataset(images.astype(np.uint8), labels, CLASSES)


def train(place, name, *more):
    """Train one of `RUNS` in a folder; the path of the run."""
    flags = ("--data", "uneven", "--batch-size", 8, "--workers", 0, "--threads", 1, *RUNS[name], *more)
    assert cli.main(["train", *map(str, flags), "--run-dir", str(place / name)]) == 0
    return place / name


class Truth:
    """What is true of a run.

    Attributes
    ----------
    model : Layer
    labels, chances : ndarray (27,), float64 (27, 3)
        Of the test pictures.
    counts : list of list of int
        counts[label][prediction]
    metrics, steps : dict of str to list of float
        The columns of its tables.
    """

    def __init__(self, run):
        self.model, facts = load_weights(run / "last.safetensors")
        self.model.eval()
        pictures, self.chances = uneven(split="test"), []
        self.labels = [int(label) for label in pictures.labels]
        for i in range(len(self.labels)):
            logits = self.model(((pictures[i][0] / 255 - facts.mean) / facts.std).astype(np.float32)[None])[0]
            self.chances.append(np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum())
        self.chances = np.array(self.chances)
        self.counts = [[0] * 3 for _ in CLASSES]
        for label, row in zip(self.labels, self.chances, strict=True):
            self.counts[label][list(row).index(max(row))] += 1
        turned = [list(column) for column in zip(*self.counts, strict=True)]
        assert turned != self.counts  # an exchange would be seen
        self.metrics, self.steps = columns(run / "metrics.csv"), columns(run / "steps.csv")

    @property
    def accuracy(self):
        return sum(self.counts[k][k] for k in range(3)) / len(self.labels)

    @property
    def loss(self):
        return float(-np.log([row[k] for row, k in zip(self.chances, self.labels, strict=True)]).mean())

    def recall(self, k):
        return self.counts[k][k] / sum(self.counts[k])

    def precision(self, k):
        guesses = sum(row[k] for row in self.counts)
        return self.counts[k][k] / guesses if guesses else None

    def mistakes(self):
        """[(pictures, label, prediction), ...] of each pair of classes, the most frequent first."""
        counts = self.counts
        found = [(counts[i][j], i, j) for i in range(3) for j in range(3) if i != j and counts[i][j]]
        return sorted(found, key=lambda each: (-each[0], each[1], each[2]))

    def calibration(self):
        """(the expected error, [(pictures, confidence, accuracy), ...] of each bin)."""
        bins = [[] for _ in range(BINS)]
        for label, row in zip(self.labels, self.chances, strict=True):
            bins[math.ceil(row.max() * BINS) - 1].append((row.max(), row.argmax() == label))
        filled = [(len(each), *np.mean(each, axis=0)) if each else (0, None, None) for each in bins]
        error = sum(n * abs(sure - right) for n, sure, right in filled if n) / len(self.labels)
        return error, filled


def columns(path):
    """{heading: [float, ...]} of a CSV file."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


data.register("uneven", uneven)
