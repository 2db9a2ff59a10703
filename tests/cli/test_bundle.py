"""The bundle command: what is in the archive, that its bytes are the same twice, and what git says."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tracemalloc

import pytest

from cynet import __version__, cli


def git(folder, *arguments):
    name = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A repository with two files, one of them changed since its only commit, and a run folder."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same.py").write_text("a = 1\n")
    (tmp_path / "changed.py").write_text("b = 1\n")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "deep.py").write_text("c = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "changed.py").write_text("b = 2\n")
    (tmp_path / "new.py").write_text("d = 1\n")
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    (run / "metrics.csv").write_text("step\n1\n")
    (run / "weights.bin").write_bytes(bytes(range(256)))
    return tmp_path


def members(path):
    with tarfile.open(path) as tar:
        return {entry.name: (entry, tar.extractfile(entry).read()) for entry in tar}


def bundle(*arguments):
    return cli.main(["bundle", *map(str, arguments)])


def test_the_archive_holds_the_files_and_their_hashes(work, capsys):
    assert bundle("runs/first", "--files", "same.py", "changed.py", "part", "--output", "b.tar.gz") == 0
    assert capsys.readouterr().out.startswith("b.tar.gz: 5 files and manifest.json, ")
    found = members("b.tar.gz")
    names = ["changed.py", "part/deep.py", "runs/first/metrics.csv", "runs/first/weights.bin", "same.py"]
    assert sorted(found) == sorted(["manifest.json", *names])
    manifest = json.loads(found["manifest.json"][1])
    assert list(manifest["files"]) == names
    for name in names:
        data = (work / name).read_bytes()
        assert found[name][1] == data
        assert manifest["files"][name] == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert manifest["git"] == {"revision": git(work, "rev-parse", "HEAD"), "modified": True}
    assert manifest["versions"]["cynet"] == __version__


def test_the_bytes_are_the_same_twice_and_bear_no_time_or_owner(work):
    assert bundle("runs/first", "--files", "same.py", "--output", "1.tar.gz") == 0
    (work / "same.py").touch()
    (work / "same.py").chmod(0o600)
    assert bundle("runs/first", "--files", "same.py", "--output", "2.tar.gz") == 0
    data = (work / "1.tar.gz").read_bytes()
    assert data == (work / "2.tar.gz").read_bytes()
    assert data[4:8] == bytes(4), "the time in gzip's header"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {(0, 0, 0, "", "", 0o644)}


def test_unchanged_files_are_warned_of(work, capsys):
    assert bundle("runs/first", "--files", "same.py", "changed.py", "new.py", "part", "--base", "HEAD") == 0
    err = capsys.readouterr().err.splitlines()
    assert err == ["warning: same.py is unchanged since HEAD", "warning: part is unchanged since HEAD"]
    (work / "part" / "deeper.py").touch()
    assert bundle("runs/first", "--files", "part", "--base", "HEAD", "--force") == 0
    assert capsys.readouterr().err == ""


def test_the_sources_of_the_package_are_the_default(work):
    assert bundle("runs/first") == 0
    names = set(members("bundle.tar.gz"))
    assert {"cynet/__init__.py", "cynet/kernels/norm/batchnorm.pyx", "runs/first/metrics.csv"} <= names
    assert not any(name.endswith((".so", ".pyc")) for name in names)


def test_force_replaces_and_an_archive_never_holds_itself(work, capsys):
    output = work / "runs" / "first" / "b.tar.gz"
    assert bundle("runs/first", "--files", "same.py", "--output", output) == 0
    before = output.read_bytes()
    assert bundle("runs/first", "--files", "same.py", "--output", output) == 2
    assert f"--output: {output} exists (--force replaces it)" in capsys.readouterr().err
    assert bundle("runs/first", "--files", "same.py", "--output", output, "--force") == 0
    assert output.read_bytes() == before
    assert sorted(p.name for p in output.parent.iterdir()) == ["b.tar.gz", "metrics.csv", "weights.bin"]


def test_two_runs_of_one_name_are_refused(work, capsys):
    other = work / "other" / "first"
    other.mkdir(parents=True)
    (other / "metrics.csv").touch()
    assert bundle("runs/first", "other/first", "--files", "same.py") == 2
    assert "wanted a name of its own in the archive, got runs/first/metrics.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: RUN"),
        (["nowhere"], "RUN: wanted a folder, got nowhere"),
        (["runs/first", "--files", "gone.py"], "--files: no such file or folder: gone.py"),
        (["runs/first", "--base", "HEAD"], "--base: wanted --files"),
        (["runs/first", "--files", "same.py", "--base", "v9"], "--base: wanted a revision of the git"),
        (["runs/first", "--output", "part"], "--output: wanted a file, part is a folder"),
        (["runs/first", "--output", "no/b.tar.gz"], "--output: no such folder: no"),
    ],
)
def test_refusals(work, capsys, arguments, words):
    before = sorted(work.rglob("*.gz"))
    assert bundle(*arguments) == 2
    assert words in capsys.readouterr().err
    assert sorted(work.rglob("*.gz")) == before


def test_the_revision_is_that_of_the_sources_not_of_the_current_folder(work):
    """The package's sources lie in another repository than `work`, or in none."""
    assert bundle("runs/first") == 0
    found = json.loads(members(work / "bundle.tar.gz")["manifest.json"][1])["git"]
    assert found is None or found["revision"] != git(work, "rev-parse", "HEAD")


