"""The page of a hand-made document in use, in a real browser: what keys, a pointer and buttons show."""

import pytest
from dom import CHROMIUM, browsed, parsed
from hand_made import DOCUMENT, FIRST

from cynet.report import page

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip


def test_the_legends_of_the_curves_follow_the_keys(used):
    def legends(loss, accuracy, rate, at):
        step = [f"step {n}, epoch {epoch}" for n, epoch in at]
        training = f"training, step by step {loss[0]}training {loss[1]}test {loss[2]}{step[0]}"
        accuracies = f"training {accuracy[0]} %test {accuracy[1]} %{step[0]}"
        return f"{training} | {accuracies} | learning rate {rate}{step[1]}"

    first = (1.5, 2, 2.5), ("25.00", "20.00"), 0.1
    second = legends(*first, [(15, 2), (15, 2)])
    third = legends((1.5, 1, 1.5), ("50.00", "70.00"), 0.1, [(20, 2), (20, 2)])
    end = legends((0.4, 0.5, 1.25), ("75.00", "60.00"), 0.01, [(30, 3), (30, 3)])
    # The rates have step 10 of the evaluations not: they begin with step 15.
    home = legends(*first, [(10, 1), (15, 2)])
    assert used[0]["curves"] == [home, second, third, second, end, end, end]
    assert used[0]["blurred"] == "training 75.00 %test 60.00 %last values"
    assert used[0]["best"] == "best 70.00 %"


def test_the_axes_of_the_curves_are_those_that_were_pressed(used):
    said = used[0]
    assert said["steps"] == ["0", "5", "10", "15", "20", "25"]
    assert said["minutes"] == ["0", "0.5", "1", "1.5", "2", "2.5"]
    assert said["logarithmic"] == ["0.5", "1", "2", "30"]  # with the last of the steps
    assert said["linear"] == ["1", "2", "30"] and said["rates"] == ["0.01", "0.02", "0.05", "0.1", "3"]
    assert said["time"] == "training, step by step 1.5training 2test 2.5after 1 min 0 s"
    assert said["pressed"] == ["Minutes", "Linear loss"]


def test_the_confusion_matrix_reads_out_the_cell_that_keys_lead_to(used):
    ants, bees = (
        "3 of 5 pictures of ant (60.0 %) are recognised.",
        "2 of 5 pictures of ant (40.0 %) are taken for bee.",
    )
    cows = "2 of 3 pictures of cow (66.7 %) are recognised."
    middle = "2 of 2 pictures of bee (100.0 %) are recognised."
    assert used[0]["start"].startswith("Point at a cell")
    assert used[0]["confusion"] == [ants, bees, middle, bees, ants, ants, cows]
    assert (used[0]["counts"], used[0]["shares"]) == ("3,2,2,1,2", "60,40,100,33,67")
    assert used[0]["kept"] == cows


def test_the_classes_are_sorted_by_the_heading_that_was_pressed(used):
    assert used[0]["classes"] == [
        ["ant,bee,cow", "Class ascending"],
        ["cow,ant,bee", "Recall ascending"],  # without a recall is least
        ["bee,ant,cow", "Recall descending"],
        ["bee,cow,ant", "Precision ascending"],
        ["ant,cow,bee", "Pictures descending"],  # the most first
        ["bee,cow,ant", "Pictures ascending"],
        ["ant,bee,cow", "Class ascending"],
        ["cow,bee,ant", "Class descending"],
    ]


def test_bins_and_channels_are_read_out(used):
    said = used[0]
    assert said["calibration"] == [
        "0 % to 50 % sure: 0 pictures (0.0 %).",
        "50 % to 100 % sure: 10 pictures (100.0 %), of which 70.0 % are right; mean confidence 80.0 %.",
    ]
    assert said["shaded"] == ["0.45", "1"]
    assert said["norms"] == [
        "layer 1 (8 channels): −1 to 2, middle half −0.5 to 0.5, median 0",
        "layer 4 (16 channels): 0 to 4, middle half 1 to 3, median 2",
    ]
    assert said["boxes"] == ["These layers have none."]  # no shift
    assert [float(width[:-1]) for width in said["widths"]] == pytest.approx(
        [100 / 3, 200 / 3, 50 / 3, 10 / 3], abs=1e-3
    )


def test_a_pointer_reads_out_what_it_points_at(used):
    said = used[0]
    of_ant, of_cow = (
        "2 of 5 pictures of ant (40.0 %) are taken for bee.",
        "2 of 3 pictures of cow (66.7 %) are ",
    )
    assert said["pointed"] == [
        of_ant,
        f"{of_cow}recognised.",
        "0 of 2 pictures of bee (0.0 %) are taken for ant.",
    ]
    assert said["beside"] == said["pointed"][-1]
    assert said["bins"] == said["calibration"] and said["unshaded"] == ["1", "1"]
    assert said["layers"] == said["norms"]
    assert said["dots"] == [
        [f"training {a} %test {b} %step {n}, epoch {n // 10}", 2, 1]
        for n, a, b in ((10, "25.00", "20.00"), (20, "50.00", "70.00"), (30, "75.00", "60.00"))
    ]
    assert said["left"] == ["training 75.00 %test 60.00 %last values", 0]


