"""What a training run is to do, and its learning rates."""

from dataclasses import dataclass, replace

from cynet.core import threads
from cynet.data.workers import auto
from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle
from cynet.train import batching

from .facts import Facts
from .ranges import (
    ANNEALED,
    AUTO,
    BALANCED,
    CLASS_WEIGHTS,
    CONSTANT,
    COSINE,
    NONE,
    ONE_CYCLE,
    RANGES,
    SCHEDULES,
    checked,
)  # fmt: skip
from .validation import Division

__all__ = [
    "ANNEALED", "AUTO", "BALANCED", "CLASS_WEIGHTS", "CONSTANT", "COSINE", "FREE", "NONE", "ONE_CYCLE",
    "SCHEDULES", "Settings", "data_options", "spread",
]  # fmt: skip

STEPS, LR = 1500, 0.1
DROPS = ((0.6, 0.1), (0.84, 0.01))  # the default annealing: (part of the steps, part of the rate)

# The weights that come out of a run depend on all settings but these; the pictures in data_dir are told by
# their fingerprint.
FREE = ("data_dir", "threads", "workers", "checkpoint_every", "checkpoint_minutes", "tensorboard")


def data_options(values):
    """What `cynet.data.load` takes of settings, a dict, besides name, root and split."""
    return {name: values[name] for name in ("split_seed", "skip_damaged") if values.get(name)}


