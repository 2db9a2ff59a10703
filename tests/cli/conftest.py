"""Runs that several files of tests look at; none of them changes one."""

import json
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def uneven_runs(tmp_path_factory):
    """A folder with the runs of `uneven.RUNS`, "one" with its page; and what training "one" printed."""
    import contextlib
    import io

    import uneven

    from cynet import cli

    place = tmp_path_factory.mktemp("uneven")
    uneven.train(place, "other", "--no-report")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        uneven.train(place, "one", "--no-report")
    assert cli.main(["report", str(place / "one"), "--threads", "1"]) == 0
    return SimpleNamespace(place=place, one=place / "one", other=place / "other", said=out.getvalue())


@pytest.fixture(scope="session")
def truth(uneven_runs):
    import uneven

    return uneven.Truth(uneven_runs.one)


@pytest.fixture(scope="session")
def other_truth(uneven_runs):
    import uneven

    return uneven.Truth(uneven_runs.other)


@pytest.fixture(scope="session")
def document(uneven_runs):
    """The document within the page of run one."""
    from dom import parsed

    text = (uneven_runs.one / "report.html").read_text()
    return json.loads(parsed(text).one("script", id="data").text)
