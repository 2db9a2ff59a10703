// Numbers of axes, and the behaviour that figures share.
function duration(seconds) {
  if (seconds < 59.95) return `${Number(seconds.toPrecision(3))} s`;
  const rounded = Math.round(seconds), minutes = Math.floor(rounded / 60);
  return minutes < 60 ? `${minutes} min ${rounded % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
// Round places from low to high, at most `count` of them, and how many digits they need.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}
// Places of a logarithmic axis: 1, 2 and 5 times each power of ten, or the powers alone where that is too many.
function powers(low, high, count) {
  const places = (factors) => {
    const found = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) {
      found.push(...factors.map((n) => Number((n * 10 ** p).toPrecision(6))));
    }
    return found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  };
  const fine = places([1, 2, 5]);
  return fine.length > count ? places([1]) : fine;
}

// -- parts of the page
// Draws anew whenever the width of its place changes; the first time when it has one.
const FIRST = []; // what draws each figure once the page stands, whenever a frame may come
function redrawn(place, draw) {
  let width = 0;
  const fit = () => {
    const now = Math.floor(place.clientWidth);
    if (now && now !== width) draw((width = now));
  };
  FIRST.push(fit);
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(place); // later: what is drawn here changes sizes itself
  return () => width && draw(width);
}
function table(caption, heads, rows) {
  const head = heads.map((h) => el("th", { scope: "col", class: h.number ? "number" : null }, h.text ?? h));
  return el("table", {}, el("caption", { class: "visually-hidden" }, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}
const wide = (label, child) => el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, child);
const meter = (parts, text) => el("div", { class: "meter" }, el("span", {}, text), el("i", { "aria-hidden": "true" },
  parts.map((part, i) => el("i", { class: i ? "second" : null, style: `width:${Math.max(0, part * 100)}%` }))));

// Arrow keys move through `count` places of a figure (of `columns` columns); a pointer chooses one by `find`.
function explore(figure, { count, columns = 1, find, show }) {
  let at = -1;
  const go = (to) => { if (to >= 0 && to < count) show((at = to)); };
  figure.addEventListener("pointermove", (event) => { const to = find(event); if (to !== at && to >= 0) go(to); });
  figure.addEventListener("pointerdown", (event) => go(find(event)));
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Home") go(0);
    else if (event.key === "End") go(count - 1);
    else if (step) go(at < 0 ? 0 : at + step);
    else return;
    event.preventDefault();
  });
}
// The place of a pointer in the units of an SVG's drawing.
function inside(figure, event) {
  const box = figure.getBoundingClientRect(), view = figure.viewBox.baseVal;
  return [((event.clientX - box.left) * view.width) / box.width, ((event.clientY - box.top) * view.height) / box.height];
}