@dataclass(frozen=True)
class Settings:
    """What a run is to do. The weights that come out depend on all of it but what `FREE` names.

    A setting is added here, its range in `ranges`, its flag in `cynet.cli.options`, and what is promised of
    it in tests/settings_table.py.

    Attributes
    ----------
    init_from : str or None
        A file of weights to start from, or a run folder with one.
    skip_damaged : bool
        Whether to leave damaged pictures out.
    validation : float
        The share of each class's training pictures that is held out, and on which the best weights and the
        end by `patience` are chosen; 0: these are chosen on the test set.
    split_seed : int
        Of that choice of pictures, and of the test pictures of a folder that has no part for them. It is not
        `seed`, so that runs of different seeds are compared on the same pictures.
    balanced : bool
        Whether training draws every class as often as another; an epoch has as many samples as without. Not
        together with class weights, which do the same.
    steps, epochs : int or None
        At most one of them is given; neither means `STEPS` steps.
    lr : float or None
        None: `LR`.
    schedule : str or None
        One of `SCHEDULES`. None: "steps" where `lr_steps` are given or `lr` is not, else "constant".
    lr_steps : dict of int to float or None
        With schedule "steps" the learning rate from each of these steps on; None: `DROPS`.
    warmup : int
        Steps in which the rate rises.
    class_weights : str
        One of `CLASS_WEIGHTS`. "balanced": the loss of training weighs every class as much as another (see
        `cynet.data.class_weights`); that of evaluations weighs every picture the same.
    clip_norm : float or None
        See `Trainer`.
    ema : float
        Decay of an `Average` of the weights; 0: none.
    mixup : float
        Alpha of `Mixup`; 0: none.
    patience : int or None
        Epochs in a row without a better accuracy, on the pictures held out or else the test set, after which
        the run ends.
    tensorboard : bool
        Whether to write event files for TensorBoard too.
    threads : int or None
        None: leave what `cynet.get_num_threads` says.
    workers : int or str
        Processes of the loader; 0: it works in this one. "auto": what is fastest beside so many threads. The
        weights do not depend on it.
    checkpoint_every : int or None
        Steps between checkpoints, besides those after each evaluation.
    checkpoint_minutes : float
        The same in minutes; 0 means never.
    """

    model: str = "uwnet2"
    batch_norm: bool = True
    init_from: str | None = None
    data: str = "shapes10"
    data_dir: str | None = None
    skip_damaged: bool = False
    augment: bool = False
    validation: float = 0.0
    split_seed: int = 0
    batch_size: int = 128
    balanced: bool = False
    steps: int | None = None
    epochs: int | None = None
    lr: float | None = None
    schedule: str | None = None
    lr_steps: dict | None = None
    warmup: int = 0
    momentum: float = 0.9
    weight_decay: float = 4e-5
    label_smoothing: float = 0.0
    class_weights: str = NONE
    clip_norm: float | None = None
    ema: float = 0.0
    mixup: float = 0.0
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    workers: int | str = AUTO
    checkpoint_every: int | None = None
    checkpoint_minutes: float = 10.0
    tensorboard: bool = False

    def resolved(self, samples):
        """These settings with all that was left open settled, for so many training samples.

        An epoch is samples // batch_size steps: every step has equally many samples, and those left over
        wait for another epoch's order. Settings that are settled stay as they are.

        Parameters
        ----------
        samples : int or ArrayDataset
            How many are trained on, or the training set, of which those that are held out are none.

        Raises
        ------
        ValueError
            When a batch is more than all samples, a rate would change after the last step, or settings
            contradict each other.
        """
        if not isinstance(samples, int):
            samples = len(Division.of(samples, self).kept)
        if self.class_weights not in CLASS_WEIGHTS:
            wanted = ", ".join(CLASS_WEIGHTS)
            raise ValueError(f"class_weights: wanted one of {wanted}, got {self.class_weights!r}")
        if self.balanced and self.class_weights != NONE:
            raise ValueError("balanced: not allowed with class_weights (give one of the two)")
        if self.batch_size > samples:
            raise ValueError(f"batch_size: {batching.refusal(samples, self.batch_size)}")
        steps = self.epochs * (samples // self.batch_size) if self.epochs else self.steps or STEPS
        lr = LR if self.lr is None else self.lr
        schedule = self.schedule
        if schedule is None:
            schedule = ANNEALED if self.lr is None or self.lr_steps else CONSTANT
        lr_steps = self.lr_steps or {}
        if schedule == ANNEALED and self.lr_steps is None:
            drops = ((int(part * steps), rate) for part, rate in DROPS)
            lr_steps = {step: round(lr * rate, 6) for step, rate in drops if step}
        late = [step for step in lr_steps if step >= steps]
        if late:
            raise ValueError(f"lr_steps: wanted steps less than the run's {steps}, got {late[0]}")
        if self.warmup >= steps:
            raise ValueError(f"warmup: wanted less than the run's {steps} steps, got {self.warmup}")
        count = self.threads or threads.get_num_threads()
        workers = auto.beside(count)[0] if self.workers == AUTO else self.workers
        return replace(
            self, steps=steps, epochs=None, lr=lr, schedule=schedule, lr_steps=lr_steps, threads=count,
            workers=workers,
        )  # fmt: skip

    def learning_rates(self):
        """The `Schedule` of these settings, which are resolved."""
        if self.schedule == COSINE:
            return Cosine(self.lr, self.steps, self.warmup)
        if self.schedule == ONE_CYCLE:
            return OneCycle(self.lr, self.steps, warmup=self.warmup)
        if self.lr_steps:
            return MultiStep(self.lr, self.lr_steps, self.warmup)
        return Constant(self.lr, self.warmup)

    def flat(self):
        """As a dict of plain values, for a configuration file; `unflat` reads it."""
        lr_steps = self.lr_steps and ",".join(f"{step}:{rate!r}" for step, rate in self.lr_steps.items())
        return vars(self) | {"lr_steps": lr_steps or None}

    @classmethod
    def unflat(cls, values):
        """Settings from what `flat` made of them; one that is not there, or None, has its default.

        Raises
        ------
        ValueError
            Naming a setting of another type, or out of its range.
        """
        given = {name: value for name, value in values.items() if name in RANGES and value is not None}
        return cls(**{name: checked(name, value) for name, value in given.items()})

    def facts(self, training):
        """The `Facts` of this run's weights; `training` is the training set."""
        return Facts(
            model=self.model,
            batch_norm=self.batch_norm,
            data=self.data,
            classes=tuple(map(str, training.classes)),
            mean=tuple(map(float, training.mean)),
            std=spread(training.std),
            picture_shape=tuple(map(int, training.picture_shape)),
            resize=getattr(training, "resize", "crop"),
        )


def spread(std):
    """What a picture's channels are divided by: the deviation, 1 where a channel is constant."""
    return tuple(float(value) or 1.0 for value in std)