def test_a_source_that_the_revision_does_not_hold_counts_as_modified(work):
    for file, modified in (("same.py", False), ("new.py", True)):
        assert bundle("runs/first", "--files", file, "--base", "HEAD", "--force") == 0
        found = json.loads(members(work / "bundle.tar.gz")["manifest.json"][1])
        assert found["git"]["modified"] is modified
        assert found["base"] == {"name": "HEAD", "revision": git(work, "rev-parse", "HEAD")}


def test_nothing_from_elsewhere_gets_in_by_a_link_and_no_pipe_is_waited_for(work, capsys):
    (work / "secret").write_text("s")
    run = work / "runs" / "first"
    (run / "link").symlink_to("../../secret")
    assert bundle(run) == 2
    assert f"RUN: {run}/link: wanted a file in {run}, got a link that leaves it" in capsys.readouterr().err
    (run / "link").unlink()
    (run / "link").symlink_to("metrics.csv")
    os.mkfifo(run / "pipe")
    assert bundle(run) == 0
    found = members(work / "bundle.tar.gz")
    assert found["runs/first/link"][1] == b"step\n1\n" and "runs/first/pipe" not in found


def test_what_is_too_large_to_pack_is_named(work, capsys):
    os.truncate(work / "runs" / "first" / "weights.bin", 100 * 10**9)
    assert bundle("runs/first") == 2
    said = "RUN: runs/first/weights.bin: wanted a file of at most 4,29"
    assert said in capsys.readouterr().err


def test_what_is_no_file_is_left_out_and_said(work, capsys):
    run = work / "runs" / "first"
    os.mkfifo(run / "pipe")
    (run / "log.txt").mkdir()
    (run / "plots").mkdir()
    (run / "loop").symlink_to("loop")
    (run / "gone").symlink_to("nowhere")
    assert bundle("runs/first", "--files", "same.py") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:-1] == [
        "note: runs/first/gone: wanted a regular file, got a link that leads nowhere, to nowhere: left out",
        "note: runs/first/log.txt: wanted a regular file, got a folder: left out",
        "note: runs/first/loop: wanted a regular file, got a link that leads nowhere, to loop: left out",
        "note: runs/first/pipe: wanted a regular file, got a pipe: left out",
    ]
    assert len(members(work / "bundle.tar.gz")) == 4


def test_a_large_file_is_not_held_in_memory(work):
    os.truncate(work / "runs" / "first" / "weights.bin", 1 << 28)
    tracemalloc.start()
    try:
        assert bundle("runs/first", "--files", "same.py") == 0
        assert tracemalloc.get_traced_memory()[1] < 1 << 25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
def test_a_file_may_grow_while_it_is_packed_and_not_change(work, monkeypatch, capsys, change):
    path, before = work / "runs" / "first" / "metrics.csv", b"step\n1\n"

    def manifest(entries, *rest):
        path.write_bytes({"longer": before + b"2\n", "shorter": b"step\n", "other": b"step\n2\n"}[change])
        return b"{}"

    monkeypatch.setattr("cynet.runs.bundling.manifest", manifest)
    status = bundle("runs/first", "--files", "same.py")
    if change == "longer":
        assert status == 0 and members(work / "bundle.tar.gz")["runs/first/metrics.csv"][1] == before
        return
    said = "RUN: runs/first/metrics.csv: wanted a file that stays as it is, it was changed meanwhile"
    assert status == 2 and said in capsys.readouterr().err
    assert not [path for path in work.iterdir() if "bundle" in path.name]


