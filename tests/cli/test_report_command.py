"""The command that writes a run as a page: which run, which weights, which flags reach what writes it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cynet import cli, runs
from cynet.cli import trained
from cynet.report import writing


@pytest.fixture
def written(monkeypatch, tmp_path):
    """What is written: of a folder a, a run, and a folder b, which is none; both have weights."""
    calls = []
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.safetensors").write_text("")
    (tmp_path / "a" / "config.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "open", lambda path: SimpleNamespace(path=Path(path)))
    monkeypatch.setattr(trained, "net_of", lambda net, path: calls.append(("net", net, path)) or "a net")
    monkeypatch.setattr("cynet.core.threads.set_num_threads", lambda n: calls.append(("threads", n)))

    def write(found, output, *more):
        calls.append(([(one.path.name, getattr(one, "net", None)) for one in found], output, *more[:-1]))

    monkeypatch.setattr(writing, "write", write)
    return calls


def test_a_page_is_of_the_run_beside_the_others_each_once(written):
    assert cli.main(["report", "a", "b", "a"]) == 0
    assert written == [
        ("net", None, Path("a/last.safetensors")),
        ([("a", "a net"), ("b", None)], Path("a/report.html"), None, "last.safetensors", True),
    ]  # fmt: skip


def test_every_flag_reaches_the_page(written):
    words = "a/x.safetensors b --output page.html --data-dir b --no-timing --threads 2 --model net.py"
    assert cli.main(["report", *words.split()]) == 0
    assert written == [
        ("net", "net.py", Path("a/x.safetensors")), ("threads", 2),
        ([("a", "a net"), ("b", None)], Path("page.html"), "b", "x.safetensors", False),
    ]  # fmt: skip
    assert cli.main(["report", "a", "--weights", "best"]) == 0
    assert written[-1][3] == "best.safetensors"


def test_weights_in_a_folder_that_is_no_run_stand_for_no_run(written):
    assert cli.main(["report", "a/x.safetensors"]) == 0 and written[-1][0] == [("a", "a net")]
    assert cli.main(["report", "b/x.safetensors"]) == 2
    assert [call[0] for call in written if isinstance(call[0], list)] == [[("a", "a net")]]


@pytest.mark.parametrize(("words", "line"), [
    ("a --data-dir gone", "--data-dir: no such file or folder: gone"),
    ("a --output gone/page.html", "--output: wanted a file in a folder that exists, got gone/page.html"),
    ("a --output b", "--output: wanted a file, b is a folder"),
    ("a/x.safetensors --weights best", "--weights: wanted a run folder to take the best ones from, "),
])  # fmt: skip
def test_what_cannot_be_written_is_refused_before_anything_is(written, capsys, words, line):
    assert cli.main(["report", *words.split()]) == 2
    assert capsys.readouterr().err.startswith(f"cynet report: error: {line}")
    assert not any(isinstance(call[0], list) for call in written)


def test_no_page_is_written_through_a_link_of_the_folder(written, capsys, tmp_path):
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "a" / "report.html").symlink_to(tmp_path / "mine.html")
    assert cli.main(["report", "a"]) == 2
    assert capsys.readouterr().err.startswith("cynet report: error: RUN: a/report.html: wanted ")
    assert cli.main(["report", "a", "--output", "a/report.html"]) == 0  # which is asked for
