"""What the run around a file of weights tells of its data: the loss, how they are read, where they are."""

import json

import pytest

from cynet.runs import beside, configuration, records
from cynet.runs.settings import Settings

PLAIN = Settings(data="tiny", model="uwnet1", steps=3, lr=0.1, schedule="constant")


def run(folder, environment=None, **settings):
    """A folder with the configuration of a run, and perhaps an env.json."""
    folder.mkdir()
    flat = Settings(**vars(PLAIN) | settings).flat()
    configuration.write(folder / "config.toml", {"cynet": "1"} | flat)
    if environment is not None:
        records.write_environment(folder / "env.json", environment)
    return folder


def test_the_loss_is_that_of_the_run_in_the_folder_or_around_the_file(tmp_path):
    one = run(tmp_path / "one", task="regress", loss="huber")
    assert beside.loss_of(one) == beside.loss_of(one / "last.safetensors") == "huber"
    assert beside.loss_of(str(one)) == "huber"
    assert beside.loss_of(run(tmp_path / "two")) is None
    assert beside.loss_of(tmp_path) is beside.loss_of(tmp_path / "gone" / "w.safetensors") is None


def test_data_are_read_as_the_run_read_them_where_it_was_of_the_same(tmp_path):
    drawn = {"data": {"parts": {"drawn": {"split_seed": 7, "test_share": 0.25}}}}
    one = run(
        tmp_path / "one", drawn, data="image_folder", image_size="24x32", skip_damaged=True, split_seed=7
    )
    wanted = {"split_seed": 7, "test_share": 0.25, "skip_damaged": True, "size": (24, 32)}
    assert beside.data_options(one, "image_folder") == wanted
    assert beside.data_options(one / "best.safetensors", "image_folder") == wanted
    assert beside.data_options(one, "image_list") == {}
    assert beside.data_options(tmp_path, "image_folder") == {}


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "other.safetensors"])
def test_what_cannot_be_read_is_spoken_of_beside_a_runs_own_weights_alone(tmp_path, name):
    one = run(tmp_path / "one", {"folder": str(tmp_path)}, data="arrays", data_dir="some.npz")
    (tmp_path / "some.npz").touch()
    assert beside.data_of(one / name) == (str(tmp_path / "some.npz"), [])
    (one / "config.toml").write_text("steps = 0\n")
    said = [f"{one}/config.toml: steps: wanted a whole number of at least 1, got '0'; going on without its "
            "settings"]  # fmt: skip
    assert beside.data_of(one / name) == (None, said if name != "other.safetensors" else [])


def test_a_record_of_the_surroundings_that_is_torn_is_spoken_of_and_one_that_is_gone_is_not(tmp_path):
    one = run(tmp_path / "one", data="arrays", data_dir="some.npz")
    assert beside.data_of(one / "last.safetensors") == ("some.npz", [])
    (one / "env.json").write_text(json.dumps({"folder": 3}))
    assert beside.data_of(one / "last.safetensors") == (
        "some.npz",
        [
            f"going on without env.json: {one}/env.json: folder: wanted the path of a folder or null, got 3",
        ],
    )
    assert beside.data_of(tmp_path / "last.safetensors") == (None, [])
