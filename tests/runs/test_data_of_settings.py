"""What is refused before a run begins: each by the argument or the file that said it, in words."""

import numpy as np
import pytest
import tiny  # noqa: F401  (adds the data set "tiny")

from cynet.runs import beginning, datasets
from cynet.runs.errors import RefusedError
from cynet.runs.origins import Names
from cynet.runs.settings import DEFAULTS

FILE = {"seed": "a.toml", "model": "a.toml", "data": "a.toml", "data_dir": "a.toml", "skip_damaged": "a.toml"}


def refused(call, *given):
    with pytest.raises(RefusedError) as caught:
        call(*given)
    return str(caught.value)


def loaded(**values):
    return datasets.load(DEFAULTS | values, lambda name: f"<{name}>")


# -- when data are read --------------------------------------------------------------------------------------
@pytest.mark.parametrize("values", [
    {"fold": True}, {"level": "word"}, {"sequence_length": 5}, {"layout": "NHWC"}, {"image_size": "48x64"},
    {"task": "regress"},
])  # fmt: skip
def test_a_setting_that_is_none_of_the_data_is_called_by_its_own_name(values):
    (name,) = values
    text = refused(lambda: loaded(data="tiny", **values))
    assert text.startswith(f"<{name}>: wanted ") and "tiny" in text and "size: size" not in text


def test_a_place_without_the_files_is_called_by_what_named_it(tmp_path):
    assert refused(lambda: loaded(data="arrays")).startswith(
        "<data_dir>: wanted the place of the files of arrays"
    )
    assert refused(lambda: loaded(data="arrays", data_dir=str(tmp_path / "a.npz"))).startswith("<data_dir>: ")
    np.savez(tmp_path / "b.npz", train_images=np.zeros((4, 8), np.float32))
    assert refused(lambda: loaded(data="arrays", data_dir=str(tmp_path / "b.npz"))).startswith("<data_dir>: ")


def test_both_parts_come_in_order():
    training, test = loaded(data="tiny")
    assert (len(training), len(test)) == (64, 20)


# -- before they are -----------------------------------------------------------------------------------------
def check(origins=None, run_dir=None, kept=False, **values):
    told = dict.fromkeys(DEFAULTS, "python") | (origins or {})
    beginning.check(DEFAULTS | values, told, Names("b.toml"), run_dir, kept)


@pytest.mark.parametrize(("origins", "called"), [
    ({}, ""), (FILE, "a.toml: "), (dict.fromkeys(FILE, "b.toml"), "config: b.toml: ")
])  # fmt: skip
def test_what_cannot_be_is_called_by_where_it_came_from(tmp_path, origins, called):
    def words(**values):
        return refused(lambda: check(origins, **values))

    place = str(tmp_path / "gone")
    assert words(model="uwnet9").startswith(f"{called}model: wanted one of uwnet0, ")
    assert words(data="mnits").startswith(f"{called}data: wanted one of ")
    assert words(skip_damaged=True) == (
        f"{called}skip_damaged: wanted pictures in files (image_folder, image_list), got shapes10"
    )
    assert words(data="arrays") == f"{called}data_dir: wanted the place of the files of arrays, got none"
    assert words(data="arrays", data_dir=place) == f"{called}data_dir: no such file or folder: {place}"


def test_a_place_beside_data_that_are_made_by_code_is_answered_with_what_was_meant(tmp_path):
    start = "data_dir: shapes10 is made by code and reads no files (did you mean "
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "a.png").touch()
    np.savez(tmp_path / "a.npz", train_images=np.zeros(3))
    assert refused(lambda: check(data_dir=str(tmp_path / "photos"))) == f"{start}data='image_folder'?)"
    assert refused(lambda: check(data_dir=str(tmp_path / "a.npz"))) == f"{start}data='arrays'?)"
    assert refused(lambda: check(data_dir=str(tmp_path / "gone"))) == f"{start}data=NAME?)"


def test_a_folder_that_is_not_empty_is_refused_by_its_argument(tmp_path):
    check(run_dir=tmp_path)
    check(run_dir=tmp_path / "new" / "er")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").touch()
    assert refused(lambda: check(run_dir=tmp_path)) == (
        f"run_dir: wanted a new or empty folder, {tmp_path} holds files"
    )
    assert refused(lambda: check(run_dir=tmp_path / "a" / "b")) == (
        f"run_dir: wanted a folder, {tmp_path / 'a'} is none"
    )


def test_a_name_of_a_net_that_a_run_keeps_need_not_be_known():
    check(model="nobodys", kept=True)
    check(model="net.py:model")
    check(model="package.nets:small")
    with pytest.raises(RefusedError):
        check(model="nobodys")


# -- the warm-up of a recipe ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("steps", "warmup", "origin", "wanted"), [
    (100, 100, "recipe a", 10), (100, 99, "recipe a", 99), (100, 500, "recipe a", 10),
    (100, 100, "flag", 100),
    (100, 100, "a.toml", 100), (9, 20, "recipe a", 0),
])  # fmt: skip
def test_only_a_recipes_warm_up_is_cut_where_it_is_no_less_than_the_run(steps, warmup, origin, wanted):
    settings = beginning.Settings(steps=steps, warmup=warmup, lr=0.1)
    origins = {"warmup": origin}
    found = beginning._warmed_up(settings, 1000, origins)
    assert found.warmup == wanted
    cut = f" (its {warmup} steps of warm-up cut to a tenth of the run)" if wanted != warmup else ""
    assert origins == {"warmup": origin + cut}
