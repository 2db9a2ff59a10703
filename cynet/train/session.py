"""A training run put together from its settings: loaders, model, loss, optimiser and schedule."""

import cynet.core.random as random
from cynet import data
from cynet.core import threads
from cynet.layers import BatchNorm1d
from cynet.losses import CrossEntropyLoss
from cynet.optim import SGD

from .average import Average
from .loop import Trainer
from .mixup import Mixup
from .settings import Settings
from .weights import initial_file, read_weights

__all__ = ["Session", "Settings", "normalize", "test_loader"]

TEST_BATCH = 250
PADDING = 4  # pixels around a picture that augmentation crops from


class Session:
    """Everything that a run needs in memory; a context that closes the loader at its end.

    Parameters
    ----------
    settings : Settings
        Resolved.
    training, test : dataset
    initial : bool, optional
        Whether to read the weights of `settings.init_from`; False where others take their place.

    Raises
    ------
    OSError
        When the initial weights cannot be read.
    ValueError
        When the pictures, the batch size or the initial weights do not fit the model.
    """

    def __init__(self, settings, training, test, initial=True):
        if settings.threads:
            threads.set_num_threads(settings.threads)
        random.seed(settings.seed)
        self.settings, self.facts = settings, settings.facts(training)
        self.model = self.facts.create()
        try:
            self.model.checked_shape((settings.batch_size, *training.picture_shape))
        except ValueError as error:
            shape = " x ".join(map(str, training.picture_shape))
            raise ValueError(
                f"model: {settings.model} cannot take the pictures of {settings.data}, {shape}: {error}"
            ) from None
        if settings.batch_size == 1 and any(isinstance(layer, BatchNorm1d) for _, layer in self.model.walk()):
            raise ValueError("batch_size: wanted at least 2, for the batch norm of single values, got 1")
        if settings.init_from and initial:
            load_initial(self.model, settings.init_from)
        self.trainer = trainer_of(self.model, settings)
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


def trainer_of(model, settings):
    """The `Trainer` of a model with these `Settings`, which are resolved."""
    schedule = settings.learning_rates()
    return Trainer(
        model,
        CrossEntropyLoss(settings.label_smoothing),
        SGD(model.parameters(), schedule(0), settings.momentum, settings.weight_decay),
        schedule,
        settings.clip_norm,
        Average(model, settings.ema) if settings.ema else None,
        Mixup(settings.mixup, settings.seed) if settings.mixup else None,
    )


def load_initial(model, path):
    """Give a model the weights in a file or a run folder, or change nothing; a ValueError lists all that does
    not fit."""
    try:
        path = initial_file(path)
        tensors, _ = read_weights(path)
    except ValueError as error:
        raise ValueError(f"init_from: {error}") from None
    try:
        model.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"init_from: {path}: {error}") from None


def normalize(facts):
    """The transform that makes pictures ready for a model with these `Facts`."""
    return data.Normalize(facts.mean, facts.std)


def test_loader(test, facts, batch_size=TEST_BATCH, sampler=None):
    """Every sample of `test` once, in order, the last batch as small as it comes; or those of a sampler."""
    return data.DataLoader(
        test, batch_size, shuffle=False, workers=0, transforms=[normalize(facts)], sampler=sampler
    )
