"""matplotlib, which is an extra: what is said without it, and its log, which is left as it was."""

import logging
import sys
from types import ModuleType

import pytest

from cynet.core import drawing


class Found(ModuleType):
    """A module that tells the level of matplotlib's log while it is asked for its class."""

    def __getattr__(self, name):
        if name != "Figure":
            raise AttributeError(name)
        self.level = logging.getLogger("matplotlib").level
        if self.error:
            raise self.error
        return "the class"


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
@pytest.mark.parametrize("error", [None, ImportError("no"), PermissionError("no cache")])
def test_its_words_are_kept_to_itself_and_afterwards_its_log_is_as_it_was(monkeypatch, error, level):
    log = logging.getLogger("matplotlib")
    monkeypatch.setattr(log, "level", level)
    module = Found("matplotlib.figure")
    module.error = error
    monkeypatch.setitem(sys.modules, "matplotlib", ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)
    if error is None:
        assert drawing.figure_class() == "the class"
    else:
        words = "MPLCONFIGDIR: no cache" if isinstance(error, OSError) else "pip install 'cynet\\[plots\\]'"
        with pytest.raises(ImportError, match=words):
            drawing.figure_class()
    assert module.level == logging.ERROR and log.level == level
