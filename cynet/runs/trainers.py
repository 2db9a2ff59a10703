"""What takes a run's training steps, as its settings say: the loss, the optimiser, the rate of each step."""

from typing import Any

from cynet.nn.layer import Layer
from cynet.optim.adam import Adam, AdamW
from cynet.optim.choosing import decay_groups, freeze
from cynet.optim.lookahead import Lookahead
from cynet.optim.optimizers import SGD
from cynet.train.average import Average
from cynet.train.mixup import Mixup
from cynet.train.tasks import task_of
from cynet.train.trainer import Trainer
from cynet.train.views import seen

from . import augmentations
from .settings import ADAM, ADAMW, NESTEROV, Settings

BETA = 0.999  # of the mean square of adam and adamw


def trainer_of(model: Layer, settings: Settings, class_weights: Any = None) -> Trainer:
    """The `Trainer` of a model with these `Settings`, which are resolved, and weights of the classes.

    What the settings freeze of the model is frozen; a ValueError names the setting where there is no such.
    """
    if settings.freeze:
        freeze(model, settings.freeze.split(","))
    schedule, task = settings.learning_rates(), task_of(settings.task, settings.loss)
    return Trainer(
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
    )


def _optimizer(model, settings, lr):
    """The optimiser that the settings name, over all parameters in their order."""
    params, decay = model.parameters(), settings.weight_decay
    if settings.no_decay:
        params = decay_groups(model, settings.no_decay.split(","))
    if settings.optimizer in (ADAM, ADAMW):
        kind = AdamW if settings.optimizer == ADAMW else Adam
        made = kind(params, lr, (settings.momentum, BETA), weight_decay=decay)
    else:
        made = SGD(params, lr, settings.momentum, decay, nesterov=settings.optimizer == NESTEROV)
    if settings.lookahead:
        period, kept = settings.lookahead.split(":")
        return Lookahead(made, int(period), float(kept))
    return made


def _mixing(settings):
    """What mixes the pictures of a step's batch; None."""
    named = augmentations.mixing(settings.augment, settings.seed)
    if named and settings.mixup:
        raise ValueError(f"mixup: wanted 0 beside augment={settings.augment!r}, got {settings.mixup:g}")
    return named or (Mixup(settings.mixup, settings.seed) if settings.mixup else None)