def test_hidden_files_and_caches_stay_out(work):
    run = work / "runs" / "first"
    for path in (".hidden", ".git/config", "__pycache__/x.pyc", "deep/.x/y", "deep/z"):
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        (run / path).touch()
    (work / "part" / "__pycache__").mkdir()
    (work / "part" / "__pycache__" / "deep.pyc").touch()
    assert bundle("runs/first", "--files", "part") == 0
    names = set(members("bundle.tar.gz"))
    assert names == {"manifest.json", "part/deep.py", "runs/first/deep/z", "runs/first/metrics.csv",
                     "runs/first/weights.bin"}  # fmt: skip


def test_a_source_from_elsewhere_has_its_bare_name(work, monkeypatch):
    (work / "inner").mkdir()
    monkeypatch.chdir(work / "inner")
    assert bundle("../runs/first", "--files", "../same.py", "../part", "--output", "b.tar.gz") == 0
    assert {"same.py", "deep.py", "runs/first/metrics.csv"} < set(members("b.tar.gz"))


def test_a_source_by_the_manifests_name_is_refused(work, capsys):
    (work / "manifest.json").touch()
    assert bundle("runs/first", "--files", "manifest.json") == 2
    said = "wanted a name of its own in the archive, got manifest.json as for the manifest"
    assert said in capsys.readouterr().err


def test_the_limit_is_of_all_files_together(work, monkeypatch, capsys):
    monkeypatch.setattr("cynet.runs.bundling.MOST", 7 + 256 + 6)
    assert bundle("runs/first", "--files", "same.py", "--output", "1.tar.gz") == 0
    monkeypatch.setattr("cynet.runs.bundling.MOST", 7 + 256 + 5)
    assert bundle("runs/first", "--files", "same.py", "--output", "2.tar.gz") == 2
    said = "weights.bin: wanted a file of at most 255 bytes, got 256"
    assert said in capsys.readouterr().err


def test_without_git_the_manifest_says_so(work, monkeypatch, capsys):
    def missing(*words, **more):
        raise FileNotFoundError

    monkeypatch.setattr("cynet.runs.bundling.subprocess.run", missing)
    assert bundle("runs/first", "--files", "same.py", "--output", "b.tar.gz") == 0
    manifest = json.loads(members("b.tar.gz")["manifest.json"][1])
    assert manifest["git"] is manifest["base"] is None
    assert list(manifest["versions"]) == ["cynet", "numpy", "python"]
    assert bundle("runs/first", "--files", "same.py", "--base", "HEAD", "--force") == 2
    assert "--base: wanted a revision of the git repository here, got 'HEAD'" in capsys.readouterr().err


def test_what_is_packed_is_said_with_its_size(work, capsys):
    assert bundle("runs/first", "--files", "same.py", "--output", "b.tar.gz") == 0
    size = (work / "b.tar.gz").stat().st_size
    assert capsys.readouterr().out == f"b.tar.gz: 3 files and manifest.json, {size:,} bytes\n"


def test_a_run_folder_without_a_file_is_refused(work, capsys):
    (work / "runs" / "empty" / "inside").mkdir(parents=True)
    (work / "runs" / "empty" / ".hidden").touch()
    assert bundle("runs/empty", "--files", "same.py") == 2
    assert "RUN: wanted a folder with files, runs/empty has none" in capsys.readouterr().err
    assert not (work / "bundle.tar.gz").exists()


def test_a_source_outside_of_the_repository_cannot_be_compared(work, tmp_path_factory, capsys):
    file = tmp_path_factory.mktemp("elsewhere") / "far.py"
    file.write_text("e = 1\n")
    assert bundle("runs/first", "--files", file, "--base", "HEAD") == 2
    err = capsys.readouterr().err
    assert f"--files: git cannot compare {file}: " in err and "outside repository" in err
    assert err.count("\n") == 1


def test_beside_a_source_from_elsewhere_what_git_follows_tells_whether_it_is_modified(work, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "far.py"
    file.write_text("e = 1\n")
    head = git(work, "rev-parse", "HEAD")
    for modified in (True, False):
        assert bundle("runs/first", "--files", file, "--force") == 0
        found = json.loads(members("bundle.tar.gz")["manifest.json"][1])
        assert found["git"] == {"revision": head, "modified": modified}
        (work / "changed.py").write_text("b = 1\n")  # as it was; new.py is none that git follows
