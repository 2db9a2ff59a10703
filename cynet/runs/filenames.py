"""What the files of a run's folder are called, and the columns of its tables: pure data, without NumPy."""

LOG, PAGE = "log.txt", "report.html"
METRICS, STEPS, DIGESTS = "metrics.csv", "steps.csv", "digests.csv"
WEIGHTS, BEST = "last.safetensors", "best.safetensors"
KEPT = {"last": WEIGHTS, "best": BEST}  # a run's weights by what they are
GROWN = LOG, METRICS, STEPS, DIGESTS, WEIGHTS, BEST  # with the training: nothing can replace them
STEP_COLUMNS = ("step", "epoch", "lr", "loss", "accuracy", "seconds")
DIGEST_COLUMNS = ("step", "tensor", "sha256")


def metrics_columns(measure):
    """The columns of metrics.csv.

    They are equally many, in the same places, whatever is measured on: a reader by name never takes one
    measure for the other.
    """
    return (
        "step", "epoch", "lr", "train_loss", "train_accuracy", f"{measure}_loss", f"{measure}_accuracy",
        "seconds",
    )  # fmt: skip
