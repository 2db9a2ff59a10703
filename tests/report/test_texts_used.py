"""The sections of a run on a text in use, in a real browser: colours, titles, keys, hostile texts."""

import html
import json
import re

import pytest
from dom import CHROMIUM, browsed, parsed
from hand_made import DOCUMENT, FIRST

from cynet.report import page

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
GIVEN = [None, 0.95, 0.9, 0.6, 0.5, 0.25, 0.2, 0.06, 0.05, 0.02, 0.01, 0.009, 0.00001, 0.0]
# over 90 %, then the lowest of each as well: 0.9 is no more than 90 %, 0.5 is 50 %
RANKS = [None, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]
LETTERS = ["a", "b", " ", "↵\n", "<", "&", "é", "\u05d0", "h", "i", "j", "k", "l", HOSTILE]
CALLED = ["“a”", "“b”", "space", "line end", "“<”", *(f"“{letter}”" for letter in LETTERS[5:])]
TOKENS = [
    [shown, called, p, [] if p is None else [["“e”", 0.5], ["space", p]]]
    for shown, called, p in zip(LETTERS, CALLED, GIVEN, strict=True)
]
EPOCHS = {name: values for name, values in FIRST["epochs"].items() if not name.endswith("_accuracy")}
RUN = FIRST | {"task": "language", "epochs": EPOCHS | {
    "test_perplexity": [12.1825, 4.4817, 3.4903], "test_accuracy": [0.2, 0.7, 0.6]}}  # fmt: skip
SAMPLES = [
    {"step": 10, "epoch": 1, "prompt": "other\n", "max": "the the", "sample": HOSTILE, "beam": "a\nb"},
    {"step": 20, "epoch": 2, "prompt": "To be", "max": "m2", "sample": "s2", "beam": "b2"},
    {"step": 30, "epoch": 3, "prompt": "To be", "max": "m3", "sample": "s3", "beam": "  b3"},
]
TEXT = DOCUMENT | {
    "task": "language", "runs": [RUN], "mistakes": None, "filters": None, "norms": [], "samples": SAMPLES,
    "test": {"count": 1234, "unsure": 0, "loss": 1.25, "perplexity": 3.4903, "accuracy": 0.6},
    "passage": {"level": "character", "bits": 2.0, "tokens": TOKENS},
}  # fmt: skip
SCRIPT = """build();
{
const said = {}, $ = (words, from = document) => from.querySelector(words);
const $$ = (words, from = document) => [...from.querySelectorAll(words)];
const texts = (nodes) => nodes.map((node) => node.textContent);
const strip = $(".strip"), spans = $$("span", strip), readout = () => $("#passage .readout").textContent;
const key = (name) => {
  strip.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  return [readout(), spans.map((span) => span.classList.contains("at")).indexOf(true)];
};
said.start = readout();
said.label = [strip.getAttribute("role"), strip.tabIndex, strip.ariaLabel];
said.ranks = spans.map((span) => span.className);
said.titles = spans.map((span) => span.title);
said.shown = texts(spans);
said.legend = texts($$("#passage .legend > span"));
said.keys = ["Home", "ArrowRight", "ArrowRight", "End", "ArrowLeft", "ArrowRight", "ArrowRight"].map(key);
spans[5].dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
said.pointed = readout();
strip.dispatchEvent(new PointerEvent("pointermove", { bubbles: true })); // between them: nothing new
said.between = readout();
strip.dispatchEvent(new PointerEvent("pointerleave"));
said.left = $$(".at", strip).length;
said.mean = texts($$("#passage .hint")).at(-1);
const color = (node) => getComputedStyle(node).backgroundColor;
const keys = $$("#passage .legend .swatch").map(color);
said.coloured = RANKS.map((k, i) => color(spans[i]) === (k === null ? "rgba(0, 0, 0, 0)" : keys[k]));
said.different = new Set(keys).size;
said.underlined = spans.map((span) => getComputedStyle(span).textDecorationLine === "underline");
said.prompt = $("#samples .prompt").textContent;
said.rows = $$("#samples tbody tr").map((row) => texts([...row.children]));
said.heads = texts($$("#samples thead th"));
said.kept = getComputedStyle($("#samples td")).whiteSpace;
said.layers = $("#layers .hint").textContent;
said.tiles = $$(".tile").map((tile) => texts([...tile.children]));
said.images = $$("img").length;
document.title = JSON.stringify(said);
}""".replace("RANKS", json.dumps(RANKS))


def said_of(document, path):
    path.write_text(page.render(document).replace("build();", SCRIPT))
    dom, console = browsed(path, "--window-size=1400,900")
    assert console == []
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])), parsed(dom)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    return said_of(TEXT, tmp_path_factory.mktemp("used") / "used.html")[0]


def test_each_character_has_the_colour_of_its_probability(used):
    assert used["ranks"] == ["" if rank is None else f"p{rank}" for rank in RANKS]
    assert all(used["coloured"]) and used["different"] == 6
    assert used["underlined"] == [rank == 5 for rank in RANKS]  # for eyes and prints without colours
    assert used["shown"] == LETTERS


