"""The run folder, and weights files that know their model."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

import cynet.core.random as random
from cynet import Sequential, __version__, models
from cynet.interop import safetensors
from cynet.runs import configuration, new_folder
from cynet.runs.facts import Facts
from cynet.runs.session import Settings
from cynet.runs.weights import digests, file_of, initial_file
from cynet.train import RunFolder, load_weights, save_weights

FACTS = Facts("uwnet2", False, "cifar10", ("cat", "dog"), (0.5, 0.4, 0.3), (0.1, 0.2, 0.25))


def test_folders_are_numbered(tmp_path):
    paths = [RunFolder(name="net", parent=tmp_path / "runs").path.name for _ in range(2)]
    (tmp_path / "runs" / "net-7").touch()
    (tmp_path / "runs" / "net-x").touch()
    assert [*paths, RunFolder(name="net", parent=tmp_path / "runs").path.name] == ["net-1", "net-2", "net-8"]


def test_exactly_this_folder_when_it_is_new_or_empty(tmp_path):
    assert RunFolder(tmp_path / "a" / "b").path == tmp_path / "a" / "b"
    RunFolder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "file").touch()
    with pytest.raises(FileExistsError, match="wanted a new or empty folder"):
        RunFolder(tmp_path / "a" / "b")
    with pytest.raises(NotADirectoryError, match="file is none"):
        new_folder.check(tmp_path / "a" / "b" / "file" / "c")


def test_what_a_process_left_that_was_killed_at_once_is_no_file(tmp_path):
    for name in (".lock", ".config.toml.12.tmp"):
        (tmp_path / name).touch()
    folder = RunFolder(tmp_path)
    folder.lock()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    folder.write_config({"model": "x"})
    folder.discard()
    assert not tmp_path.exists()


def test_the_configuration_is_toml(tmp_path):
    values = {
        "text": 'a "b" \\ \n \x7f ä 😀',
        "yes": True,
        "no": False,
        "whole": -3,
        "small": 4e-05,
        "one": 1.0,
    }
    RunFolder(tmp_path / "run").write_config(values | {"none": None})
    written = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert written == {"cynet": __version__} | values


def test_weights_come_back_with_their_facts(tmp_path):
    model = FACTS.create()
    save_weights(tmp_path / "w", model, FACTS)
    other, facts = load_weights(tmp_path / "w")
    assert facts == FACTS
    assert not other.training
    assert all(np.array_equal(a, other.state_dict()[n]) for n, a in model.state_dict().items())


def test_weights_that_do_not_fit_are_refused_with_a_list(tmp_path):
    state = models.create("uwnet1", batch_norm=False, classes=2).state_dict()
    save_weights(tmp_path / "w", FACTS.create(), FACTS)
    notes = {k: v for k, v in safetensors.load(tmp_path / "w")[1].items() if k != "cynet"}
    safetensors.save(state, tmp_path / "w", notes)
    with pytest.raises(ValueError, match=r"w: state does not fit the model: .*; shape of ") as caught:
        load_weights(tmp_path / "w")
    assert "unexpected: 13.weight" in str(caught.value)


def test_weights_of_an_older_cynet_are_of_32_x_32_in_colour(tmp_path):
    save_weights(tmp_path / "w", FACTS.create(), FACTS)
    tensors, notes = safetensors.load(tmp_path / "w")
    older = {name: notes[name] for name in notes if name not in ("cynet", "picture_shape", "resize")}
    safetensors.save(tensors, tmp_path / "w", older)
    assert load_weights(tmp_path / "w")[1] == FACTS
    assert (FACTS.picture_shape, FACTS.resize) == ((32, 32, 3), "crop")


def test_a_size_of_its_own_comes_back(tmp_path):
    facts = Facts("resnet20", True, "x", ("a", "b"), (0.5,), (0.2,), (48, 40, 1), "stretch")
    save_weights(tmp_path / "w", facts.create(), facts)
    model, found = load_weights(tmp_path / "w")
    assert found == facts and model(np.zeros((2, 48, 40, 1), np.float32)).shape == (2, 2)


def test_weights_that_could_not_be_read_again_are_not_written(tmp_path):
    model = FACTS.create()
    for facts, words in (
        (replace(FACTS, mean=(0.5,)), "facts: wanted those of a model"),
        (replace(FACTS, classes=["a", "b"]), "facts: wanted those of a model"),
    ):
        with pytest.raises(ValueError, match=words):
            save_weights(tmp_path / "w", model, facts)
    for other, words in (
        (
            replace(FACTS, classes=("a", "b", "c")).create(),
            r"9\.weight: \(3, 512\) for \(2, 512\); 9\.bias",
        ),
        (replace(FACTS, batch_norm=True).create(), r"0\.bias: none for \(8,\); 3\.weight: none"),
        (Sequential(), r"0\.weight: none for \(8, 3, 3, 3\)"),
    ):
        with pytest.raises(
            ValueError, match=rf"facts: wanted those of this model, .* arrays differ: .*{words}"
        ):
            save_weights(tmp_path / "w", other, FACTS)
    assert not list(tmp_path.iterdir())


def test_a_net_that_is_data_needs_no_name_that_is_known(tmp_path):
    model = FACTS.create()
    save_weights(tmp_path / "w", model, replace(FACTS, model="mine"))
    again, facts = load_weights(tmp_path / "w")
    assert facts.model == "mine"
    assert digests(again) == digests(model)
    tensors, notes = safetensors.load(tmp_path / "w")
    del notes["cynet"], notes["net"]
    safetensors.save(tensors, tmp_path / "w", notes)
    with pytest.raises(ValueError, match=r"w: model: wanted one of uwnet0, .*, got 'mine'"):
        load_weights(tmp_path / "w")


def test_writing_weights_draws_no_random_numbers(tmp_path):
    facts = replace(FACTS, classes=("a", "b", "c", "d", "e"))  # whose shapes nobody asked for yet
    model = facts.create()
    before = random.get_state()
    save_weights(tmp_path / "w", model, facts)
    assert random.get_state() == before


def test_reading_weights_draws_no_random_numbers(tmp_path):
    save_weights(tmp_path / "w", FACTS.create(), FACTS)
    before = random.get_state()
    load_weights(tmp_path / "w")
    assert random.get_state() == before


def test_a_run_folder_stands_for_its_weights(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for which, hint in (("last", ""), ("best", r" \(did you mean the last ones, last.safetensors\?\)")):
        with pytest.raises(FileNotFoundError, match=f"run has no {which}.safetensors{hint}$"):
            file_of(folder.path, which)
        save_weights(folder.path / f"{which}.safetensors", FACTS.create(), FACTS)
        assert file_of(folder.path, which) == folder.path / f"{which}.safetensors"
    assert file_of(folder.path) == folder.weights and load_weights(folder.path)[1] == FACTS
    with pytest.raises(ValueError, match="weights: wanted one of last, best, got 'worst'"):
        file_of(folder.path, "worst")
    with pytest.raises(ValueError, match="weights: wanted a run folder"):
        file_of(folder.weights, "best")


@pytest.mark.parametrize(
    "change",
    [
        {"model": '"uwnet2'},
        {"batch_norm": "3"},
        {"classes": '"ab"'},
        {"classes": "[1, 2]"},
        {"picture_shape": "[32, 32]"},
        {"picture_shape": "[32, 32, 1]"},
        {"picture_shape": "[32, 0, 3]"},
        {"picture_shape": "[32, 32, 1000000000]"},
        {"picture_shape": "[32.0, 32, 3]"},
        {"resize": '"bend"'},
        {"resize": "{}"},
        {"mean": "[NaN, 0, 0]"},
        {"std": "[1, 0, 1]"},
        {"std": "[1, 2]"},
    ],
)
def test_odd_facts_are_refused(tmp_path, change):
    save_weights(tmp_path / "w", FACTS.create(), FACTS)
    tensors, notes = safetensors.load(tmp_path / "w")
    del notes["cynet"]
    safetensors.save(tensors, tmp_path / "w", notes | change)
    with pytest.raises(ValueError, match=r"w: "):
        load_weights(tmp_path / "w")


def test_a_file_without_facts_is_refused(tmp_path):
    safetensors.save(FACTS.create(), tmp_path / "w")
    with pytest.raises(ValueError, match="it lacks model, batch_norm"):
        load_weights(tmp_path / "w")


def test_settings_are_settled_by_the_data():
    settings = Settings().resolved(4000)
    assert settings.lr == 0.1
    assert settings.lr_steps == {int(settings.steps * 0.6): 0.01, int(settings.steps * 0.84): 0.001}
    assert Settings(epochs=3, batch_size=100).resolved(1050).steps == 30
    assert Settings(lr=0.1).resolved(4000).lr_steps == {}
    assert Settings(lr_steps={5: 1.0}, steps=6).resolved(4000).lr_steps == {5: 1.0}
    with pytest.raises(ValueError, match="lr_steps: wanted steps less than the run's 5, got 5"):
        Settings(lr_steps={5: 1.0}, steps=5).resolved(4000)
    with pytest.raises(ValueError, match="batch_size: wanted at most the 100"):
        Settings().resolved(100)
    assert tomllib.loads(configuration.toml(settings.flat()))["lr_steps"] == "900:0.01,1260:0.001"


@pytest.mark.parametrize("target", ["nowhere", "../last.safetensors"])
def test_best_weights_that_are_a_link_to_nowhere_or_elsewhere_are_not_passed_over(tmp_path, target):
    folder = RunFolder(tmp_path / "run")
    save_weights(folder.weights, FACTS.create(), FACTS)
    folder.write_config({"validation": 0.2})
    folder.best.symlink_to(target)
    with pytest.raises(OSError, match=r"best\.safetensors: wanted a .*file.*, got a link that leads|leaves"):
        file_of(folder.path)
    assert file_of(folder.path, "last") == folder.weights


def test_a_run_that_held_pictures_out_came_to_its_best_weights(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for name in ("last", "best"):
        save_weights(folder.path / f"{name}.safetensors", FACTS.create(), FACTS)
    for share, which in ((0.2, "best"), (0.0, "last")):
        folder.write_config({"validation": share})
        assert file_of(folder.path) == folder.path / f"{which}.safetensors"
        assert initial_file(folder.path) == folder.weights  # a training begins from the last ones
    folder.write_config({"validation": 0.2})
    folder.best.unlink()  # it was stopped before there were any
    assert file_of(folder.path) == folder.weights
    folder.write_config({"validation": 0.2})
    assert initial_file(folder.path) == folder.weights and initial_file(folder.weights) == folder.weights
