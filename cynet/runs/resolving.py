"""Settings resolved with the pictures at hand: steps, rates and threads, the learning rates, the facts."""

from dataclasses import replace
from math import ceil

from cynet.core import threads
from cynet.core.tasks import CLASSIFY, LANGUAGE, MSE, MULTILABEL, REGRESS
from cynet.data.workers import auto
from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle, Triangular
from cynet.train import batching

from .facts import BYTES, TOKENS, Facts
from .middle import sizes
from .ranges import (
    ADAM,
    ADAMW,
    ANNEALED,
    AUTO,
    CLASS_WEIGHTS,
    CONSTANT,
    COSINE,
    NESTEROV,
    NONE,
    ONE_CYCLE,
    OPTIMIZERS,
    TRIANGULAR,
)  # fmt: skip
from .validation import Division

# What has no meaning for labels of some tasks, and what has one for texts alone.
BESIDE: dict[str, tuple[str, ...]] = dict.fromkeys(("label_smoothing",), (MULTILABEL, REGRESS))
BESIDE |= dict.fromkeys(("balanced", "tta"), (MULTILABEL, REGRESS, LANGUAGE))
BESIDE |= {"class_weights": (REGRESS, LANGUAGE)}
BESIDE |= dict.fromkeys(
    ("augment", "mixup", "validation", "accumulate", "whiten", "sync_batch_norm"), (LANGUAGE,)
)
OF_TEXTS = ("sequence_length", "level", "fold", "random_starts")

ROUNDED = 6  # digits of steps behind the point
STEPS, LR, LR_ADAM = 1500, 0.1, 0.001
LRS = {REGRESS: 0.001}  # of tasks whose errors, and so gradients, have no bound
MOST_DROPS = 1000  # of a rate, by `lr_drop`
DROPS = ((0.6, 0.1), (0.84, 0.01))  # the default annealing: (part of the steps, part of the rate)


def resolved(settings, samples):
    """See `Settings.resolved`."""
    if not isinstance(samples, int):
        settings = with_task(settings, samples)
        samples = len(Division.of(samples, settings).kept)
    if settings.class_weights not in CLASS_WEIGHTS:
        wanted = ", ".join(CLASS_WEIGHTS)
        raise ValueError(f"class_weights: wanted one of {wanted}, got {settings.class_weights!r}")
    if settings.balanced and settings.class_weights != NONE:
        raise ValueError("balanced: not allowed with class_weights (give one of the two)")
    _check_step(settings, samples)
    epoch = epoch_steps(settings, samples)
    steps = settings.steps or STEPS
    if settings.epochs:
        steps = ceil(round(settings.epochs * epoch, ROUNDED))  # 1.1 of 10 steps are 11, and not one more
    usual = LR_ADAM if settings.optimizer in (ADAM, ADAMW) else LRS.get(settings.task, LR)
    lr = usual if settings.lr is None else settings.lr
    schedule = settings.schedule
    if schedule is None:
        given = settings.lr_steps or settings.lr_drop
        schedule = ANNEALED if settings.lr is None or given else CONSTANT
    lr_steps = settings.lr_steps or {}
    if schedule == ANNEALED and settings.lr_steps is None and settings.lr_drop:
        lr_steps = _dropped(settings.lr_drop, lr, epoch, steps)
        schedule = ANNEALED if lr_steps else CONSTANT
    elif schedule == ANNEALED and settings.lr_steps is None:
        drops = ((int(part * steps), rate) for part, rate in DROPS)
        lr_steps = {step: float(f"{lr * rate:.6g}") for step, rate in drops if step}
    late = [step for step in lr_steps if step >= steps]
    if late:
        raise ValueError(f"lr_steps: wanted steps less than the run's {steps}, got {late[0]}")
    if settings.warmup >= steps:
        raise ValueError(f"warmup: wanted less than the run's {steps} steps, got {settings.warmup}")
    count = settings.threads or threads.get_num_threads()
    workers = auto.beside(count)[0] if settings.workers == AUTO else settings.workers
    if settings.task == LANGUAGE:
        workers = 0  # slicing is all that there is to do
    return replace(
        settings, steps=steps, epochs=None, lr=lr, schedule=schedule, lr_steps=lr_steps, threads=count,
        workers=workers,
    )  # fmt: skip