def test_the_legend_has_numbers(used):
    assert used["legend"] == [
        "over 90 %: 8 %", "50 to 90 %: 23 %", "20 to 50 %: 15 %", "5 to 20 %: 15 %", "1 to 5 %: 15 %",
        "under 1 %: 23 %",
    ]  # fmt: skip
    assert used["mean"] == "On the mean 2 bits a character of this passage: a perplexity of 4."


def test_the_probability_of_each_can_be_read(used):
    odds = ["95.0 %", "90.0 %", "60.0 %", "50.0 %", "25.0 %", "20.0 %", "6.0 %", "5.0 %", "2.0 %", "1.0 %",
            "0.9 %", "under 0.01 %", "0 %"]  # fmt: skip
    assert used["titles"] == ["“a”: the first, from nothing"] + [
        f"{called}: {value}" for called, value in zip(CALLED[1:], odds, strict=True)
    ]
    assert used["start"] == "Point at a character, or move along with the arrow keys."
    words = (
        "The first 14 characters of the text for testing, each but the very first coloured by the probability"
    )
    assert used["label"] == ["img", 0, f"{words} that the model gave it. {used['start']}"]


def test_keys_and_a_pointer_read_it_out(used):
    first = ["“a” is the first character: nothing goes before it.", 0]
    second = ["“b” was given 95.0 %, 0.074 bits; likeliest: “e” 50.0 %, space 95.0 %.", 1]
    space = ["space was given 90.0 %, 0.152 bits; likeliest: “e” 50.0 %, space 90.0 %.", 2]
    last = [f"“{HOSTILE}” was given 0 %; likeliest: “e” 50.0 %, space 0 %.", 13]
    before = ["“l” was given under 0.01 %, 16.61 bits; likeliest: “e” 50.0 %, space under 0.01 %.", 12]
    assert used["keys"] == [first, second, space, last, before, last, last]
    assert used["pointed"] == used["between"] and used["pointed"].startswith("“&” was given 25.0 %, 2 bits")
    assert used["left"] == 0


def test_samples_stand_side_by_side_with_the_perplexity_of_their_epoch(used):
    assert used["heads"] == ["Epoch", "max", "sample", "beam"] and used["prompt"] == "To be"
    assert used["rows"] == [
        ["1step 10perplexity 12.18after another prompt: other\n", "the the", HOSTILE, "a\nb"],
        ["2step 20perplexity 4.482", "m2", "s2", "b2"],
        ["3step 30perplexity 3.49", "m3", "s3", "  b3"],
    ]
    assert used["kept"].startswith("pre-wrap") or used["kept"] == "break-spaces"


def test_a_text_makes_no_elements_and_runs_nothing(used):
    assert used["images"] == 0  # and the title is what the script above wrote


def test_the_page_speaks_of_sequences_and_tokens(used):
    assert used["layers"].startswith(
        "Milliseconds of a training step over 128 sequences, each layer by itself"
    )
    tiles = {label: [value, more] for label, value, more in used["tiles"]}
    assert tiles["Test perplexity"] == ["3.49", "1,234 tokens"]
    assert tiles["Parameters"][1] == "2.5 million MACs a sequence"


def test_words_stand_apart_and_what_is_missing_says_why(tmp_path):
    words = [["the", "“the”", None, []], ["<unk>", "an unknown word", 0.4, [["“the”", 0.6]]]]
    other = TEXT | {"passage": {"level": "word", "bits": None, "tokens": words}, "samples": None,
                    "missing": {"samples": "There are none."}}  # fmt: skip
    (tmp_path / "x.html").write_text(page.render(other))
    dom, console = browsed(tmp_path / "x.html")
    shown = parsed(dom)
    assert console == []
    passage = shown.one("section", id="passage")
    assert [node.text for node in passage.all("div", class_="strip")] == ["the <unk> "]
    assert "A word of this passage was given no probability at all." in passage.text
    assert "<unk> is" not in shown.text
    assert shown.one("section", id="samples").all("p")[0].text == "There are none."
    (tmp_path / "y.html").write_text(page.render(other | {"passage": None, "missing": {"test": "No text."}}))
    assert "No text." in parsed(browsed(tmp_path / "y.html")[0]).one("section", id="passage").text


def test_the_unknown_token_is_explained_below_what_has_it(tmp_path):
    words = [["the", "“the”", None, []], ["<unk>", "an unknown word", 0.4, [["“the”", 0.6]]]]
    unknown = {"shown": "<unk>", "means": "what is rare.", "written": " So it is."}
    rows = [{"step": 10, "epoch": 1, "prompt": "the", "max": "the", "sample": "the <unk>", "beam": "the"}]
    found = []
    for passage, samples in ((words, SAMPLES), (words[:1], rows), (words[:1], SAMPLES)):
        other = {"passage": {"level": "word", "bits": 1.0, "tokens": passage}, "samples": samples}
        (tmp_path / "x.html").write_text(page.render(TEXT | other | {"unknown": unknown}))
        shown = parsed(browsed(tmp_path / "x.html")[0])
        sections = [shown.one("section", id=name).text for name in ("passage", "samples")]
        found.append(["<unk> is what is rare." in text for text in sections])
        assert ["So it is." in text for text in sections] == [False, found[-1][1]]
    assert found == [[True, False], [False, True], [False, False]]
