"""What takes a run's training steps, as its settings say: the loss, the optimiser, the rate of each step."""

from typing import Any

from cynet.distributed import current
from cynet.nn.layer import Layer
from cynet.optim.adam import Adam, AdamW
from cynet.optim.choosing import Freezing, decay_groups, freeze, rate_groups
from cynet.optim.lookahead import Lookahead, Rising
from cynet.optim.optimizers import SGD
from cynet.train.average import Average
from cynet.train.mixup import Mixup
from cynet.train.shards.sharding import Sharding
from cynet.train.tasks import task_of
from cynet.train.trainer import Trainer
from cynet.train.views import seen

from . import augmentations
from .ranges import numbers_of
from .settings import ADAM, ADAMW, NESTEROV, Settings

BETA = 0.999  # of the mean square of adam and adamw


def trainer_of(model: Layer, settings: Settings, class_weights: Any = None) -> Trainer:
    """The `Trainer` of a model with these `Settings`, which are resolved, and weights of the classes.

    What the settings freeze of the model is frozen; a ValueError names the setting where there is no such.
    """
    if settings.freeze:
        freeze(model, settings.freeze.split(","))
    later = {pattern: int(epochs) for pattern, epochs in numbers_of(settings.freeze_after).items()}
    schedule, task = settings.learning_rates(), task_of(settings.task, settings.loss)
    made = Trainer(
        model,
        task.criterion(settings.label_smoothing, class_weights),
        _optimizer(model, settings, schedule(0)),
        schedule,
        settings.clip_norm,
        Average(model, settings.ema) if settings.ema else None,
        _mixing(settings),
        settings.accumulate,
        seen(model, settings.tta),
        task,
        Freezing(model, later) if later else None,
    )
    world = current()
    needed = settings.shards > 1 or (world is not None and world.size > 1)
    # also where it is None: what `distributed.init` has set is for other trainers than a run's
    made.sharding = Sharding(settings.shards, world, settings.sync_batch_norm) if needed else None
    return made


def _optimizer(model, settings, lr):
    """The optimiser that the settings name, over all parameters in their order."""
    params, decay = model.parameters(), settings.weight_decay
    factors = numbers_of(settings.lr_factor)
    if settings.no_decay or factors:
        params = decay_groups(model, settings.no_decay.split(",") if settings.no_decay else ())
    if factors:
        params = rate_groups(params, factors, decay)
    rate, lr = lr, 1.0 if factors else lr  # of which the groups' rates are multiples
    if settings.optimizer in (ADAM, ADAMW):
        kind = AdamW if settings.optimizer == ADAMW else Adam
        made = kind(params, lr, (settings.momentum, BETA), weight_decay=decay)
    else:
        made = SGD(params, lr, settings.momentum, decay, nesterov=settings.optimizer == NESTEROV)
    made.lr = rate
    if settings.lookahead:
        return _ahead(made, model, settings)
    return made


def _ahead(made, model, settings):
    """An optimiser with slow weights."""
    period, decay, *power = settings.lookahead.split(":")
    if not power:
        return Lookahead(made, int(period), float(decay))
    steps = settings.steps
    return Lookahead(made, int(period), Rising(float(decay), steps, float(*power)), model, steps)


def _mixing(settings):
    """What mixes the pictures of a step's batch; None."""
    named = augmentations.mixing(settings.augment, settings.seed)
    if named and settings.mixup:
        raise ValueError(f"mixup: wanted 0 beside augment={settings.augment!r}, got {settings.mixup:g}")
    return named or (Mixup(settings.mixup, settings.seed) if settings.mixup else None)