def epoch_steps(settings, samples):
    """How many steps an epoch of so many samples has; of a text: of so many tokens that are predicted."""
    if settings.task != LANGUAGE:
        return samples // settings.step_size
    chunk = (samples + 1) // settings.batch_size
    return -(-(chunk - 1) // (settings.sequence_length or 1))


def _dropped(drop, lr, epoch, steps):
    """The `lr_steps` of a rate that is multiplied after every so many epochs."""
    epochs, factor = drop.split(":")
    every = int(epochs) * epoch
    count = (steps - 1) // every
    if count > MOST_DROPS:
        raise ValueError(f"lr_drop: wanted at most {MOST_DROPS:,} drops in {steps} steps, got {count:,}")
    return {k * every: float(f"{lr * float(factor) ** k:.6g}") for k in range(1, count + 1)}


def _check_step(settings, samples):
    """Refuse what a step cannot be made of."""
    if settings.task == LANGUAGE and 2 * settings.batch_size > samples + 1:
        wanted = f"wanted at most {(samples + 1) // 2}, so that each row has two of the {samples + 1} tokens"
        raise ValueError(f"batch_size: {wanted}, got {settings.batch_size}")
    if settings.batch_size > samples:
        raise ValueError(f"batch_size: {batching.refusal(samples, settings.batch_size)}")
    if settings.step_size > samples:
        most, batch = samples // settings.batch_size, settings.batch_size
        raise ValueError(
            f"accumulate: wanted at most {most} batches of {batch} of the {samples} training samples, got "
            f"{settings.accumulate}"
        )
    if settings.shards > settings.batch_size:
        wanted = f"wanted at most the batch_size, {settings.batch_size}"
        raise ValueError(f"shards: {wanted}, got {settings.shards}")
    if settings.sync_batch_norm and settings.shards == 1:
        raise ValueError("sync_batch_norm: wanted shards of 2 or more beside it, got 1")
    if settings.optimizer not in OPTIMIZERS:
        wanted = ", ".join(OPTIMIZERS)
        raise ValueError(f"optimizer: wanted one of {wanted}, got {settings.optimizer!r}")
    if settings.optimizer == NESTEROV and not settings.momentum:
        raise ValueError("optimizer: wanted a momentum above 0 for nesterov, got 0")
    if settings.whiten and settings.init_from:
        raise ValueError(f"whiten: wanted no weights to begin from beside it, got {settings.init_from!r:.80}")
    if settings.new_head and not settings.init_from:
        raise ValueError("new_head: wanted weights to begin from beside it (init_from), got none")


def with_task(settings, training):
    """The settings with the task that a training set's labels are for, and its loss; a ValueError names the
    setting that is none of the task.

    Classes are what is told by no task, so that a run of them has the files that it always had.
    """
    task = getattr(training, "task", CLASSIFY)
    if settings.task not in (None, task):
        raise ValueError(f"task: wanted {task}, as the labels are, got {settings.task}")
    if settings.loss is not None and task != REGRESS:
        raise ValueError(f"loss: wanted task {REGRESS} beside it, got labels of task {task}")
    for name, tasks in BESIDE.items():
        value = getattr(settings, name)
        if task in tasks and value not in (None, NONE, False, 0, usual := _default(settings, name)):
            default = {"tta": NONE}.get(name, 0 if usual == 0.0 and usual is not False else usual)
            raise ValueError(f"{name}: wanted {default} for labels of task {task}, got {value}")
    if task == LANGUAGE:
        return replace(settings, task=task, **_of_text(settings, training))
    for name in OF_TEXTS:
        if (value := getattr(settings, name)) != _default(settings, name):
            raise ValueError(f"{name}: wanted a text beside it, got {training!r:.80} and {name}={value}")
    if task == CLASSIFY:
        return settings
    loss = settings.loss or MSE if task == REGRESS else None
    return replace(settings, task=task, loss=loss)


def _default(settings, name):
    return type(settings).__dataclass_fields__[name].default


def _of_text(settings, training):
    """What the settings say of a text, as it is."""
    known = training.vocabulary.level if training.vocabulary else None
    found = {"sequence_length": training.sequence_length, "level": known}
    for name, is_so in found.items():
        if (given := getattr(settings, name)) not in (None, is_so):
            raise ValueError(f"{name}: wanted {is_so}, as the text has, got {given}")
    return found


def learning_rates(settings):
    """The `Schedule` of settings that are resolved."""
    if settings.schedule == COSINE:
        return Cosine(settings.lr, settings.steps, settings.warmup)
    if settings.schedule == ONE_CYCLE:
        return OneCycle(settings.lr, settings.steps, warmup=settings.warmup)
    if settings.schedule == TRIANGULAR:
        return Triangular(settings.lr, settings.steps, warmup=settings.warmup)
    if settings.lr_steps:
        return MultiStep(settings.lr, settings.lr_steps, settings.warmup)
    return Constant(settings.lr, settings.warmup)


def facts(settings, training):
    """The `Facts` of a run's weights; `training` is the training set."""
    if getattr(training, "task", CLASSIFY) == LANGUAGE:
        return _facts_of_text(settings, training)
    kind = training.images.dtype.name if hasattr(training, "images") else BYTES
    shape, kept = sizes(settings.augment if kind == BYTES else False, training.picture_shape)
    return Facts(
        model=settings.model,
        batch_norm=settings.batch_norm,
        data=settings.data,
        classes=tuple(map(str, training.classes)),
        mean=tuple(map(float, training.mean)),
        std=spread(training.std),
        picture_shape=shape,
        kept=kept,
        resize=getattr(training, "resize", "crop"),
        tta=settings.tta or "",
        task=getattr(training, "task", CLASSIFY),
        kind=kind,
        model_option=settings.model_option,
    )


def _facts_of_text(settings, training):
    return Facts(
        model=settings.model,
        batch_norm=settings.batch_norm,
        data=settings.data,
        classes=tuple(map(str, training.classes)),
        mean=(),
        std=(),
        picture_shape=training.picture_shape,
        task=LANGUAGE,
        kind=TOKENS,
        model_option=settings.model_option,
        vocabulary=training.vocabulary.to_dict() if training.vocabulary else None,
        fold=settings.fold,
    )


def spread(std):
    """What a picture's channels are divided by: the deviation, 1 where a channel is constant."""
    return tuple(float(value) or 1.0 for value in std)
