"""The folder that keeps a training run: configuration, tables, weights, checkpoints."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cynet._version import __version__
from cynet.core.files import (
    HeldPath,
    flush_folder,
    placed,
    reason,
    remove,
    remove_temporaries,
    user_path,
)
from cynet.core.folder import own_file, own_path, own_target
from cynet.core.tasks import CLASSIFY
from cynet.core.types import AnyPath

from . import aside, configuration, new_folder, records, space
from .configuration import CONFIG
from .filenames import (
    BEST,
    DIGEST_COLUMNS,
    DIGESTS,
    GROWN,
    METRICS,
    SAMPLES,
    STEPS,
    WEIGHTS,
    metrics_columns,
    step_columns,
)
from .hold import LOCK, Hold
from .records import ENVIRONMENT
from .sample_table import SampleTable
from .tables import Table
from .validation import measure_of

NAMES = frozenset((CONFIG, *GROWN, *aside.READERS))  # of the files of a run


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
    samples : SampleTable
    measure, task : str
        What the run is measured on, as its configuration says: "test" or "validation"; what its labels are.
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
            place = new_folder.numbered(user_path(parent), name)
        else:
            new_folder.check(path)
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
        self.digests, self.samples = Table(path / DIGESTS, DIGEST_COLUMNS), SampleTable(path / SAMPLES)
        self._measured({})

    @property
    def _tables(self):
        return self.metrics, self.steps, self.digests, self.samples

    def _measured(self, config):
        self.measure, self.task = measure_of(config), config.get("task") or CLASSIFY
        self.metrics = Table(self._held(METRICS), metrics_columns(self.measure, self.task))
        self.steps = Table(self._held(STEPS), step_columns(self.task))

    def _held(self, name):
        """The path of a file in the folder; once that is locked, of one that is looked up in it alone."""
        path = self.path / name
        return path if self._hold is None else HeldPath.of(path, self._hold.folder)

    def _placed(self):
        """Let the tables, and the log, know where the folder is."""
        for table in self._tables:
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
        for name in aside.CHECKPOINTS:
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
        for name in GROWN:
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
            for table in self._tables:
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
        for table in self._tables:
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
        space.reserve(self.path, self._held(f".trial.{os.getpid()}.tmp"), size)

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
        if (measure_of(config), config.get("task") or CLASSIFY) != (self.measure, self.task):
            self._measured(config)

    def read_config(self) -> tuple[dict[str, Any], dict[str, str]]:
        found = configuration.read_run(self.path / CONFIG)
        return found.values, found.origins

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Write env.json."""
        records.write_environment(self.own(ENVIRONMENT), environment)

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
        """Give other names to what cannot be read and is not needed: see `aside.set_unread_aside`."""
        return aside.set_unread_aside(self.path)

    def rewind(self, steps: int, evaluated: int) -> list[str]:
        """Drop the rows of what came after `steps` steps, the last evaluation having been at `evaluated`.

        Returns
        -------
        list of str
            A line for each table that could not be continued as it was.
        """
        kept = self.metrics.keep(evaluated), self.steps.keep(steps), self.digests.keep(steps)
        return [line for line in (*kept, self.samples.keep(evaluated)) if line]

    def sync(self) -> None:
        """Make every row so far last through a power cut."""
        for table in self._tables:
            table.sync()
