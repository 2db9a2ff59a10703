"""Run folders that a command reads and does not change."""

import contextlib

from cynet.runs import agreement
from cynet.runs.environment import fingerprint, initial_weights
from cynet.runs.places import data_folder

from . import options
from .parser import UsageError, refusing


def _configured(folder, flag, say):
    """(settings, origins) of a run: those of its config.toml, or where it is damaged of its checkpoint."""
    from cynet.runs.configuration import CONFIG, read_run
    from cynet.runs.settings import FREE, Settings

    saved = agreement.saved(folder)
    try:
        values = options.read(folder.path / CONFIG, flag, parse=read_run)
        _, origins = folder.read_config()
    except UsageError as error:
        if saved is None:
            raise
        name, found = saved
        say(f"note: {str(error).removeprefix(f'{flag}: ')}; going on with the settings in {name}")
        return found.settings, found.origins
    if saved is not None:
        for name, (here, there) in agreement.differences(folder, saved[1].settings).items():
            if name not in FREE:
                say(f"note: {folder.path / CONFIG} has {name} {here}, {saved[0]} {there}")
    return Settings(**(options.DEFAULTS | values)), origins


class Stored:
    """A run as its folder tells it.

    Parameters
    ----------
    path : str
    flag : str
        What an error calls it.

    Attributes
    ----------
    folder : RunFolder
    settings : Settings
        Resolved, as they are now.
    first : Settings
        Those of its first steps.
    limit : int or None
        How many steps `first` holds for; None: all.
    origins, environment : dict
    history : History
    """

    def __init__(self, path, flag="RUN"):
        from cynet.runs import replay
        from cynet.runs.records import ENVIRONMENT
        from cynet.train import RunFolder

        from .terminal import say

        with refusing(flag):
            self.folder = RunFolder.open(path)
            self.settings, origins = _configured(self.folder, flag, say)
            self.folder.configured(self.settings.flat())  # its file may be damaged
            self.history = replay.History.of(self.folder)
        self.origins = dict.fromkeys(options.DEFAULTS, options.DEFAULT) | origins
        self.environment = self.folder.read_environment(say)
        try:
            parts = self.environment.get("resumed", [])
            self.first, self.limit = replay.first_settings(self.settings, parts)
        except ValueError as error:
            say(f"note: going on without {ENVIRONMENT}: {error}")
            self.environment, self.first, self.limit = {}, self.settings, None

    @property
    def steps(self):
        """How many steps can be trained again."""
        return min(max(self.history.losses, default=0), self.limit or 2**63)

    @property
    def fingerprint(self):
        """That of its pictures, None where it is not known."""
        return fingerprint(self.environment)

    @contextlib.contextmanager
    def replay(self, **changes):
        """Within this context its first steps can be trained again, with some settings in place of its own.

        Parameters
        ----------
        **changes
            Of the settings that the weights do not depend on.
        """
        from dataclasses import replace

        from cynet.runs import beginning, datasets
        from cynet.runs.replay import Replay

        place = data_folder(vars(self.first), self.environment)
        settings = replace(self.first, workers=0, **{"data_dir": place} | changes)
        with refusing(str(self.folder.path)):
            settings = replace(settings, init_from=initial_weights(self.environment) or settings.init_from)
        names = options.Flags()
        beginning.check(vars(settings), self.origins, names)
        training, test = datasets.load(vars(settings), names)
        if self.fingerprint not in (None, training.fingerprint()):
            raise UsageError(
                f"{self.folder.path}: wanted its pictures, with fingerprint {self.fingerprint}, got "
                f"{training.fingerprint()}"
            )
        with beginning.session_of(settings, training, test, self.origins, names=names) as session:
            yield Replay(session)
