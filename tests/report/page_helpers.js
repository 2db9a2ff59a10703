// What test_page_functions.py calls on a page: sections of changed documents, and what is read of them.
const test = DATA.test;
const shown = (changes, draw, width = 1000) => { // a section of a changed document
  const before = { ...DATA }, host = el("div", { style: `width:${width}px` }), count = FIRST.length;
  Object.assign(DATA, changes);
  document.body.append(host);
  try { draw(host); FIRST.slice(count).forEach((fit) => fit()); } finally { Object.assign(DATA, before); }
  return host;
};
const press = (figure, key) => figure.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
const pressed = (host, text) => {
  [...host.querySelectorAll("button")].find((b) => b.textContent === text).click();
  return host;
};
const keyed = (keys, columns) => { // the places shown, and whether each key was taken
  const seen = [], figure = el("div");
  explore(figure, { count: 6, columns, find: () => -1, show: (i) => seen.push(i) });
  return [seen, keys.map((key) => !press(figure, key))];
};
const charts = () => [...document.querySelectorAll("#curves .chart")];
const spoken = () => [0, 1].map((k) => {
  press(charts()[k].querySelector("svg"), "Home");
  return charts().slice(0, 2).map((chart) => chart.querySelector(".legend").hasAttribute("aria-live"));
});
const focused = () => {
  charts()[0].querySelector("svg").focus();
  pressed(document.getElementById("curves"), "Logarithmic");
  return document.activeElement === charts()[0].querySelector("svg");
};
const left = () => {
  press(charts()[0].querySelector("svg"), "Home");
  charts()[0].querySelector("svg").dispatchEvent(new PointerEvent("pointerleave"));
  return charts().slice(0, 2).map((chart) => chart.querySelector(".at").textContent);
};
const charted = (series) => {
  const chart = lineChart([], "T", { format: (v) => `<${v}>`, at: String });
  const host = shown({}, (host) => { host.append(chart.chart); chart.set(series); });
  FIRST.at(-1)();
  return [host.querySelector(".legend").textContent, host.querySelector("svg")?.ariaLabel ?? null];
};
const numbers = (host, k = 2, anchor = "end") =>
  [...[...host.querySelectorAll(".chart, .plot")].filter((e) => e.className === "chart" || !e.closest(".chart"))[k]
    .querySelectorAll(`text[text-anchor=${anchor}]`)].filter((t) => anchor !== "end" || t.getAttribute("x") === "44").map((t) => t.textContent);
const marked = () => ["Steps", "Minutes"].map((text) => { // the ring stands around a dot
  const all = [...pressed(document.getElementById("curves"), text).querySelectorAll(".chart")[1].querySelectorAll("circle")];
  const at = (circle) => `${Number(circle.getAttribute("cx")).toFixed(1)}`, ring = all.find((c) => c.getAttribute("r") === "6");
  return all.some((c) => c !== ring && at(c) === at(ring));
});
const parts = (host, color) => { // [from, to] of each bar
  const line = [...host.querySelectorAll("line")].find((l) => (l.getAttribute("style") ?? "").includes("dash"));
  const number = (node, name) => Number(node.getAttribute(name)), zero = number(line, "y1"), whole = zero - number(line, "y2");
  const part = (y) => Number(((zero - y) / whole).toFixed(6));
  return [...host.querySelectorAll("svg rect")].filter((r) => r.getAttribute("style").includes(color))
    .map((r) => [part(number(r, "y") + number(r, "height")), part(number(r, "y"))]);
};
const read = (host, keys) => {
  keys.forEach((key) => press(host.querySelector("svg"), key));
  return host.querySelector(".readout").textContent;
};
const cells = (host) => [...host.querySelectorAll("svg text[text-anchor=middle]")].map((t) => t.textContent);
const ring = (host) => { // how far it is from the cell that keys led to; whether it is seen, also drawn anew
  read(host, ["Home", "ArrowRight"]);
  const found = () => host.querySelector("svg > rect:last-child"), cell = host.querySelectorAll(".cell")[1];
  const apart = ["x", "y"].map((name) => cell.getAttribute(name) - found().getAttribute(name));
  const seen = found().style.display;
  pressed(host, "% of the label");
  return [...apart, seen, found().style.display];
};
const cut = (host) => [...host.querySelectorAll("svg text[text-anchor=end]")].every((t) =>
  t.textContent.endsWith("…") && t.textContent.length === Math.floor((Number(t.getAttribute("x")) - 2) / 6.4));
const dashed = () => [...document.querySelectorAll("#compare path.line")].map((p) => p.getAttribute("style").includes("dash"));
const heights = (host) => [...host.querySelectorAll(".bin > :last-child")].map((bar) => Number(bar.getAttribute("height")));
const feet = (host) => new Set([...host.querySelectorAll(".bin > :last-child")].map((bar) =>
  (Number(bar.getAttribute("y")) + Number(bar.getAttribute("height"))).toFixed(3))).size;
