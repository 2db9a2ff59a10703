"""A run as its folder tells it: the one reader of what a training keeps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cynet.core.files import reason
from cynet.core.folder import own_file
from cynet.core.tasks import LANGUAGE
from cynet.core.types import AnyPath
from cynet.nn.layer import Layer

from . import (
    agreement,
    beginning,
    checkpoint,
    configuration,
    contents,
    datasets,
    first_net,
    nets,
    own_code,
    validation,
)
from .aside import CHECKPOINTS
from .configuration import CONFIG
from .contents import Contents
from .environment import fingerprint, initial_weights
from .errors import RefusedError, refusing
from .facts import Facts
from .filenames import BEST, WEIGHTS
from .folder import RunFolder
from .origins import DEFAULT, Names, settings_in
from .places import data_folder
from .records import ENVIRONMENT
from .replay import History, Replay, first_settings
from .saved import Saved
from .settings import DEFAULTS, FREE, Settings
from .state import checked
from .weights import UnknownNetError, came_to, file_of, load_weights, read_weights


class Run(Contents):
    """A run: what its files hold, as `Contents`, and what follows from them.

    Nothing is read before it is asked for, and nothing in the folder is changed. What stands in a file that
    is missing or torn is empty, and told by `notes`; what cannot be known without it raises.

    Attributes
    ----------
    folder : RunFolder
        Its tables, row by row. An OSError says that the path is no run.
    settings : Settings
        As they are now: of config.toml, or where that is damaged of the checkpoint. A ValueError says that
        neither can be read.
    origins : dict of str to str
        Where each setting came from.
    first : Settings
        Those of its first steps.
    limit : int or None
        How many steps `first` holds for; None: all.
    history : History
        The loss of each step, and the digests of tensors.
    saved : (str, Saved) or None
        The name of its newest sound checkpoint, and the state in it.

    Examples
    --------
    >>> run = cynet.runs.open("mine")
    >>> run.settings.lr, max(run.epochs["test_accuracy"]), run.notes()
    (0.1, 0.84, ())
    >>> model, facts = run.load()
    """

    net: Any = None  # its net, as `nets.of` takes it, where that has layers that cynet does not know

    # -- weights and results -----------------------------------------------------------------------------
    @property
    def came_to(self) -> str:
        """Which of its weights it came to: "last", or "best" where pictures were held out to choose by."""
        return came_to(self.path)

    def weights(self, which: str | None = None) -> Path:
        """The path of its weights, "last" or "best"; default: those that it came to. OSError without any."""
        return file_of(self.path, which)

    def load(self, which: str | None = None, model: Any = None) -> tuple[Layer, Facts]:
        """(model, Facts) of its weights; `model` and errors as of `load_weights`."""
        return load_weights(self.weights(which), nets.builder(self.net if model is None else model))

    @cached_property
    def tested(self) -> dict[str, Any]:
        """What the test set said at its end, a dict; {} where it held no pictures out, or has not ended."""
        return validation.read_tested(self)

    def soundness(self) -> dict[str, Exception | None]:
        """What is wrong with each file that has digests of its own, and is there: {name: error or None}."""
        found: dict[str, Exception | None] = {}
        kinds = dict.fromkeys(CHECKPOINTS, _checkpoint) | dict.fromkeys((WEIGHTS, BEST), self._sound)
        for name, load in kinds.items():
            if os.path.lexists(self.path / name):
                try:
                    load(own_file(self.path / name))
                    found[name] = None
                except (ValueError, OSError) as error:
                    found[name] = error
        return found

    def _sound(self, path):
        try:
            load_weights(path, nets.builder(self.net))
        except UnknownNetError:
            read_weights(path)  # its digest, at least

    @property
    def results(self) -> dict[str, str]:
        """Its last measurements as {name: text}."""
        return validation.results(self.folder)

    # -- how it was trained ------------------------------------------------------------------------------
    @cached_property
    def folder(self) -> RunFolder:
        return RunFolder.open(self.path)

    @cached_property
    def saved(self) -> tuple[str, Saved] | None:
        return agreement.saved(self.folder)

    @cached_property
    def known(self) -> tuple[dict[str, Any], Exception | None, str | None]:
        """(its settings as far as they are known, a dict; the error of config.toml or None; what has them).

        They are those of config.toml; where that cannot be read those in the checkpoint, whose file's name
        comes last; and without one {}, with None. An OSError says that the path is no run.
        """
        folder = self.folder
        try:
            return folder.read_config()[0], None, CONFIG
        except (OSError, ValueError) as error:
            name, saved = self.saved or (None, None)
            return {} if saved is None else vars(saved.settings), error, name

    @cached_property
    def _configured(self):
        """(settings, origins, what is to be said of them)."""
        folder, path = self.folder, self.path / CONFIG
        try:
            values = settings_in(path, parse=configuration.read_run)
            _, origins = folder.read_config()
        except ValueError as error:
            if self.saved is None:
                raise
            name, found = self.saved
            note = f"note: {error}; going on with the settings in {name}"
            return found.settings, found.origins, [note]
        notes = []
        if self.saved is not None:
            name, found = self.saved
            for setting, (here, there) in agreement.differences(folder, found.settings).items():
                if setting not in FREE:
                    notes.append(f"note: {path} has {setting} {here}, {name} {there}")
        return Settings(**(DEFAULTS | values)), origins, notes

    @property
    def settings(self) -> Settings:
        return self._configured[0]

    @property
    def origins(self) -> dict[str, str]:
        return dict.fromkeys(DEFAULTS, DEFAULT) | self._configured[1]

    @cached_property
    def remarks(self) -> list[str]:
        """Lines to say where its files do not fit each other, or something goes on without one of them."""
        return [*self._configured[2], *self._first[2]]

    @cached_property
    def history(self) -> History:
        self.folder.configured(self.settings.flat())  # its file may be damaged
        return History.of(self.folder)

    @cached_property
    def _first(self):
        """(settings of the first steps, how many steps these are, what is to be said)."""
        parts, notes = self.environment.get("resumed", []), []
        error = self.problems.get("environment")
        if error is not None and not isinstance(error, FileNotFoundError):
            notes.append(f"note: going on without {ENVIRONMENT}: {reason(error)}")
        try:
            return *first_settings(self.settings, parts), notes
        except ValueError as error:
            self.environment = {}
            return self.settings, None, [*notes, f"note: going on without {ENVIRONMENT}: {error}"]

    @property
    def first(self) -> Settings:
        return self._first[0]

    @cached_property
    def limit(self) -> int | None:
        return self._first[1]

    @property
    def repeatable(self) -> int:
        """How many of its steps can be trained again."""
        return min(max(self.history.losses, default=0), self.limit or 2**63)

    @property
    def fingerprint(self) -> str | None:
        """That of its pictures, None where it is not known."""
        return fingerprint(self.environment)

    @contextlib.contextmanager
    def replay(self, names: Names | None = None, model: Any = None, **changes: Any) -> Iterator[Replay]:
        """Within this context, of a `Replay`, its first steps can be trained again.

        Parameters
        ----------
        names : Names, optional
            What errors call settings.
        model : str, callable or Layer, optional
            The net that it began with, where that has layers that cynet does not know.
        **changes
            Settings, that the weights do not depend on, in place of its own.

        Raises
        ------
        RefusedError
            When its pictures or first weights are not there, or are others.
        """
        names, place = names or Names(), data_folder(vars(self.first), self.environment)
        settings = replace(self.first, workers=0, **{"data_dir": place} | changes)
        with refusing(str(self.folder.path)):
            settings = replace(settings, init_from=initial_weights(self.environment) or settings.init_from)
        beginning.check(vars(settings), self.origins, names, kept=True)
        training, test = datasets.load(vars(settings), names)
        if self.fingerprint not in (None, training.fingerprint()):
            what = "text" if training.task == LANGUAGE else "pictures"
            raise RefusedError(
                f"{self.folder.path}: wanted its {what}, with fingerprint {self.fingerprint}, got "
                f"{training.fingerprint()}"
            )
        net = self._first_net(settings.model, self.net if model is None else model, names)
        made = beginning.session_of(settings, training, test, self.origins, names=names, net=net)
        with made as session:
            yield Replay(session)

    def _first_net(self, name, model, names):
        """The `OwnNet` of its first steps, None where it is one of the registry's."""
        if nets.is_registered(name):
            return None
        if model is not None:
            net = beginning.refused_net(lambda: nets.of(model, self.first.seed), names("model"))
            other = nets.is_own(name) and own_code.difference(self.path, self.environment, net)
            if other:
                raise RefusedError(f"{names('model')}: {other[0]} ({other[1]})")
            return net
        with refusing(str(self.folder.path)):
            found = first_net.first(self.path, name)
        if found is None:
            raise RefusedError(f"{self.folder.path}: {nets.wanted(name, names)}")
        return found

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def _checkpoint(path):
    return checkpoint.load(path, checked)


def open(path: AnyPath) -> Run:
    """The run in a folder.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        When `path` is no folder, or holds neither a configuration nor metrics.
    """
    return contents.read(path, Run)
