"""Folders of students."""

import pytest

from cynet.lab import folder


@pytest.fixture
def started(tmp_path):
    """A function that starts an exercise in a folder with a text in place of the file with holes."""

    def start(name, source=None, language="python"):
        work = folder.start(name, tmp_path / name, language)
        if source is not None:
            work.file.write_text(source)
        return work

    return start
