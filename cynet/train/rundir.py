"""The folder that keeps a training run: configuration, tables, weights, checkpoints."""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time
from pathlib import Path

from cynet.core.files import flush_folder, is_temporary, remove_temporaries, user_path, write_atomically

from .tables import Table
from .validation import measure_of

CONFIG, ENVIRONMENT, LOG, LOCK = "config.toml", "env.json", "log.txt", ".lock"
METRICS, STEPS, DIGESTS = "metrics.csv", "steps.csv", "digests.csv"
WEIGHTS, BEST = "last.safetensors", "best.safetensors"
KEPT = {"last": WEIGHTS, "best": BEST}  # a run's weights by what they are
STEP_COLUMNS = ("step", "epoch", "lr", "loss", "accuracy", "seconds")
DIGEST_COLUMNS = ("step", "tensor", "sha256")
ORIGIN = "origin"  # the table of config.toml that tells where each value came from
SAFETY = 2**20  # bytes that are to stay free
LOOKS = (0.005, 0.02, 0.05)  # seconds to wait for those who only look whether a run is locked


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

    Raises
    ------
    OSError
        When it cannot be made, or exists and is not empty.
    """

    def __init__(self, path=None, name="run", parent="runs"):
        if path is None:
            path = _next(user_path(parent), name)
        else:
            check(path)
            path = user_path(path)
            path.mkdir(parents=True, exist_ok=True)
        flush_folder(path.parent)
        self._set(path)

    @classmethod
    def open(cls, path):
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
        if not (path / CONFIG).exists():
            raise FileNotFoundError(errno.ENOENT, f"{path} has no {CONFIG}: it is no run, or was not begun")
        folder = cls.__new__(cls)
        folder._set(path)
        with contextlib.suppress(ValueError, OSError):  # who needs the configuration reads it, and says so
            folder._measured(folder.read_config()[0])
        return folder

    def _set(self, path):
        self.path, self._lock = path, None
        self.steps, self.digests = Table(path / STEPS, STEP_COLUMNS), Table(path / DIGESTS, DIGEST_COLUMNS)
        self._measured({})

    def _measured(self, config):
        self.measure = measure_of(config)
        self.metrics = Table(self.path / METRICS, metrics_columns(self.measure))

    @property
    def weights(self):
        return self.path / WEIGHTS

    @property
    def best(self):
        return self.path / BEST

    # -- who may write ---------------------------------------------------------------------------------
    def lock(self):
        """Keep other processes from training in this folder until this one ends or calls `close`.

        Raises
        ------
        BlockingIOError
            When another process does.
        """
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{self.path}: no permission to write there")
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(descriptor)
        except OSError:
            holder = os.read(descriptor, 40).decode(errors="replace") or "unknown"
            os.close(descriptor)
            raise BlockingIOError(
                errno.EAGAIN, f"{self.path} is in use: process {holder} trains there"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor
        remove_temporaries(self.path)

    def close(self):
        """Write out the tables and give the lock back."""
        with contextlib.ExitStack() as stack:
            if self._lock is not None:
                stack.callback(os.close, self._lock)
                self._lock = None
            for table in (self.metrics, self.steps, self.digests):
                stack.callback(table.close)

    def reserve(self, size):
        """Raise OSError where a checkpoint of `size` bytes, with all that is kept beside it, has no room."""
        wanted = 5 * size + SAFETY  # two checkpoints, two files of weights, and the one being written
        free = shutil.disk_usage(self.path).free
        if free < wanted:
            raise OSError(
                errno.ENOSPC, f"{self.path}: a run needs {wanted:,} bytes there, only {free:,} are free"
            )
        trial = self.path / f".trial.{os.getpid()}.tmp"
        try:
            with open(trial, "xb") as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            reason = f"{self.path}: cannot write {size:,} bytes, as a checkpoint takes: {error.strerror}"
            raise OSError(error.errno, reason) from error
        finally:
            trial.unlink(missing_ok=True)

    def discard(self):
        """Remove what the beginning of a run wrote, and the folder where it is then empty."""
        self.close()
        for name in (LOCK, CONFIG, ENVIRONMENT):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    # -- what it keeps ---------------------------------------------------------------------------------
    def write_config(self, config, origins=None):
        """Write config.toml.

        Parameters
        ----------
        config : dict of str to str, bool, int, float or None
            An entry of None is left out.
        origins : dict of str to str, optional
            Where each value came from.
        """
        text = toml(config)
        if origins:
            text += f"\n[{ORIGIN}]\n" + toml(
                {name: origins.get(name) for name, value in config.items() if value is not None}
            )
        write_atomically(self.path / CONFIG, text.encode())
        if measure_of(config) != self.measure:
            self._measured(config)

    def read_config(self):
        """(configuration, origins) as `write_config` was given them; a ValueError names a damaged file."""
        try:
            config = read_toml(self.path / CONFIG)
        except ValueError as error:
            raise ValueError(f"{self.path / CONFIG}: {error}") from None
        origins = config.pop(ORIGIN, {})
        return config, origins if isinstance(origins, dict) else {}

    def write_environment(self, environment):
        """Write env.json."""
        text = json.dumps(environment, indent=1, ensure_ascii=False) + "\n"
        # What is no UTF-8 in a path becomes \udce9 and the like, which JSON reads as it was.
        write_atomically(self.path / ENVIRONMENT, text.encode(errors="backslashreplace"))

    def read_environment(self):
        """What `write_environment` was given, {} where there is none that can be read."""
        try:
            found = json.loads((self.path / ENVIRONMENT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def rewind(self, steps, evaluated):
        """Drop the rows of what came after `steps` steps, the last evaluation having been at `evaluated`.

        Returns
        -------
        list of str
            A line for each table that could not be continued as it was.
        """
        kept = self.metrics.keep(evaluated), self.steps.keep(steps), self.digests.keep(steps)
        return [line for line in kept if line]

    def sync(self):
        """Make every row so far last through a power cut."""
        for table in (self.metrics, self.steps, self.digests):
            table.sync()


def metrics_columns(measure):
    """The columns of metrics.csv.

    They are equally many, in the same places, whatever is measured on: a reader by name never takes one
    measure for the other.
    """
    return (
        "step", "epoch", "lr", "train_loss", "train_accuracy", f"{measure}_loss", f"{measure}_accuracy",
        "seconds",
    )  # fmt: skip


def _take(descriptor):
    """Lock a file for this process; it is tried again, for somebody may just be looking whether it is."""
    for pause in LOOKS:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def in_use(path):
    """Whether a process trains in a run's folder now, on this machine or on one that shares the folder."""
    try:
        descriptor = os.open(Path(path, LOCK), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


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


def toml(values):
    """A flat dict of str, bool, int and float as TOML; entries of None are left out."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items() if value is not None)


def read_toml(path):
    """The values in a file of TOML, with the bytes of paths that `toml` escaped as they were.

    Raises
    ------
    OSError, ValueError
        When it cannot be read, or is no TOML.
    """
    import tomllib

    return _unescaped(tomllib.loads(Path(path).read_text(encoding="utf-8-sig")))


def _unescaped(value):
    if isinstance(value, dict):
        return {name: _unescaped(each) for name, each in value.items()}
    if isinstance(value, str):
        return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), value)
    return value


def _toml(value):
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (bool, int)):
        return str(value).lower()
    # JSON's strings are TOML's, but for DEL, and for what is no UTF-8: TOML has no escape for it.
    text = str(value).encode(errors="backslashreplace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
