"""The sections of several labels and of numbers in use, in a real browser: what keys and a pointer show."""

import html
import json
import re

import pytest
from dom import CHROMIUM, browsed, parsed
from hand_made import DOCUMENT, DOT, FIRST, SECOND

from cynet.report import page

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip

EPOCHS = {name: values for name, values in FIRST["epochs"].items() if not name.endswith("accuracy")}
NUMBERS = {
    "classes": ["height", "age"], "loss": 0.25, "count": 4, "unsure": 2, "rmse": 2.5, "mae": 1.25, "r2": -0.5,
    "each": {"rmse": [2.0, 3.0], "mae": [1.5, 1.0], "r2": [0.5, None]}, "bias": [-0.75, 1.0],
    "truth": [[10.0, 30.0, 20.0, None], [1.0, 2.0, 3.0, 4.0]],
    "given": [[12.0, 30.0, 17.5, 1.0], [1.5, 2.0, 3.0, 3.0]],
    "errors": [{"edges": [-3.0, -1.0, 1.0, 3.0], "counts": [1, 1200, 1]},
               {"edges": [-1.0, 0.0, 1.0], "counts": [3, 1]}],
}  # fmt: skip
LABELS = {
    "classes": ["cat", "dog", "owl"], "loss": 0.25, "count": 40, "unsure": 0, "ap": 0.81234, "f1": 0.7,
    "accuracy": 0.525, "samples": [10, 20, 5],
    "each": {"ap": [0.9, 0.5, None], "f1": [0.6, 0.8, 0.0], "precision": [0.75, 1.0, None],
             "recall": [0.5, 0.25, 0.125]},
    "thresholds": [0.25, 0.5, 0.75],
    "f1_at": [[0.5, 0.6, 0.7], [0.9, 0.8, 0.1], [0.0, 0.0, 0.0]],
    "best": [[0.75, 0.7], [0.25, 0.9], [0.5, 0.0]],
}  # fmt: skip
SCRIPT = """build();
{
const said = {}, $ = (words, from = document) => from.querySelector(words);
const $$ = (words, from = document) => [...from.querySelectorAll(words)];
const texts = (nodes) => nodes.map((node) => node.textContent);
const key = (figure, name) => figure.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
const read = (section, keys, what = ".readout") => keys.map((name) => {
  key($(`#${section} svg`), name);
  return $(`#${section} ${what}`).textContent;
});
const point = (figure, node) => {
  const box = node.getBoundingClientRect();
  figure.dispatchEvent(new PointerEvent("pointermove",
    { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true }));
};
const choose = (section, value) => {
  const select = $(`#${section} select`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
};
const press = (section, text) => $$(`#${section} button`).find((b) => b.textContent === text).click();
const rows = (section) => $$(`#${section} tbody tr`).map((row) => texts([...row.children]));
const sorts = (section, names) => names.map((name) => {
  press(section, name);
  const heads = $$(`#${section} th[aria-sort]`).map((th) => `${th.textContent} ${th.ariaSort}`);
  return [rows(section).map((row) => row[0]).join(), heads.join()];
});
said.tiles = $$(".tile").map((tile) => texts([...tile.children]));
said.notes = texts($$("header .note li"));
said.mistakes = $$("#mistakes li").map((li) => [$("img", li)?.alt ?? texts($$("div.truth", li))[0],
  $(".wrong", li).textContent, $("span.truth", li).textContent, texts($$(".odds > span", li)),
  $$(".odds i i", li).map((i) => `${i.className} ${i.style.width}`)]);
said.legends = texts($$("#curves .legend"));
said.compared = rows("compare");
said.measures = texts($$("#compare button"));
THE_TASK
document.title = JSON.stringify(said);
}"""
OF_NUMBERS = """
said.lead = $("#numbers p:not(.hint)").textContent;
said.rows = rows("numbers");
said.sorts = sorts("numbers", ["RMSE", "RMSE", "MAE", "R²", "Bias", "Number"]);
const scattered = $("#scatter svg");
const middle = (c) => [Number(c.getAttribute("cx")), Number(c.getAttribute("cy"))];
said.label = scattered.ariaLabel;
said.start = $("#scatter .readout").textContent;
said.scatter = read("scatter", ["Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "End"]);
const dots = $$("circle.dot", scattered);
said.pointed = dots.map((dot) => { point(scattered, dot); return $("#scatter .readout").textContent; });
said.ring = [middle($("circle:not(.dot)", scattered)), middle(dots.at(-1))];
said.dots = dots.map(middle);
said.side = [$("line[x1][style*=dash]", scattered)].map((line) =>
  ["x1", "y1", "x2", "y2"].map((name) => Number(line.getAttribute(name))))[0];
said.size = dots.map((dot) => dot.getAttribute("r"));
choose("scatter", 1);
said.other = [$("#scatter svg").ariaLabel, ...read("scatter", ["Home", "End"]),
  $$("#scatter circle.dot[r='3.2']").length];
const bars = () => $$("#residuals rect.bin");
said.residuals = [$("#residuals svg").ariaLabel, $("#residuals .readout").textContent,
  ...read("residuals", ["Home", "ArrowRight", "End"])];
said.shaded = bars().map((bar) => bar.style.opacity);
point($("#residuals svg"), bars()[1]);
said.bar = $("#residuals .readout").textContent;
$("#residuals svg").dispatchEvent(new PointerEvent("pointerleave"));
said.unshaded = bars().map((bar) => bar.style.opacity);
said.heights = bars().map((bar) => Number(bar.getAttribute("height")) / 192);
said.lines = $$("#residuals line[style]").map((line) => Number(line.getAttribute("x1")));
said.zero = [bars()[0], bars()[2]].map((bar) => Number(bar.getAttribute("x")));
choose("residuals", 1);
said.second = [$("#residuals svg").ariaLabel, ...read("residuals", ["Home", "End"])];
"""
OF_LABELS = """
said.lead = $("#labels p:not(.hint)").textContent;
said.rows = rows("labels");
said.widths = $$("#labels .meter i i").map((i) => i.style.width);
said.sorts = sorts("labels", ["Average precision", "F1", "Precision", "Recall", "Samples", "Samples",
  "Best threshold → F1", "Label"]);
const curve = () => [$("#thresholds h3").textContent, $("#thresholds .legend").textContent,
  ...read("thresholds", ["Home", "End"], ".legend"), texts($$("#thresholds .strong")).join()];
said.curve = curve();
choose("thresholds", 1);
said.other = curve();
said.axis = texts($$("#thresholds svg text[text-anchor=end]"));
"""


