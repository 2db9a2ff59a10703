"""What a training run is to do: pure data, so that a command's flags and help need no layer and no NumPy.

What is settled with the pictures at hand, and the learning rates, are made in `resolving`, which is imported
when it is first needed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .in_python import taken
from .ranges import (
    ADAM,
    ADAMW,
    ANNEALED,
    AUTO,
    BALANCED,
    CLASS_WEIGHTS,
    CONSTANT,
    COSINE,
    NESTEROV,
    NONE,
    ONE_CYCLE,
    OPTIMIZERS,
    RANGES,
    SCHEDULES,
    SGD,
    TRIANGULAR,
    checked,
)  # fmt: skip

TYPE_CHECKING = False  # what checks types takes it for True; nobody else needs the imports
if TYPE_CHECKING:
    from typing import Any

    from cynet.optim.schedules import Schedule

    from .facts import Facts

__all__ = [
    "ADAM", "ADAMW", "ANNEALED", "AUTO", "BALANCED", "CLASS_WEIGHTS", "CONSTANT", "COSINE", "DEFAULTS",
    "FREE", "NESTEROV", "NONE", "ONE_CYCLE", "OPTIMIZERS", "SCHEDULES", "SGD", "TRIANGULAR", "Settings",
    "data_options",
]  # fmt: skip

# The weights that come out of a run depend on all settings but these; the pictures in data_dir are told by
# their fingerprint.
FREE = ("data_dir", "threads", "workers", "checkpoint_every", "checkpoint_minutes", "tensorboard")


def data_options(values):
    """What `cynet.data.load` takes of settings, a dict, besides name, root and split."""
    names = ("split_seed", "skip_damaged", "layout", "task", "sequence_length", "level", "fold")
    found = {name: values[name] for name in names if values.get(name)}
    if size := values.get("image_size"):
        found["size"] = tuple(map(int, size.split("x")))
    return found


@dataclass(frozen=True)
class Settings:
    """What a run is to do. The weights that come out depend on all of it but what `FREE` names.

    A value of another type, or out of its range, is refused at once by a `RefusedError`, a ValueError.
    For names with commas between them a list of names may stand; numbers may be NumPy's.

    A setting is added here, its range in `ranges`, its flag in `cynet.cli.options`, and what is promised of
    it in tests/settings_table.py.

    Attributes
    ----------
    model : str
        Of the registry of models; or where a function is, "FILE.py:NAME" or "MODULE:NAME".
    model_option : str or None
        What else the model's function is given by name, a JSON object: '{"width": 8}'.
    init_from : str or None
        A file of weights to start from, PyTorch's too (`cynet.interop.load_torch`), or a run folder with one.
    new_head : bool
        Of these, whether to take all that fits by name and shape, but the last layer with weights.
    freeze : str or None
        Patterns of the paths of parameters, comma separated, that are not trained: see
        `cynet.optim.choosing.freeze`.
    freeze_after : str or None
        "PATTERN:EPOCHS,...": patterns as those, each with a number of epochs after which what matches is not
        trained any more. A dict, too.
    whiten : bool
        Whether the filters of the first layer are set from the patches of training pictures (see
        `cynet.nn.init.whitening`); not beside `init_from`.
    skip_damaged : bool
        Whether to leave damaged pictures out.
    image_size : str or None
        "48x64": the height and width that pictures of image_folder and image_list are given.
    layout : str or None
        What the dimensions of arrays are: see `cynet.data.from_npy`. None: what can be told.
    sequence_length : int or None
        Of a text: how many tokens a net is given at a time, in training. None: 100.
    level : str or None
        Of a text: what a token is, one of `LEVELS`. None: "character".
    fold : bool
        Of a text: whether every run of white space is one space.
    random_starts : bool
        Of a text: whether training takes ten sequences after each other from random places, and then the
        next ones, instead of the text from its beginning to its end.
    task : str or None
        What the labels are for, one of `TASKS`, or "language" of texts. None: what they tell.
    loss : str or None
        Of numbers, one of `LOSSES`. None: "mse".
    augment : bool or str
        What is done to training pictures, as `cynet.runs.augmentations` reads it; True: "crop:4,flip".
    validation : float
        The share of each class's training pictures that is held out, and on which the best weights and the
        end by `patience` are chosen; 0: these are chosen on the test set.
    split_seed : int
        Of that choice of pictures, and of the test pictures of a folder that has no part for them. It is not
        `seed`, so that runs of different seeds are compared on the same pictures.
    batch_size : int
        Pictures that go through the net at once; of a text the sequences.
    accumulate : int
        Such batches of a step: its gradient is the mean over the pictures of all of them, while batch norm
        knows one. Steps, and so schedules and checkpoints, are updates of the weights, whatever it is; an
        epoch has so many fewer of them.
    shards : int
        Into how many parts, each of which goes through the net by itself, a step's batch is cut; with several
        processes as many times a whole number as these. Batch norm knows one part, or one of its batches.
    sync_batch_norm : bool
        Whether batch norm knows all shards of a step.
    balanced : bool
        Whether training draws every class as often as another; an epoch has as many samples as without. Not
        together with class weights, which do the same.
    steps : int or None
    epochs : int, float or None
        At most one of them is given; neither means 1500 steps. Epochs may be no whole number: 9.9.
    evaluate_every : int
        Epochs from one evaluation to the next; there is one at the very end, too.
    lr : float or None
        None: 0.1; of adam, adamw and task "regress" 0.001.
    schedule : str or None
        One of `SCHEDULES`. None: "steps" where `lr_steps` or `lr_drop` are given or `lr` is not, else
        "constant".
    lr_steps : dict of int to float or None
        With schedule "steps" the learning rate from each of these steps on; None: `resolving.DROPS`.
    lr_factor : str or None
        "PATTERN:FACTOR,...": what the rate is multiplied by of parameters whose paths match, as those of
        `freeze`; what the weight decay takes of them in a step stays. A dict, too.
    lr_drop : str or None
        "EPOCHS:FACTOR": the rate is multiplied by this factor after every so many epochs. The
        `lr_steps` follow from it.
    warmup : int
        Steps in which the rate rises.
    optimizer : str
        One of `OPTIMIZERS`.
    momentum : float
        Of adam and adamw the first beta, the decay of the mean gradient.
    no_decay : str or None
        Parameters without weight decay: "norm", "bias", or both, comma separated; see
        `cynet.optim.choosing.decay_groups`.
    class_weights : str
        One of `CLASS_WEIGHTS`. "balanced": the loss of training weighs every class as much as another (see
        `cynet.data.class_weights`); that of evaluations weighs every picture the same.
    clip_norm : float or None
        See `Trainer`.
    ema : float
        Decay of an `Average` of the weights; 0: none.
    lookahead : str or None
        "STEPS:DECAY" of a `Lookahead` around the optimiser; or "STEPS:DECAY:POWER": its decay rises from 0 as
        that power of the steps taken, running statistics are slow, too, and the last weights are slow ones.
    mixup : float
        Alpha of `Mixup`; 0: none.
    tta : str or None
        The views of pictures whose mean is evaluated, of "flip", "shift", "diagonal": see
        `cynet.train.predict`. It decides which weights are the best, and stands in the weights files.
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
    model_option: str | None = None
    batch_norm: bool = True
    init_from: str | None = None
    new_head: bool = False
    freeze: str | None = None
    freeze_after: str | None = None
    whiten: bool = False
    data: str = "shapes10"
    data_dir: str | None = None
    skip_damaged: bool = False
    image_size: str | None = None
    layout: str | None = None
    sequence_length: int | None = None
    level: str | None = None
    fold: bool = False
    random_starts: bool = False
    task: str | None = None
    loss: str | None = None
    augment: bool | str = False
    validation: float = 0.0
    split_seed: int = 0
    batch_size: int = 128
    accumulate: int = 1
    shards: int = 1
    sync_batch_norm: bool = False
    balanced: bool = False
    steps: int | None = None
    epochs: float | None = None
    evaluate_every: int = 1
    lr: float | None = None
    schedule: str | None = None
    lr_steps: dict[int, float] | None = None
    lr_factor: str | None = None
    lr_drop: str | None = None
    warmup: int = 0
    optimizer: str = SGD
    momentum: float = 0.9
    weight_decay: float = 4e-5
    no_decay: str | None = None
    label_smoothing: float = 0.0
    class_weights: str = NONE
    clip_norm: float | None = None
    ema: float = 0.0
    lookahead: str | None = None
    mixup: float = 0.0
    tta: str | None = None
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    workers: int | str = AUTO
    checkpoint_every: int | None = None
    checkpoint_minutes: float = 10.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Refuse what a setting cannot be; what Python has other types for is made plain."""
        for name, default in DEFAULTS.items():
            value = getattr(self, name)
            if value is not default:
                object.__setattr__(self, name, taken(name, value))

    @property
    def step_size(self) -> int:
        """The pictures of a step."""
        return self.batch_size * self.accumulate

    def resolved(self, samples: Any) -> Settings:
        """These settings with all that was left open settled, for so many training samples.

        An epoch is samples // (batch_size * accumulate) steps: every step has equally many samples, and
        those left over wait for another epoch's order. Settings that are settled stay as they are.

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
        return _resolving().resolved(self, samples)

    def learning_rates(self) -> Schedule:
        """The `Schedule` of these settings, which are resolved."""
        return _resolving().learning_rates(self)

    def flat(self) -> dict[str, Any]:
        """As a dict of plain values, for a configuration file; `unflat` reads it."""
        lr_steps = self.lr_steps and ",".join(f"{step}:{rate!r}" for step, rate in self.lr_steps.items())
        return vars(self) | {"lr_steps": lr_steps or None}

    @classmethod
    def unflat(cls, values: dict[str, Any]) -> Settings:
        """Settings from what `flat` made of them; one that is not there, or None, has its default.

        Raises
        ------
        ValueError
            Naming a setting of another type, or out of its range.
        """
        given = {name: value for name, value in values.items() if name in RANGES and value is not None}
        return cls(**{name: checked(name, value) for name, value in given.items()})

    def facts(self, training: Any) -> Facts:
        """The `Facts` of this run's weights; `training` is the training set."""
        return _resolving().facts(self, training)


def _resolving():
    from . import resolving

    return resolving


DEFAULTS = {field.name: field.default for field in fields(Settings)}
