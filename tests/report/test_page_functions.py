"""What the functions of the page's scripts give, in a real browser: numbers as text, axes, sentences."""

import html
import json
import re
from pathlib import Path

import pytest
from dom import CHROMIUM, browsed
from hand_made import DOCUMENT

from cynet.report import page

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip

HELPERS = Path(__file__).with_name("page_helpers.js").read_text()
LINE = "{x: [0, 10], y: [1, 3]}"
SCALE = f"scales([{LINE}], {{floor: 0, start: 0}}, 200, 100)"
LOG = "scales([{x: [0, 10], y: [1, 100, 0]}], {log: true}, 200, 100)"
FLAT = "scales([{x: [3], y: [2]}], {}, 200, 100)"
TEST = "{classes: ['a', 'b'], confusion: [[3, 1], [0, 0]], samples: [4, 0]}"
WANTED = {
    # numbers as text
    "short(null)": "–", "short(0)": "0", "short(0.00012)": "1.2e−4", "short(0.001)": "0.001",
    "short(1234.56)": "1,235", "short(-0.5)": "−0.5", "short(1e6)": "1e6", "short(1234567)": "1.23e6",
    "short(0.00099)": "9.9e−4", "short(0.123456)": "0.1235", "short(100000)": "100,000",
    "whole(1234.5)": "1,235", "percent(0.12345)": "12.3 %", "percent(1, 0)": "100 %", "percent(null)": "–",
    "rate(null)": "–", "rate(0)": "0", "rate(0.0005)": "5e-4", "rate(0.001)": "0.001",
    "rate(0.0123456)": "0.01235", "rate(0.00012345)": "1.23e-4", "asPercent(0.5)": "50.00 %",
    "wholePercent(0.1234)": "12.3 %", "wholePercent(0.5)": "50 %", "capital('test')": "Test",
    # times
    "duration(0.1234)": "0.123 s", "duration(59.94)": "59.9 s", "duration(59.99)": "1 min 0 s",
    "duration(60)": "1 min 0 s", "duration(119.7)": "2 min 0 s", "duration(125)": "2 min 5 s",
    "duration(3599)": "59 min 59 s", "duration(3599.6)": "1 h 0 min", "duration(3600)": "1 h 0 min",
    "duration(7260)": "2 h 1 min", "duration(7319)": "2 h 1 min",
    # axes
    "ticks(0, 1, 5)": [0, 0.2, 0.4, 0.6, 0.8, 1], "ticks(0, 0.7, 5)": [0, 0.2, 0.4, 0.6],
    "ticks(-3, 7, 5)": [-2, 0, 2, 4, 6], "ticks(0, 100, 2)": [0, 50, 100], "ticks(0, 120, 5)": [0, 50, 100],
    "ticks(3, 4, 1)": [3, 4], "ticks(0.1, 0.3, 2)": [0.1, 0.2, 0.3], "ticks(0, 1, 0)": [0, 1],
    "powers(0.001, 1, 8)": [0.001, 0.01, 0.1, 1], "powers(0.5, 20, 8)": [0.5, 1, 2, 5, 10, 20],
    "powers(0.9, 6, 8)": [1, 2, 5], "powers(0.5, 20, 6)": [0.5, 1, 2, 5, 10, 20],
    "powers(0.5, 20, 5)": [1, 10], "powers(300, 5000, 8)": [500, 1000, 2000, 5000],
    f"{SCALE}.values": [0.88, 3.12], f"[0, 5, 10].map({SCALE}.x)": [52, 119, 186],
    f"[0.88, 2, 3.12].map({SCALE}.y)": [76, 43, 10], f"[52, 119].map({SCALE}.back)": [0, 5],
    f"{SCALE}.range": [0, 10], f"{SCALE}.whole": [0, 10], f"[{SCALE}.top, {SCALE}.bottom]": [10, 76],
    "scales([{x: [5, 10], y: [1, 3]}], {start: 0}, 200, 100).whole": [0, 10],
    f"scales([{LINE}], {{ceiling: 3}}, 200, 100).values": [0.88, 3],
    f"{LOG}.values": [1 / 1.12, 112], f"[1 / 1.12, 10, 112, 0].map({LOG}.y)": [76, 43, 10, 76],
    f"{FLAT}.whole": [2, 4], f"{FLAT}.values": [1.88, 2.12], f"[3].map({FLAT}.x)": [119],
    "scales([{x: [0, 1], y: [4]}], {log: true}, 200, 100).values": [2, 8],
    "scales([{x: [0, 1], y: [-1, 1]}], {log: true}, 200, 100).values": [1 / 2, 2],
    "scales([{x: [0, 1], y: [0, 0]}], {log: true}, 200, 100).log": False,
    "scales([{x: [0, 1], y: [5, 5], low: [1, 5], high: [5, 9]}], {}, 200, 100).values": [0.76, 5.24],
    "clipped({high: Array.from({length: 101}, (_, i) => 100 - i)})": [98],
    "clipped({})": [], "clipped({high: [null, 4]})": [4],
    # lines
    "nearest([1, 2, 4, 8], 2.9)": 1, "nearest([1, 2, 4, 8], 3)": 1, "nearest([1, 2, 4, 8], 3.1)": 2,
    "nearest([1, 2, 4, 8], -5)": 0, "nearest([1, 2, 4, 8], 99)": 3, "nearest([5], 9)": 0,
    "nearest([1, 2, 4, 8], 2)": 1,
    "path([0, 10, 20, 30], [1, null, 2, 3])": "M0.0 1.0M20.0 2.0L30.0 3.0",
    "path([0, 10], [1, 2], true)": "M0.0 1.0V2.0H10.0",
    "area([0, 10], [1, 2], [3, 4])": "M0.0 3.0L10.0 4.0L10.0 2.0L0.0 1.0Z",
    "area([0, 5, 10], [1, null, 2], [3, 7, 4])": "M0.0 3.0L10.0 4.0L10.0 2.0L0.0 1.0Z",
    "area([0], [null], [3])": "",
    "last([1, 2, null])": 2, "last(undefined) ?? 'none'": "none", "limits([3, null, 1, 2])": [1, 3],
    # of a run
    "axis({step: [1, 2], seconds: [60, 90]}, true)": [1, 1.5],
    "axis({step: [1, 2], seconds: [60]}, false)": [1, 2],
    "axis({step: [1]}, true)": [], "axis({}, false)": [],
    "hasTimes({epochs: {step: [1, 2], seconds: [1, 2]}, steps: {}})": True,
    "hasTimes({epochs: {step: [1, 2], seconds: [1, null]}, steps: {}})": False,
    "hasTimes({epochs: {step: [1], seconds: [1]}, steps: {step: [1, 2], seconds: [1]}})": False,
    "hasTimes({epochs: {step: [1]}, steps: {}})": False,
    "epochAt({epochs: {step: [10, 20], epoch: [1, 2]}}, 10)": ", epoch 1",
    "epochAt({epochs: {step: [10, 20], epoch: [1, 2]}}, 11)": ", epoch 2",
    "epochAt({epochs: {step: [10, 20], epoch: [1, 2]}}, 21)": "", "epochAt({epochs: {step: [10]}}, 1)": "",
    "best({measure: 'test', epochs: {test_accuracy: [0.2, 0.7, null, 0.7]}})": {"row": 1, "value": 0.7},
    "best({measure: 'validation', epochs: {test_accuracy: [0.2]}})": None,
    # sentences
    f"say(sentence({TEST}, 0, 0))": "3 of 4 pictures of a (75.0 %) are recognised.",
    f"say(sentence({TEST}, 0, 1))": "1 of 4 pictures of a (25.0 %) are taken for b.",
    f"say(sentence({TEST}, 1, 1))": "0 of 0 pictures of b are recognised.",
    "say([trust(0.719, 0.05)]).includes('as sure as it is right')": True,  # its accuracy is 0.7
    "say([trust(0.681, 0.05)]).includes('as sure as it is right')": True,
    "say([trust(0.721, 0.05)]).includes('surer than it is right. Label smoothing')": True,
    "say([trust(0.679, 0.05)]).includes('right more often than it is sure')": True,
    "say([trust(0.5, 0.0512)]).slice(0, 67)":
        "Mean confidence50.0 %Accuracy70.0 %Expected calibration error5.12 %",
    # parts
    "meter([0.25, -1], 'x').querySelectorAll('i > i')[0].style.width": "25%",
    "meter([0.25, -1], 'x').querySelectorAll('i > i')[1].style.width": "0%",
    "meter([0.25, -1], 'x').querySelectorAll('i > i')[1].className": "second",
    "el('p', {title: null, hidden: true, lang: false, id: 'i'}, null, ['a', ['b']], undefined).outerHTML":
        '<p hidden="" id="i">ab</p>',
}  # fmt: skip
WANTED |= {"named(40)": 40, "named(41)": 0}
WIDE = "Array(61).fill(1)"
WANTED |= {
    f"drawn({{x: [0, 10], y: [1, 3], dots: true}}, {SCALE}).map(tag).join()": "path,circle,circle",
    f"drawn({{x: [0, 10], y: [1, 3], low: [1, 1], high: [3, 3]}}, {SCALE}).map(tag).join()": "path,path",
    f"drawn({{x: {WIDE}, y: {WIDE}, dots: true}}, {SCALE}).length": 1,  # too many for dots
    f"flag({{x: 2, y: 2, text: 't'}}, {SCALE}, 200)[1].getAttribute('text-anchor')": "start",
    f"flag({{x: 9, y: 2, text: 't'}}, {SCALE}, 200)[1].getAttribute('text-anchor')": "end",
    f"flag({{x: 9, y: 2, text: 't'}}, {SCALE}, 200)[1].getAttribute('y')": "31",  # above its ring
    f"flag({{x: 9, y: 3.12, text: 't'}}, {SCALE}, 200)[1].getAttribute('y')": "32",  # below it, at the top
}