def used(path, task, test, mistakes, script):
    """What was said on the way."""
    runs = [FIRST | {"task": task, "epochs": EPOCHS | mistakes[0]}, SECOND | {"task": "classify"}]
    document = DOCUMENT | {"task": task, "runs": runs, "test": test, "mistakes": mistakes[1]}
    text = page.render(document).replace("build();", SCRIPT.replace("THE_TASK", script))
    path.write_text(text)
    dom, console = browsed(path, "--window-size=1400,900")
    assert console == []
    assert parsed(dom)
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1]))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    table = {"test_rmse": [4.0, 2.0, 3.0], "test_mae": [1.0, 1.0, 1.0], "test_r2": [0.1, 0.2, 0.3]}
    far = [{"index": 1234, "picture": None, "truth": [10.0, None], "given": [12.0, 0.5]},
           {"index": 3, "picture": DOT, "truth": [20.0, 1.0], "given": [17.5, 1.0]}]  # fmt: skip
    place = tmp_path_factory.mktemp("numbers") / "x.html"
    return used(place, "regress", NUMBERS, (table, far), OF_NUMBERS)


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    table = {"test_ap": [0.5, 0.75, 0.7], "test_f1": [0.1, 0.2, 0.3], "test_accuracy": [0.5, 0.5, 0.5]}
    far = [{"index": 1234, "picture": DOT, "truth": [1.0, 0.0, 0.0], "given": [0.25, 0.5, 0.01]},
           {"index": 3, "picture": None, "truth": [0.0, 0.0, 1.0], "given": [0.1, 0.2, 0.05]}]  # fmt: skip
    place = tmp_path_factory.mktemp("labels") / "x.html"
    return used(place, "multilabel", LABELS, (table, far), OF_LABELS)


