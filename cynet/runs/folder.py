"""The folder that keeps a training run: configuration, tables, weights, checkpoints."""

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cynet._version import __version__
from cynet.core.files import (
    HeldPath,
    flush_folder,
    is_temporary,
    open_new,
    placed,
    reason,
    remove,
    remove_temporaries,
    user_path,
    write_atomically,
)
from cynet.core.folder import own_file, own_path, own_target, set_aside
from cynet.core.types import AnyPath

from . import checkpoint, configuration, records
from .configuration import CONFIG
from .hold import LOCK, Hold
from .records import ENVIRONMENT, TESTED
from .tables import Table
from .validation import measure_of

LOG = "log.txt"
METRICS, STEPS, DIGESTS = "metrics.csv", "steps.csv", "digests.csv"
WEIGHTS, BEST = "last.safetensors", "best.safetensors"
KEPT = {"last": WEIGHTS, "best": BEST}  # a run's weights by what they are
STEP_COLUMNS = ("step", "epoch", "lr", "loss", "accuracy", "seconds")
DIGEST_COLUMNS = ("step", "tensor", "sha256")
SAFETY = 2**20  # bytes that are to stay free
FILES = LOG, METRICS, STEPS, DIGESTS, WEIGHTS, BEST  # which nothing can replace
ASIDE = {  # files without which a run can go on, and what reads them or raises
    ENVIRONMENT: lambda path: records.environment(own_target(path).parent),
    TESTED: lambda path: records.tested(own_target(path).parent),
    checkpoint.NAME: own_target,  # what is in it is another matter, see `checkpoint.load_latest`
    checkpoint.PREVIOUS: own_target,
}
CHECKPOINTS = checkpoint.NAME, checkpoint.PREVIOUS
NAMES = frozenset((CONFIG, *FILES, *ASIDE))  # of the files of a run
REFUSED = errno.EINVAL, errno.EPERM  # what `own_target` raises