SIXTY = "Array(60).fill(1)"
BINS = "{error: 0.0512, edges: [0, 0.5, 1], counts: [3, 1], confidence: [0.4, 0.6], accuracy: [0.2, 0.9]}"
CALIBRATED = f"shown({{test: {{...test, calibration: {BINS}}}}}, calibration)"
MATRIX = (
    "{{test: {{...test, classes: {}, confusion: [[999, 1], [0, 10]], samples: [1000, 10], confused: []}}}}"
)
MATRIX, LONG = MATRIX.format("['a', 'b']"), MATRIX.format("['x'.repeat(99), 'y'.repeat(99)]")
RATES = "numbers(shown({{runs: [{{...DATA.runs[0], steps: {{...DATA.runs[0].steps, lr: {}}}}}]}}, curves))"
UNTIMED = "{...DATA.runs[1], epochs: {...DATA.runs[1].epochs, seconds: undefined}}"
UNTIMED = f"shown({{runs: [DATA.runs[0], {UNTIMED}]}}, compare)"
FILTERS = "shown({{filters: {{...DATA.filters, {}}}, missing: {{{}}}}}, filters).textContent"
WANTED |= {
    "table('c', ['a', {text: 'b', number: true}], []).outerHTML": '<table><caption class="visually-hidden">c'
        '</caption><thead><tr><th scope="col">a</th><th scope="col" class="number">b</th></tr></thead>'
        "<tbody></tbody></table>",
    "inside({getBoundingClientRect: () => ({left: 10, top: 20, width: 100, height: 50}), viewBox: "
        "{baseVal: {width: 200, height: 200}}}, {clientX: 60, clientY: 30})": [100, 40],
    # keys: the first one of the arrows shows the first place
    "keyed(['ArrowDown', 'ArrowDown', 'ArrowRight'], 3)": [[0, 3, 4], [True, True, True]],
    "keyed(['ArrowLeft', 'x', 'End', 'ArrowRight', 'Home'], 1)": [[0, 5, 0], [True, False, True, True, True]],
    "spoken()": [[True, False], [False, True]], "focused()": True, "left()": ["last values", "last values"],
    # lines
    f"drawn({{x: {SIXTY}, y: {SIXTY}, dots: true}}, {SCALE}).length": 61,
    f"drawn({{x: [0, 10], y: [1, 30]}}, {SCALE})[0].getAttribute('d')": "M52.0 72.5L186.0 10.0",
    f"drawn({{x: [0, 10], y: [1, 3], thin: true}}, {SCALE})[0].style.opacity": "0.55",
    f"drawn({{x: [0, 10], y: [1, 3]}}, {SCALE})[0].style.opacity": "1",
    "charted([{name: 's', color: 'red', x: [1, 2, 3], y: [1, 5, null]}])":
        ["s <5>last values", "T. s: last <5>. Arrow keys move along it."],
    "charted([{name: 's', color: 'red', x: [1], y: [null]}])": ["no values", None],
    RATES.format("[0.4, 0.2]"): ["0.2", "0.4"], RATES.format("[0.1, 0.001]"): ["0.001", "0.01", "0.1"],
    # two runs
    "dashed()": [False, True],
    f"pressed({UNTIMED}, 'Minutes').querySelector('h3').textContent":
        "Test accuracy (by steps: a run has no times)",
    f"numbers(pressed({UNTIMED}, 'Test loss'), 0).some((text) => text.includes('%'))": False,
    "marked()": [True, True],
    # classes
    f"parts({CALIBRATED}, 'orange')": [[0.2, 0.4], [0.6, 0.9]],
    f"parts({CALIBRATED}, 'blue')": [[0, 0.2], [0, 0.9]], f"heights({CALIBRATED})": [64, 64 / 3],
    f"feet({CALIBRATED})": 1,  # all bars stand on one line
    f"{CALIBRATED}.querySelector('svg').ariaLabel":
        "Accuracy against confidence in 2 bins; expected calibration error 5.1 %.",
    f"read({CALIBRATED}, ['Home'])":
        "0 % to 50 % sure: 3 pictures (75.0 %), of which 20.0 % are right; mean confidence 40.0 %.",
    "[...document.querySelectorAll('#mistakes .odds i i')].map((i) => i.className)": ["said", "true", ""],
    "document.querySelector('#mistakes .what').textContent": "beein truth ant",
    "document.querySelector('#mistakes .wrong').textContent": "bee",
    "document.querySelector('#mistakes img').alt": "Test picture 7: ant, taken for bee",
    "[...document.querySelectorAll('#mistakes .odds > span')].map((s) => s.textContent).join()":
        "bee,90.0 %,ant,8.0 %,cow,2.0 %",
    "shown({mistakes: []}, mistakes).textContent": "Every picture of the test set is recognised.",
    f"shown({MATRIX}, confusion).textContent.includes('None at all.')": True,
    f"cells(shown({MATRIX}, confusion, 400))": ["100", "", "100"],
    f"cells(shown({MATRIX}, confusion))": ["999", "1", "10"],
    f"ring(shown({MATRIX}, confusion))": [0.5, 0.5, "", ""], f"cut(shown({LONG}, confusion))": True,
    # the model
    FILTERS.format("", "before: 'Not known.'") + ".slice(0, 10)": "Not known.",
    FILTERS.format("scale: 0.123456", "") + ".includes('+0.1235 and the darkest −0.1235.')": True,
    FILTERS.format("count: 2", "") + ".includes('The first')": False,
    "numbers(shown({norms: [{...DATA.norms[0], mean: [3, 4, 5, 6, 7]}]}, norms), 0, 'middle')[0]": "0",
    "shown({layers: {...DATA.layers, threads: 2}}, layers).textContent.includes('or, 2 threads.')": True,
}  # fmt: skip