def test_what_stands_still_of_numbers(numbers):
    assert numbers["tiles"][:3] == [
        ["Test RMSE", "2.5", "4 samples"], ["Best on the way", "2", "epoch 2"], ["R²", "−0.5", "MAE 1.25"],
    ]  # fmt: skip
    assert numbers["notes"][-1] == "2 test samples give NaN; they count as wrong"
    assert numbers["lead"] == "RMSE 2.5, MAE 1.25, R² −0.5 on 4 samples."
    assert numbers["rows"] == [["height", "2", "1.5", "0.5", "−0.75"], ["age", "3", "1", "–", "1"]]
    assert numbers["mistakes"] == [
        ["sample 1,234", "height 12, age 0.5", "in truth height 10, age –", [], []],
        ["Test sample 3", "height 17.5, age 1", "in truth height 20, age 1", [], []],
    ]


def test_what_stands_still_of_labels(labels):
    assert labels["tiles"][:3] == [
        ["Test average precision", "81.23 %", "40 samples"], ["Best on the way", "75.00 %", "epoch 2"],
        ["Macro F1", "70.00 %", "test loss 0.25"],
    ]  # fmt: skip
    assert labels["lead"] == (
        "Mean average precision 81.23 %, macro F1 70.00 %, every label right of 52.50 % of 40 samples."
    )
    assert labels["rows"] == [
        ["cat", "90.0 %", "60.0 %", "75.0 %", "50.0 %", "10 (25 %)", "0.75 → 70.0 %"],
        ["dog", "50.0 %", "80.0 %", "100.0 %", "25.0 %", "20 (50 %)", "0.25 → 90.0 %"],
        ["owl", "–", "0.0 %", "–", "12.5 %", "5 (13 %)", "0.5 → 0.0 %"],
    ]
    assert labels["widths"] == ["90%", "60%", "50%", "80%", "0%", "0%"]


def test_the_labels_that_are_furthest_off_come_first_and_the_true_ones_are_blue(labels):
    assert labels["mistakes"] == [
        ["Test sample 1234", "dog", "in truth cat", ["cat", "25.0 %", "dog", "50.0 %", "owl", "1.0 %"],
         ["true 25%", "said 50%", "said 1%"]],
        ["sample 3", "none", "in truth owl", ["owl", "5.0 %", "dog", "20.0 %", "cat", "10.0 %"],
         ["true 5%", "said 20%", "said 10%"]],
    ]  # fmt: skip


def test_tables_are_sorted_by_the_heading_that_was_pressed_and_what_is_not_known_is_least(numbers, labels):
    assert numbers["sorts"] == [
        ["height,age", "RMSE ascending"], ["age,height", "RMSE descending"], ["age,height", "MAE ascending"],
        ["age,height", "R² ascending"], ["height,age", "Bias ascending"], ["height,age", "Number ascending"],
    ]  # fmt: skip
    assert labels["sorts"] == [
        ["owl,dog,cat", "Average precision ascending"], ["owl,cat,dog", "F1 ascending"],
        ["owl,cat,dog", "Precision ascending"], ["owl,dog,cat", "Recall ascending"],
        ["owl,cat,dog", "Samples ascending"], ["dog,cat,owl", "Samples descending"],
        ["dog,owl,cat", "Best threshold → F1 ascending"], ["cat,dog,owl", "Label ascending"],
    ]  # fmt: skip


def test_the_dots_are_read_out_from_the_least_to_the_greatest(numbers):
    first, second, third = wanted = [
        "True 10, given 12, 2 too much.", "True 20, given 17.5, 2.5 too little.",
        "True 30, given 30, 0 too much.",
    ]  # fmt: skip
    assert numbers["scatter"] == [first, second, third, third, second, third]
    assert numbers["pointed"] == wanted and numbers["ring"][0] == numbers["ring"][1]
    assert numbers["start"].startswith("Point at a dot")
    assert numbers["label"].startswith("What the model gives for height against what is true, 3 samples. ")
    label, low, high, count = numbers["other"]
    assert label.startswith("What the model gives for age against what is true, 4 samples. ") and count == 4
    assert (low, high) == ("True 1, given 1.5, 0.5 too much.", "True 4, given 3, 1 too little.")