def test_two_runs_are_drawn_by_what_was_pressed(used):
    said = used[0]
    assert said["compared"] == "first 60.00 %second 40.00 %last values"
    assert said["results"] == [
        "Best test accuracy 70.00 % 40.00 %", "Last test accuracy 60.00 % 40.00 %",
        "Last test loss 1.25 2.25", "Last training loss 0.5 2",
        "Steps 30 20", "Time 3 min 0 s 1 min 0 s", "lr 0.1 0.2", "ema – 0.9",
    ]  # fmt: skip
    assert said["compare Test loss"] == "Test loss first 1.25second 2.25last values"
    assert said["compare Training loss"] == "Training loss first 0.5second 2last values"
    assert said["compare Learning rate"] == "Learning rate first 0.01second 0.02last values"
    assert said["compare Minutes"] == said["compare Learning rate"]
    assert said["after"] == "first 0.1second 0.2after 30 s"
    assert said["same"].endswith("The two runs have the same settings.")


def test_what_stands_still(used):
    tree = used[1]
    tiles = [[part.text for part in tile.children] for tile in tree.all("div", class_="tile")]
    assert tiles == [
        ["Test accuracy", "70.00 %", "10 pictures"], ["Best on the way", "70.00 %", "epoch 2"],
        ["Calibration error", "5.12 %", "test loss 1.234"], ["Steps", "30", "3 epochs"],
        ["Time", "3 min 0 s", "0.1667 steps/s with evaluations"],
        ["Parameters", "12,345", "2.5 million MACs a picture"],
    ]  # fmt: skip
    notes = tree.one("header").one("div", class_="note").all("li")
    assert [note.text for note in notes] == [
        "diagnosis: it is tired", "a note", "1 test pictures give NaN; they count as wrong"
    ]  # fmt: skip
    filters = tree.one("section", id="filters").text
    assert "the brightest is +0.25 and the darkest −0.25." in filters
    assert filters.endswith("The first 2 of 70 filters.→0: 50 %→1")
    rows = tree.one("section", id="layers").one("table").rows()
    assert rows[1:] == [
        ["0 Conv2d(3, 8)", "32 × 32 × 8", "1.000", "2.000", ""],
        ["1 ReLU()", "32 × 32 × 8", "0.500", "0.100", ""],
        ["All layers", "", "1.500", "2.100", ""],
    ]  # fmt: skip
    assert "A processor, 1 thread." in tree.one("section", id="layers").text
    settings, around = (table.rows() for table in tree.one("section", id="configuration").all("table"))
    assert settings == [["Setting", "Value", "From"], ["lr", "0.1", "flag"]]
    assert around == [["What", "Value"], ["numpy", "2"], ["cores", "–"]]
    assert "The same command gives the same weights" in tree.one("section", id="configuration").text


def test_a_run_that_was_chosen_by_validation_and_whose_test_set_is_not_there(tmp_path):
    run = {"name": "r", "measure": "validation", "settings": {}, "steps": {}, "epochs": {
        "step": [10, 20], "epoch": [1, 2], "lr": [0.1, 0.1], "train_loss": [2.0, 1.0],
        "train_accuracy": [0.5, 1.0], "validation_loss": [1.0, 2.0],
        "validation_accuracy": [0.5, 0.25]}}  # fmt: skip
    other = FIRST | {"name": "other"}
    missing = dict.fromkeys(("test", "mistakes"), "No test set.") | {
        "steps": "No steps.csv.", "norms": "No norms.", "layers": "Not measured.", "filters": "No filters.",
    }  # fmt: skip
    nothing = dict.fromkeys(("test", "mistakes", "filters", "norms", "layers", "command"))
    document = DOCUMENT | nothing | {"runs": [run, other], "missing": missing, "said": [], "several": True,
                                     "config": [["lr", "0.1", None]], "environment": []}  # fmt: skip
    (tmp_path / "x.html").write_text(page.render(document | {"command": "one\ntwo"}))
    dom, console = browsed(tmp_path / "x.html", "--window-size=500,900")
    assert console == []
    tree = parsed(dom)
    figures = tree.one("section", id="curves").all("svg")
    assert [svg["viewbox"].split()[3] for svg in figures] == ["190", "190", "130"]  # with little room
    accuracy = tree.one("section", id="curves").all("svg")[1]
    (whole,) = (text for text in accuracy.all("text", text_anchor="end") if text.text == "100 %")
    assert float(whole["y"]) == 14  # no accuracy lies above: there the axis ends
    tiles = [[part.text for part in tile.children] for tile in tree.all("div", class_="tile")]
    assert tiles[:3] == [
        ["Validation accuracy", "25.00 %", "as metrics.csv has it"],
        ["Best in validation", "50.00 %", "epoch 1"],
        ["Steps", "20", "2 epochs"],
    ]  # fmt: skip
    assert [tile[0] for tile in tiles[3:]] == ["Parameters"]
    assert tree.one("header").one("div", class_="note").text == "Note: a note."
    for name, why in (
        ("confusion", "No test set."), ("classes", "No test set."), ("calibration", "No test set."),
        ("mistakes", "No test set."), ("filters", "No filters."), ("norms", "No norms."),
        ("layers", "Not measured."),
    ):  # fmt: skip
        assert tree.one("section", id=name).one("p", class_="note").text == why
    curves = tree.one("section", id="curves")
    assert "No steps.csv." in curves.text and "learning rate at the end of each epoch" in curves.text
    assert "Minutes" not in [button.text for button in curves.all("button")]  # there are no times
    results = tree.one("section", id="compare").all("table")[0].rows()
    assert results[0] == ["Result", "r (validation)", "other (test)"]
    assert results[1] == ["Best accuracy", "50.00 %", "70.00 %"] and results[-1] == ["Time", "–", "3 min 0 s"]
    configuration = tree.one("section", id="configuration")
    assert "no single command repeats it" in configuration.text
    assert configuration.one("table").rows() == [["Setting", "Value"], ["lr", "0.1"]]
    assert "The run folder has no env.json" in configuration.text