def test_every_function_gives_what_is_wanted(tmp_path):
    script = f"""build();
    const tag = (node) => node.tagName;
    const named = (count) => {{ // how many names stand beside a matrix of so many classes
      const names = Array.from({{ length: count }}, (_, k) => `c${{k}}`);
      const host = el("div", {{ style: "width:1000px" }}), zeros = names.map(() => 0);
      const cells = names.map(() => zeros);
      DATA.test = {{ ...DATA.test, classes: names, confusion: cells, samples: zeros, confused: [] }};
      document.body.append(host);
      confusion(host);
      FIRST.at(-1)();
      return host.querySelectorAll("text[text-anchor=end]").length;
    }};
    {HELPERS}
    const say = (parts) => parts.map((part) => part.textContent ?? part).join("");
    const found = {json.dumps(list(WANTED))}.map((words) => {{
      try {{ return eval(`(${{words}})`); }} catch (error) {{ return `failed: ${{error}}`; }}
    }});
    document.title = JSON.stringify(found);"""
    text = page.render(DOCUMENT).replace("build();", script).replace("script-src", "script-src 'unsafe-eval'")
    (tmp_path / "x.html").write_text(text)
    dom, console = browsed(tmp_path / "x.html")
    assert console == []
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1]))
    found = {words: rounded(value) for words, value in zip(WANTED, found, strict=True)}
    assert found == {words: rounded(value) for words, value in WANTED.items()}


def rounded(value):
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 9) if isinstance(value, float) else value
