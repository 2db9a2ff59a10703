"""What the files of a run's folder are called, and the columns of its tables: pure data, without NumPy."""

from cynet.core.tasks import STRATEGIES, measures_of

LOG, PAGE = "log.txt", "report.html"
METRICS, STEPS, DIGESTS = "metrics.csv", "steps.csv", "digests.csv"
SAMPLES = "samples.jsonl"  # of a net of texts
WEIGHTS, BEST = "last.safetensors", "best.safetensors"
KEPT = {"last": WEIGHTS, "best": BEST}  # a run's weights by what they are
GROWN = LOG, METRICS, STEPS, DIGESTS, SAMPLES, WEIGHTS, BEST  # with the training: nothing can replace them
STEP_COLUMNS = ("step", "epoch", "lr", "loss", "accuracy", "seconds")  # of a run of classes
DIGEST_COLUMNS = ("step", "tensor", "sha256")
SAMPLE_COLUMNS = ("step", "epoch", "prompt", *STRATEGIES)


def step_columns(task=None):
    """The columns of steps.csv; `task` is that of the run's settings."""
    return tuple(
        name for name in STEP_COLUMNS if name != "accuracy" or "accuracy" in measures_of(task).trained
    )


def metrics_columns(measure, task=None):
    """The columns of metrics.csv.

    They are equally many, in the same places, whatever is measured on: a reader by name never takes one
    measure for the other.
    """
    figures = measures_of(task)
    return (
        "step", "epoch", "lr", "train_loss", *(f"train_{name}" for name in figures.trained),
        f"{measure}_loss", *(f"{measure}_{name}" for name in figures.columns), "seconds",
    )  # fmt: skip
