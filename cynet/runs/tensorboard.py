"""Event files for TensorBoard, by the package tensorboardX, an extra."""

from cynet.core.folder import own_path
from cynet.train.loop import Observer

FOLDER = "tensorboard"
EVERY = 10  # steps between points


def writer_class():
    """tensorboardX's SummaryWriter, or ImportError naming the extra."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "event files need tensorboardX, which is an extra: pip install 'cynet[tensorboard]'"
        ) from error
    return SummaryWriter


class TensorBoard(Observer):
    """Writes loss and rate every few steps, and every evaluation.

    Parameters
    ----------
    folder : Path
        Of the run; the files are in its folder tensorboard.
    steps : int, optional
        Steps that were taken before; TensorBoard drops what older files say of later ones.
    columns : sequence of str, optional
        What of an evaluation is written besides its loss.

    Raises
    ------
    ImportError
        Without tensorboardX.
    OSError
        When its folder is a link that leaves that of the run, or no folder.
    """

    def __init__(self, folder, steps=0, columns=("accuracy",)):
        self.columns = columns
        place = own_path(folder / FOLDER)
        self._writer = writer_class()(str(place), purge_step=steps + 1 if steps else None)

    def stepped(self, progress):
        if progress.step % EVERY == 0 or progress.step == 1:
            self._writer.add_scalar("training/loss", progress.loss, progress.step)
            self._writer.add_scalar("training/lr", progress.lr, progress.step)

    def evaluated(self, result):
        self._writer.add_scalar(f"{result.measure}/loss", result.test.loss, result.step)
        for name in self.columns:
            self._writer.add_scalar(f"{result.measure}/{name}", getattr(result.test, name), result.step)
        self._writer.flush()

    def close(self):
        """Write out what is buffered."""
        self._writer.close()
