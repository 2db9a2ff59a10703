"""Settings resolved with the pictures at hand: steps, rates and threads, the learning rates, the facts."""

from dataclasses import replace

from cynet.core import threads
from cynet.data.workers import auto
from cynet.optim.schedules import Constant, Cosine, MultiStep, OneCycle
from cynet.train import batching

from .facts import Facts
from .ranges import ANNEALED, AUTO, CLASS_WEIGHTS, CONSTANT, COSINE, NONE, ONE_CYCLE
from .validation import Division

STEPS, LR = 1500, 0.1
DROPS = ((0.6, 0.1), (0.84, 0.01))  # the default annealing: (part of the steps, part of the rate)


def resolved(settings, samples):
    """See `Settings.resolved`."""
    if not isinstance(samples, int):
        samples = len(Division.of(samples, settings).kept)
    if settings.class_weights not in CLASS_WEIGHTS:
        wanted = ", ".join(CLASS_WEIGHTS)
        raise ValueError(f"class_weights: wanted one of {wanted}, got {settings.class_weights!r}")
    if settings.balanced and settings.class_weights != NONE:
        raise ValueError("balanced: not allowed with class_weights (give one of the two)")
    if settings.batch_size > samples:
        raise ValueError(f"batch_size: {batching.refusal(samples, settings.batch_size)}")
    steps = settings.epochs * (samples // settings.batch_size) if settings.epochs else settings.steps or STEPS
    lr = LR if settings.lr is None else settings.lr
    schedule = settings.schedule
    if schedule is None:
        schedule = ANNEALED if settings.lr is None or settings.lr_steps else CONSTANT
    lr_steps = settings.lr_steps or {}
    if schedule == ANNEALED and settings.lr_steps is None:
        drops = ((int(part * steps), rate) for part, rate in DROPS)
        lr_steps = {step: float(f"{lr * rate:.6g}") for step, rate in drops if step}
    late = [step for step in lr_steps if step >= steps]
    if late:
        raise ValueError(f"lr_steps: wanted steps less than the run's {steps}, got {late[0]}")
    if settings.warmup >= steps:
        raise ValueError(f"warmup: wanted less than the run's {steps} steps, got {settings.warmup}")
    count = settings.threads or threads.get_num_threads()
    workers = auto.beside(count)[0] if settings.workers == AUTO else settings.workers
    return replace(
        settings, steps=steps, epochs=None, lr=lr, schedule=schedule, lr_steps=lr_steps, threads=count,
        workers=workers,
    )  # fmt: skip


def learning_rates(settings):
    """The `Schedule` of settings that are resolved."""
    if settings.schedule == COSINE:
        return Cosine(settings.lr, settings.steps, settings.warmup)
    if settings.schedule == ONE_CYCLE:
        return OneCycle(settings.lr, settings.steps, warmup=settings.warmup)
    if settings.lr_steps:
        return MultiStep(settings.lr, settings.lr_steps, settings.warmup)
    return Constant(settings.lr, settings.warmup)


def facts(settings, training):
    """The `Facts` of a run's weights; `training` is the training set."""
    return Facts(
        model=settings.model,
        batch_norm=settings.batch_norm,
        data=settings.data,
        classes=tuple(map(str, training.classes)),
        mean=tuple(map(float, training.mean)),
        std=spread(training.std),
        picture_shape=tuple(map(int, training.picture_shape)),
        resize=getattr(training, "resize", "crop"),
        model_option=settings.model_option,
    )


def spread(std):
    """What a picture's channels are divided by: the deviation, 1 where a channel is constant."""
    return tuple(float(value) or 1.0 for value in std)
