"""A study from its beginning to its end: trained, shown, written; stopped where a signal asks for it."""

import contextlib
import time

from cynet import data
from cynet.runs.errors import FailedError, RefusedError, refusing
from cynet.train import batching
from cynet.train.signals import Signals, Stopped

from . import study, study_report


def pictures(settings, called=lambda name: name):
    """The training and the test set of a study.

    Parameters
    ----------
    settings : Settings
    called : callable, optional
        From a setting to what a message calls it.

    Raises
    ------
    RefusedError
        Where they cannot be read, or are fewer than a batch.
    """
    place = called("data_dir")
    with refusing(called("data") if settings.data_dir is None else place, place):
        found = [data.load(settings.data, settings.data_dir, split) for split in ("train", "test")]
    if settings.batch_size > len(found[0]):
        text = batching.refusal(len(found[0]), settings.batch_size, "pictures")
        raise RefusedError(f"{called('batch_size')}: {text}")
    return found


def conduct(experiment, training, test, folder, screen, say=print):
    """Do the trainings of an experiment, and write what they came to.

    Parameters
    ----------
    experiment : Experiment
    training, test : ArrayDataset
    folder : Path
        It exists.
    screen : object
        Shows the runs: `finished` gets each `Trial` and how many are done; `close` ends it.
    say : callable, optional
        Gets each line that is said.

    Returns
    -------
    int
        The number of the signal that stopped it: what was done until then is written; 0 where none did.

    Raises
    ------
    FailedError
        Naming the run that could not be done; nothing is written.
    """
    start, runs, number = time.monotonic(), [], 0
    with Signals() as signals, contextlib.closing(screen):
        say(f"{experiment.runs} runs of {experiment.settings.steps} steps; folder {folder}")
        try:
            for done in study.study(experiment, training, test, signals.watch):
                runs.append(done)
                screen.finished(done, len(runs))
        except Stopped as stopped:
            number = stopped.signal
            screen.close()
            say(f"stopped by {stopped} after {len(runs)} of {experiment.runs} runs; writing these")
        except (ValueError, MemoryError) as error:
            text = str(error) or type(error).__name__
            raise FailedError(f"run {len(runs) + 1}: {text}") from error
    seconds = time.monotonic() - start
    study_report.write(folder, experiment, runs, len(training.classes), seconds, complete=not number)
    say(f"{'stopped' if number else 'done'} after {seconds:.0f} s: {folder / study_report.SUMMARY}")
    return number