def test_the_dots_stand_where_what_is_true_and_what_is_given_are(numbers):
    left, bottom, right, top = numbers["side"]
    pad = 0.04 * 29  # from 1 to 30
    share = lambda value: (value - 1 + pad) / (29 + 2 * pad)  # noqa: E731
    assert numbers["dots"] == [
        pytest.approx((left + share(true) * (right - left), bottom + share(given) * (top - bottom)))
        for true, given in ((10, 12), (20, 17.5), (30, 30))
    ]
    assert (left, top) == (56, 8) and right - left == bottom - top == 460 and set(numbers["size"]) == {"3.2"}


def test_the_bars_of_the_errors_are_read_out(numbers):
    label, start, *bars = numbers["residuals"]
    assert label == "How many samples are given how much too little or too much of height; −0.75 on the mean."
    assert start.startswith("Point at a bar")
    assert bars == [
        "From −3 to −1: 1 samples.", "From −1 to 1: 1,200 samples.", "From 1 to 3: 1 samples."
    ]  # fmt: skip
    assert numbers["shaded"] == ["0.45", "0.45", "1"] and numbers["unshaded"] == ["1", "1", "1"]
    assert numbers["bar"] == bars[1]
    assert numbers["heights"] == pytest.approx([1 / 1200, 1, 1 / 1200])
    first, last = (place - 0.5 for place in numbers["zero"])  # of the bars from -3 on, and from 1 on
    scale = (last - first) / 4
    no_error, mean = first + 3 * scale, first + 2.25 * scale
    assert numbers["lines"] == pytest.approx([no_error, mean])
    assert numbers["second"] == [
        "How many samples are given how much too little or too much of age; 1 on the mean.",
        "From −1 to 0: 3 samples.", "From 0 to 1: 1 samples.",
    ]  # fmt: skip


def test_the_thresholds_are_those_of_the_label_that_was_chosen(labels):
    assert labels["curve"] == [
        "F1 of cat", "cat 70.00 %last values", "cat 50.00 %threshold 0.25", "cat 70.00 %threshold 0.75",
        "best 70.00 % at 0.75",
    ]  # fmt: skip
    assert labels["other"] == [
        "F1 of dog", "dog 10.00 %last values", "dog 90.00 %threshold 0.25", "dog 10.00 %threshold 0.75",
        "best 90.00 % at 0.25",
    ]  # fmt: skip
    assert labels["axis"] == ["20 %", "40 %", "60 %", "80 %"]


def test_the_curves_are_of_the_score_and_of_what_goes_with_it(numbers, labels):
    loss, rate = "training, step by step 0.4training 0.5test 1.25last values", "learning rate 0.01last values"
    assert numbers["legends"] == [loss, "test RMSE 3test MAE 1last values", rate]
    assert labels["legends"] == [loss, "test average precision 70.00 %test macro F1 30.00 %last values", rate]


def test_a_run_of_another_task_has_no_such_score(numbers, labels):
    others = [
        ["Last test loss", "1.25", "2.25"], ["Last training loss", "0.5", "2"], ["Steps", "30", "20"],
        ["Time", "3 min 0 s", "1 min 0 s"], ["lr", "0.1", "0.2"], ["ema", "–", "0.9"],
    ]  # fmt: skip
    assert numbers["compared"] == [["Best test RMSE", "2", "–"], ["Last test RMSE", "3", "–"], *others]
    first = ["Best test average precision", "75.00 %", "–"], ["Last test average precision", "70.00 %", "–"]
    assert labels["compared"] == [*first, *others]
    drawn = ["Test loss", "Training loss", "Learning rate", "Steps", "Minutes"]
    assert numbers["measures"] == ["Test RMSE", *drawn] and labels["measures"][0] == "Test average precision"