class RunFolder:
    """A run's folder, made new; `open` is the way to one that exists.

    Parameters
    ----------
    path : str or Path, optional
        Exactly this folder; it may exist when it is empty.
    name : str, optional
        Without `path`: the folder is `parent`/NAME-N with the least N above those that exist.
    parent : str or Path, optional

    Attributes
    ----------
    metrics, steps, digests : Table
    measure : str
        What the run is measured on, as its configuration says: "test" or "validation".
    path : Path
        Where it is; of one that is locked `follow` changes it, when the folder was moved.
    log : object or None
        A file that somebody else writes in the folder, with `path`, and `renew`, which gives a line or None.
    tell : callable
        Told, in a line, what became of the folder while it was locked; default: print.

    Raises
    ------
    OSError
        When it cannot be made, or exists and is not empty.
    """

    def __init__(self, path: AnyPath | None = None, name: str = "run", parent: AnyPath = "runs") -> None:
        if path is None:
            place = _next(user_path(parent), name)
        else:
            check(path)
            place = user_path(path)
            place.mkdir(parents=True, exist_ok=True)
        flush_folder(place.parent)
        self._set(place)

    @classmethod
    def open(cls, path: AnyPath) -> Self:
        """The folder of a run that was begun.

        Raises
        ------
        OSError
            When it is no such folder, or may not be written to.
        """
        path = user_path(path)
        if not path.is_dir():
            hint = f" (did you mean {path.parent}?)" if (path.parent / CONFIG).exists() else ""
            raise FileNotFoundError(errno.ENOENT, f"no such run folder: {path}{hint}")
        if not os.path.lexists(path / CONFIG):
            raise FileNotFoundError(errno.ENOENT, f"{path} has no {CONFIG}: it is no run, or was not begun")
        folder = cls.__new__(cls)
        folder._set(path)
        with contextlib.suppress(ValueError, OSError):  # who needs the configuration reads it, and says so
            folder._measured(configuration.read(own_file(path / CONFIG)).values)
        return folder

    def _set(self, path):
        self.path, self._hold, self.tell, self.log = path, None, print, None
        self.steps, self.digests = Table(path / STEPS, STEP_COLUMNS), Table(path / DIGESTS, DIGEST_COLUMNS)
        self._measured({})

    def _measured(self, config):
        self.measure = measure_of(config)
        self.metrics = Table(self._held(METRICS), metrics_columns(self.measure))

    def _held(self, name):
        """The path of a file in the folder; once that is locked, of one that is looked up in it alone."""
        path = self.path / name
        return path if self._hold is None else HeldPath.of(path, self._hold.folder)

    def _placed(self):
        """Let the tables, and the log, know where the folder is."""
        for table in (self.metrics, self.steps, self.digests):
            table.path = self._held(table.path.name)
        if self.log is not None:
            self.log.path = self._held(self.log.path.name)

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    @property
    def best(self) -> Path:
        return self.path / BEST

    @property
    def checkpoint(self) -> Path | None:
        """The path of the checkpoint that a run goes on from, None where none is a file of its own."""
        for name in CHECKPOINTS:
            with contextlib.suppress(OSError):
                if (path := own_target(self.path / name)).exists():
                    return path
        return None

    # -- who may write ---------------------------------------------------------------------------------
    def lock(self) -> None:
        """Keep other processes from training in this folder until this one ends or calls `close`.

        Raises
        ------
        BlockingIOError
            When another process does.
        OSError
            When a file of the run that is to be written is a link, or no regular file.
        """
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{self.path}: no permission to write there")
        for name in FILES:
            own_target(self.path / name)
        if os.path.islink(own_path(self.path / CONFIG)):  # what else is no file is set aside
            own_target(self.path / CONFIG)
        self._hold = Hold(self.path)
        self._placed()
        remove_temporaries(self._hold.folder)

    def close(self) -> None:
        """Write out the tables and give the lock back."""
        with contextlib.ExitStack() as stack:
            if self._hold is not None:
                stack.callback(self._hold.close)
                stack.callback(self._placed)
                self._hold = None
            for table in (self.metrics, self.steps, self.digests):
                stack.callback(table.close)

    def follow(self) -> None:
        """See that the folder, once locked, is where it was and still locked; go after it where it was moved.

        Raises
        ------
        GoneError
            When it is no more; another one that stands in its place is not touched.
        OSError
            When its lock was removed, and another process has it now.
        """
        if self._hold is None:
            return
        place, before = self._hold.place(self.path), self.path
        self.path = place
        self._placed()
        if self.log is not None and (said := self.log.renew()):
            self.tell(said)
        if place != before:
            self.tell(f"note: {before} was moved: the run goes on in {place}")
        for table in (self.metrics, self.steps, self.digests):
            if table.renew():
                self.tell(f"note: {table.path} was removed or replaced: further rows go to what is there")
        if self._hold.renew(place):
            self.tell(f"note: {place / LOCK} was removed: it is there again")

    def own(self, name: str) -> Path:
        """The path of a file in the folder that is to be written now: see `follow`, and `own_target`.

        It is written in the folder itself, also where that is moved in between: see `HeldPath`.
        """
        self.follow()
        return own_target(self._held(name))

    def reserve(self, size: int) -> None:
        """Raise OSError where a checkpoint of `size` bytes, with all that is kept beside it, has no room."""
        wanted = 5 * size + SAFETY  # two checkpoints, two files of weights, and the one being written
        free = shutil.disk_usage(self.path).free
        if free < wanted:
            raise OSError(
                errno.ENOSPC, f"{self.path}: a run needs {wanted:,} bytes there, only {free:,} are free"
            )
        trial = placed(self._held(f".trial.{os.getpid()}.tmp"))
        try:
            with open_new(*trial) as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            text = f"{self.path}: cannot write {size:,} bytes, as a checkpoint takes: {error.strerror}"
            raise OSError(error.errno, text) from error
        finally:
            remove(*trial)

    def discard(self) -> None:
        """Remove what the beginning of a run wrote, and the folder where it is then empty."""
        for name in (LOCK, CONFIG, ENVIRONMENT):
            remove(*placed(self._held(name)))
        self.close()
        with contextlib.suppress(OSError):
            self.path.rmdir()

    # -- what it keeps ---------------------------------------------------------------------------------
    def write_config(self, config: dict[str, Any], origins: dict[str, str] | None = None) -> None:
        """Write config.toml; see `cynet.runs.configuration.write`."""
        configuration.write(self.own(CONFIG), {configuration.VERSION: __version__} | config, origins)
        self.configured(config)

    def configured(self, config: dict[str, Any]) -> None:
        """Take what the run is measured on from a configuration, a dict."""
        if measure_of(config) != self.measure:
            self._measured(config)

    def read_config(self) -> tuple[dict[str, Any], dict[str, str]]:
        found = configuration.read_run(self.path / CONFIG)
        return found.values, found.origins

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Write env.json."""
        text = json.dumps(environment, indent=1, ensure_ascii=False) + "\n"
        # What is no UTF-8 in a path becomes \udce9 and the like, which JSON reads as it was.
        write_atomically(self.own(ENVIRONMENT), text.encode(errors="backslashreplace"))

    def read_environment(self, tell: Callable[[str], object] | None = None) -> dict[str, Any]:
        """What `write_environment` was given, {} where there is none that can be read.

        Parameters
        ----------
        tell : callable, optional
            Told, in a line, why one that is there cannot be read.
        """
        try:
            return records.environment(self.path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            if tell is not None:
                tell(f"note: going on without {ENVIRONMENT}: {reason(error)}")
            return {}

    def set_aside(self) -> list[str]:
        """Give what cannot be read of the files in `ASIDE` other names, so that it is not lost.

        Returns
        -------
        list of str
            A line for each.

        Raises
        ------
        OSError
            When that would leave no checkpoint of some, or one cannot be opened at all.
        """
        problems = {}
        for name, read in ASIDE.items():
            try:
                read(self.path / name)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno not in REFUSED:
                    raise
                problems[name] = error
        there = [name for name in CHECKPOINTS if os.path.lexists(self.path / name)]
        if there and all(name in problems for name in there):
            raise problems[there[0]]
        return [
            f"note: {reason(error)}; set aside as {set_aside(self.path / name).name}"
            for name, error in problems.items()
        ]

    def rewind(self, steps: int, evaluated: int) -> list[str]:
        """Drop the rows of what came after `steps` steps, the last evaluation having been at `evaluated`.

        Returns
        -------
        list of str
            A line for each table that could not be continued as it was.
        """
        kept = self.metrics.keep(evaluated), self.steps.keep(steps), self.digests.keep(steps)
        return [line for line in kept if line]

    def sync(self) -> None:
        """Make every row so far last through a power cut."""
        for table in (self.metrics, self.steps, self.digests):
            table.sync()


def metrics_columns(measure: str) -> tuple[str, ...]:
    """The columns of metrics.csv.

    They are equally many, in the same places, whatever is measured on: a reader by name never takes one
    measure for the other.
    """
    return (
        "step", "epoch", "lr", "train_loss", "train_accuracy", f"{measure}_loss", f"{measure}_accuracy",
        "seconds",
    )  # fmt: skip


def check(path):
    """Raise OSError when `path` cannot become a run's folder; nothing is written."""
    path = user_path(path)
    if path.is_dir():
        if not all(entry.name == LOCK or is_temporary(entry.name) for entry in path.iterdir()):
            raise FileExistsError(f"wanted a new or empty folder, {path} holds files")
        nearest = path
    else:
        nearest = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
        if not nearest.is_dir():
            raise NotADirectoryError(f"wanted a folder, {nearest} is none")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"{nearest}: no permission to write there")


def _next(parent, name):
    parent.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    numbers = [int(m[1]) for m in (pattern.fullmatch(entry.name) for entry in parent.iterdir()) if m]
    number = max(numbers, default=0) + 1
    while True:
        try:
            (parent / f"{name}-{number}").mkdir()
            return parent / f"{name}-{number}"
        except FileExistsError:  # another run took it in this moment
            number += 1
