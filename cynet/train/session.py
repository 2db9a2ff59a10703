"""A training run put together from its settings: loaders, model, loss, optimiser and schedule."""

from dataclasses import dataclass, replace

import cynet.core.random as random
from cynet import data, models
from cynet.core import threads
from cynet.layers import BatchNorm1d
from cynet.losses import CrossEntropyLoss
from cynet.optim import SGD
from cynet.schedules import Constant, MultiStep

from .loop import Trainer
from .weights import Facts

STEPS, LR = 1500, 0.1
DROPS = ((0.6, 0.1), (0.84, 0.01))  # the default annealing: (part of the steps, part of the rate)
TEST_BATCH = 250
PADDING = 4  # pixels around a picture that augmentation crops from


@dataclass(frozen=True)
class Settings:
    """What a run is to do. The weights that come out depend on all of it but `threads` and `workers`.

    Attributes
    ----------
    steps, epochs : int or None
        At most one of them is given; neither means `STEPS` steps.
    lr : float or None
        None: `LR`, annealed by `DROPS` unless `lr_steps` are given.
    lr_steps : dict of int to float or None
        Learning rate from each of these steps on.
    threads : int or None
        None: leave what `cynet.get_num_threads` says.
    """

    model: str = "uwnet2"
    batch_norm: bool = True
    data: str = "shapes10"
    data_dir: str | None = None
    augment: bool = False
    batch_size: int = 128
    steps: int | None = None
    epochs: int | None = None
    lr: float | None = None
    lr_steps: dict | None = None
    momentum: float = 0.9
    weight_decay: float = 4e-5
    label_smoothing: float = 0.0
    seed: int = 0
    threads: int | None = None
    workers: int = 1

    def resolved(self, samples):
        """These settings with steps, rate, rate changes and threads settled, for so many training samples.

        An epoch is samples // batch_size steps: every step has equally many samples, and those left over
        wait for another epoch's order.

        Raises
        ------
        ValueError
            When a batch is more than all samples, or a rate would change after the last step.
        """
        if self.batch_size > samples:
            raise ValueError(
                f"batch_size: wanted at most the {samples} training samples, got {self.batch_size}"
            )
        steps = self.epochs * (samples // self.batch_size) if self.epochs else self.steps or STEPS
        lr_steps = self.lr_steps or {}
        if self.lr is None and self.lr_steps is None:
            drops = ((int(part * steps), rate) for part, rate in DROPS)
            lr_steps = {step: round(LR * rate, 6) for step, rate in drops if step}
        late = [step for step in lr_steps if step >= steps]
        if late:
            raise ValueError(f"lr_steps: wanted steps less than the run's {steps}, got {late[0]}")
        lr = LR if self.lr is None else self.lr
        count = self.threads or threads.get_num_threads()
        return replace(self, steps=steps, lr=lr, lr_steps=lr_steps, threads=count)

    def flat(self):
        """As a dict of plain values, for a configuration file."""
        lr_steps = self.lr_steps and ",".join(f"{step}:{rate!r}" for step, rate in self.lr_steps.items())
        return vars(self) | {"lr_steps": lr_steps or None}

    def facts(self, training):
        """The `Facts` of this run's weights; `training` is the training set."""
        return Facts(
            model=self.model,
            batch_norm=self.batch_norm,
            data=self.data,
            classes=tuple(map(str, training.classes)),
            mean=tuple(map(float, training.mean)),
            std=tuple(map(float, training.std)),
        )


class Session:
    """Everything that a run needs in memory; a context that closes the loader at its end.

    Parameters
    ----------
    settings : Settings
        Resolved.
    training, test : dataset

    Raises
    ------
    ValueError
        When the pictures or the batch size do not fit the model.
    """

    def __init__(self, settings, training, test):
        if settings.threads:
            threads.set_num_threads(settings.threads)
        random.seed(settings.seed)
        self.settings, self.facts = settings, settings.facts(training)
        self.model = models.create(settings.model, settings.batch_norm, len(training.classes))
        self.model.checked_shape((settings.batch_size, *training.picture_shape))
        if settings.batch_size == 1 and any(isinstance(layer, BatchNorm1d) for _, layer in self.model.walk()):
            raise ValueError("batch_size: wanted at least 2, for the batch norm of single values, got 1")
        schedule = MultiStep(settings.lr, settings.lr_steps) if settings.lr_steps else Constant(settings.lr)
        self.trainer = Trainer(
            self.model,
            CrossEntropyLoss(settings.label_smoothing),
            SGD(self.model.parameters(), schedule(0), settings.momentum, settings.weight_decay),
            schedule,
        )
        augment = [data.RandomCrop(PADDING), data.RandomFlip()] if settings.augment else []
        self.batches = data.DataLoader(
            training,
            settings.batch_size,
            shuffle=True,
            seed=settings.seed,
            workers=settings.workers,
            drop_last=True,
            transforms=[*augment, normalize(self.facts)],
        )
        self.test_batches = test_loader(test, self.facts)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.batches.close()
        self.test_batches.close()


def normalize(facts):
    """The transform that makes pictures ready for a model with these `Facts`."""
    return data.Normalize(facts.mean, facts.std)


def test_loader(test, facts, batch_size=TEST_BATCH):
    """Every sample of `test` once, in order, the last batch as small as it comes."""
    return data.DataLoader(test, batch_size, shuffle=False, workers=0, transforms=[normalize(facts)])
