"""`cynet bench`: sub-commands, refusals, and the files it writes."""

import json

import pytest

from cynet import cli, models
from cynet.bench import choices, measuring


def said(capsys, *arguments):
    status = cli.main(["bench", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("what", choices.WHAT)
def test_every_sub_command_has_help_with_defaults(capsys, what):
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", what, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    assert f"usage: cynet bench {what}" in text and "default: None" not in text
    first = "resnet20" if what in ("distributed", "growth") else "uwnet"
    assert (
        what in ("peak", "import", "shapes", "loader", "language-model", "compare")
        or f"(default: {first}" in text
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: WHAT"),
        (["trian"], "wanted one of peak, kernels, train, infer, shapes, memory, import, loader, profile, "
         "growth, language-model, distributed, table, compare, got "
         "'trian' (did you mean train?)"),
        (["train", "--thread", "1"], "unknown flag: --thread (did you mean --threads?)"),
        (["train", "more"], "unexpected argument: more"),
        (["train", "--model", "uwnet9"], "--model: wanted one of uwnet0, uwnet1"),
        (["train", "--model", "uwnet1,resnet2"], "(did you mean resnet20?)"),
        (["infer", "--against", "torhc"], "onnxruntime, openvino, got 'torhc' (did you mean torch?)"),
        (["infer", "--model", "language_model"], "signals, got language_model, one of texts"),
        (["infer", "--model", "no.safetensors"], "--model: wanted one of uwnet0, uwnet1"),
        (["infer", "--batch-size", "1,0"], "--batch-size: wanted a whole number of at least 1, got '0'"),
        (["shapes", "--count", "-1"], "--count: wanted a whole number of at least 0, got '-1'"),
        (["train", "--threads", "1,x"], "--threads: wanted a whole number of at least 1, got 'x'"),
        (["profile", "--threads", "1,2"], "--threads: wanted a whole number of at least 1, got '1,2'"),
        (["peak", "--json", "no/file"], "--json: wanted a file in a folder that exists, got no/file"),
        (["growth", "--plot", "no/a.png"], "--plot: wanted a file in a folder that exists, got no/a.png"),
        (["peak", "--json", "."], "--json: wanted a file, . is a folder"),
        (["peak", "--json", "/dev/null"], "--json: wanted a file, /dev/null is something else"),
        (["train", "--model", ""], "--model: wanted names with commas between them, got ''"),
        (["train", "--model", "uwnet1,"], "--model: wanted names with commas between them, got 'uwnet1,'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = said(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_the_default_models_are_those_there_are(monkeypatch):
    seen = {}

    def run(wanted, watch):
        seen[wanted.what] = wanted.model
        return ()

    for what in ("kernels", "train"):
        monkeypatch.setitem(measuring.RUNS, what, run)
        assert cli.main(["bench", what]) == 0
    assert seen == {"kernels": ["uwnet0", *choices.MODELS], "train": list(choices.MODELS)}
    assert set(seen["kernels"]) <= set(models.names())


def test_without_the_peer_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.delitem(__import__("sys").modules, "cynet.bench.torch_peer", raising=False)
    status, _, err = said(capsys, "train", "--against", "torch")
    assert status == 2 and "--against: wanted the package torch" in err and "pip install torch" in err


def test_what_fails_on_the_way_is_one_line(capsys):
    status, _, err = said(capsys, "train", "--model", "uwnet0", "--batch-size", "1")
    assert status == 1 and "more than 1 value per channel" in err and err.count("\n") == 1


def test_ctrl_c_ends_it_with_130(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(measuring.RUNS, "peak", interrupted)
    status, _, err = said(capsys, "peak")
    assert status == 130 and "interrupted" in err


def test_peak(capsys):
    status, out, err = said(capsys, "peak", "--array-size", ".1", "--repeat", "1", "--threads", "1")
    assert status == 0 and err == ""
    assert "GFLOP/s" in out and "GB/s" in out and "\n1 threads" in out


def test_the_json_file_has_the_documented_fields(capsys, tmp_path):
    path = tmp_path / "speed.json"
    arguments = (
        "--model",
        "uwnet2",
        "--model",
        "uwnet1",
        "--repeat",
        "2",
        "--no-batch-norm",
        "--json",
        str(path),
    )
    status, out, _ = said(capsys, "infer", *arguments)
    assert status == 0 and "cynet ms/pass" in out
    document = json.loads(path.read_text())
    assert set(document) == {"command", "environment", "settings", "results"}
    assert document["command"] == "infer" and document["settings"]["model"] == ["uwnet2", "uwnet1"]
    assert {"cpu", "threads", "isa", "versions", "date"} <= set(document["environment"])
    (result,) = document["results"]
    assert [(row["model"], row["batch_size"]) for row in result["rows"]] == [
        (name, size) for name in ("uwnet2", "uwnet1") for size in (128, 1)
    ]
    for row in result["rows"]:
        assert row["seconds"] > 0 and row["rounds"] == 2 and row["batch_norm"] is False
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["seconds"])


def test_train_as_markdown(capsys):
    arguments = ("--model", "uwnet2", "--batch-size", "4", "--repeat", "1", "--markdown")
    status, out, _ = said(capsys, "train", *arguments)
    assert status == 0 and out.startswith(
        "| model | batch | threads | cynet ms/step | images/s |\n| --- | ---:"
    )


def test_memory_and_imports_are_positive(capsys, tmp_path):
    path = tmp_path / "out.json"
    arguments = (
        "--model",
        "uwnet2",
        "--batch-size",
        "2",
        "--steps",
        "1",
        "--repeat",
        "1",
        "--json",
        str(path),
    )
    assert said(capsys, "memory", *arguments)[0] == 0
    (row,) = json.loads(path.read_text())["results"][0]["rows"]
    assert row["peak_bytes"] > row["imported_bytes"] > 0
    assert row["own_bytes"] == row["peak_bytes"] - row["imported_bytes"]
    assert said(capsys, "import", "--repeat", "1", "--json", str(path))[0] == 0
    rows = json.loads(path.read_text())["results"][0]["rows"]
    assert len(rows) == 2 and all(row["seconds"] > 0 for row in rows)


def test_a_child_that_fails_is_one_line(capsys, monkeypatch):
    from cynet.bench import processes

    monkeypatch.setattr(processes, "IMPORT_PROGRAM", "raise SystemExit('no luck') # {}")
    status, _, err = said(capsys, "import", "--repeat", "1")
    assert status == 1 and err.endswith("a process that was to be measured failed: no luck\n")
