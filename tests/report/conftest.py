"""The page of a hand-made document in use, once for all tests that look at it."""

import html
import json
import re

import pytest
from dom import browsed, parsed
from hand_made import DOCUMENT

from cynet.report import page

SCRIPT = """build();
{
const said = {}, $ = (words, from = document) => from.querySelector(words);
const $$ = (words, from = document) => [...from.querySelectorAll(words)];
const key = (figure, name) => figure.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
const press = (section, text) => $$(`#${section} button`).find((b) => b.textContent === text).click();
const chart = (section, i = 0) => $$(`#${section} .chart`)[i];
const legend = (section, i) => $(".legend", chart(section, i)).textContent;
const texts = (nodes) => nodes.map((node) => node.textContent);
const axis = (section, i, anchor) => texts($$(`svg text[text-anchor=${anchor}]`, chart(section, i)));
const read = (section, keys, what = ".readout") => keys.map((name) => {
  key($(`#${section} svg`), name);
  return $(`#${section} ${what}`).textContent;
});
const cells = () => $$("#confusion svg text[text-anchor=middle]").map((t) => t.textContent).join();
const order = () => $$("#classes tbody tr").map((row) => row.firstChild.textContent).join();
const sorted = () => $$("#classes th[aria-sort]").map((th) => `${th.textContent} ${th.ariaSort}`).join();

said.curves = ["Home", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "x"].map((name) => {
  key($("svg", chart("curves")), name);
  return [0, 1, 2].map((i) => legend("curves", i)).join(" | ");
});
$("svg", chart("curves")).dispatchEvent(new Event("blur"));
said.blurred = legend("curves", 1);
said.best = texts($$("#curves .strong")).join();
said.steps = axis("curves", 0, "middle");
press("curves", "Logarithmic");
said.logarithmic = axis("curves", 0, "end");
press("curves", "Linear loss");
said.linear = axis("curves", 0, "end");
press("curves", "Minutes");
said.minutes = axis("curves", 0, "middle");
key($("svg", chart("curves")), "Home");
said.time = legend("curves", 0);
said.pressed = $$("#curves [aria-pressed=true]").map((b) => b.textContent);
said.rates = axis("curves", 2, "end");

said.start = $("#confusion .readout").textContent;
said.confusion = read("confusion",
  ["Home", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowUp", "End"]);
said.counts = cells();
press("confusion", "% of the label");
said.shares = cells();
said.kept = $("#confusion .readout").textContent;

said.classes = [[order(), sorted()]];
for (const name of ["Recall", "Recall", "Precision", "Pictures", "Pictures", "Class", "Class"]) {
  press("classes", name);
  said.classes.push([order(), sorted()]);
}
said.calibration = read("calibration", ["Home", "ArrowRight"]);
said.shaded = $$("#calibration .bin").map((bin) => bin.style.opacity);
said.norms = read("norms", ["Home", "ArrowDown"]);
said.boxes = $$("#norms h3 + p").map((p) => p.textContent);
said.widths = $$("#layers .meter i i").map((i) => i.style.width);

said.compared = legend("compare", 0);
const results = () => $$("#compare tbody tr").map((row) => texts([...row.children]).join(" "));
said.results = results();
for (const name of ["Test loss", "Training loss", "Learning rate", "Minutes"]) {
  press("compare", name);
  said[`compare ${name}`] = `${$("#compare h3").textContent} ${legend("compare", 0)}`;
}
key($("svg", chart("compare")), "Home");
said.after = legend("compare", 0);
$("#run-1").value = "0";
$("#run-1").dispatchEvent(new Event("change"));
said.same = $("#compare .halves").textContent;

// a pointer: at the middle of what is drawn there
const point = (figure, node, name = "pointermove") => {
  const box = node.getBoundingClientRect();
  figure.dispatchEvent(new PointerEvent(name,
    { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true }));
};
const matrix = $("#confusion svg"), at = $("#confusion .readout"), drawn = $$(".cell", matrix);
said.pointed = [[1, "pointermove"], [8, "pointerdown"], [3, "pointermove"]].map(([k, name]) => {
  point(matrix, drawn[k], name);
  return at.textContent;
});
point(matrix, $$("text[text-anchor=end]", matrix)[0]); // a name beside it: nothing new
said.beside = at.textContent;
const bins = $("#calibration svg"), boxes = $("#norms svg");
said.bins = $$(".bin", bins).map((bin) => {
  point(bins, bin.lastChild);
  return $("#calibration .readout").textContent;
});
bins.dispatchEvent(new PointerEvent("pointerleave"));
said.unshaded = $$(".bin", bins).map((bin) => bin.style.opacity);
said.layers = $$(".box", boxes).map((box) => { point(boxes, box); return $("#norms .readout").textContent; });
press("curves", "Steps");
const curve = $("svg", chart("curves", 1));
said.dots = $$("circle:not([r='6'])", curve).slice(3, 6).map((dot) => {
  point(curve, dot);
  return [legend("curves", 1), $$("g circle", curve).length, $$("g line", curve).length];
});
curve.dispatchEvent(new PointerEvent("pointerleave"));
said.left = [legend("curves", 1), $$("g circle", curve).length];
document.title = JSON.stringify(said);
}"""


@pytest.fixture(scope="session")
def used(tmp_path_factory):
    """(what was said on the way, the page)"""
    path = tmp_path_factory.mktemp("used") / "used.html"
    path.write_text(page.render(DOCUMENT).replace("build();", SCRIPT))
    dom, console = browsed(path, "--window-size=1400,900")
    assert console == []
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])), parsed(dom)
