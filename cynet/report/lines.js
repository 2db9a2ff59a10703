// Line charts. A legend above each shows the values at the cursor, or the last ones; charts of a group share it.
const MARGIN = { left: 52, right: 14, top: 10, bottom: 24 };

function nearest(values, x) {
  let low = 0, high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle;
    else high = middle;
  }
  return Math.abs(values[low] - x) <= Math.abs(values[high] - x) ? low : high;
}
function path(xs, ys, stairs) {
  let text = "", open = false;
  ys.forEach((y, i) => {
    if (!known(y)) { open = false; return; }
    text += open ? (stairs ? `V${y.toFixed(1)}H${xs[i].toFixed(1)}` : `L${xs[i].toFixed(1)} ${y.toFixed(1)}`) : `M${xs[i].toFixed(1)} ${y.toFixed(1)}`;
    open = true;
  });
  return text;
}
function area(xs, low, high) {
  const kept = xs.map((x, i) => [x, low[i], high[i]]).filter(([, a, b]) => known(a) && known(b));
  const text = ([x, , b]) => `${x.toFixed(1)} ${b.toFixed(1)}`, back = ([x, a]) => `${x.toFixed(1)} ${a.toFixed(1)}`;
  return kept.length ? `M${kept.map(text).join("L")}L${kept.reverse().map(back).join("L")}Z` : "";
}

// series: {name, color, x, y, low?, high?, thin?, stairs?, dots?}; options: {title, format, axis, log, floor, ceiling, at}
function lineChart(group, title, options) {
  const place = el("div", { class: "plot" }), legend = el("div", { class: "legend" });
  const chart = el("div", { class: "chart" }, el("h3", {}, title), legend, place);
  let series = [], settings = options, scale = null, marks = null, figure = null;

  function draw(width) {
    const shown = series.filter((s) => s.x.length && s.y.some(known));
    const focused = figure === document.activeElement;
    place.replaceChildren();
    if (!shown.length) { legend.replaceChildren("no values"); scale = null; return; }
    const height = settings.height ?? Math.round(Math.min(280, Math.max(190, width * 0.42)));
    scale = scales(shown, settings, width, height);
    figure = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0",
      "aria-label": `${title}. ${shown.map((s) => `${s.name}: last ${settings.format(last(s.y))}`).join("; ")}. Arrow keys move along it.` });
    frame(figure, scale, settings, width, height);
    for (const s of shown) figure.append(...drawn(s, scale));
    for (const mark of settings.marks?.() ?? []) figure.append(...flag(mark, scale, width));
    marks = svg("g", { "aria-hidden": "true" });
    figure.append(marks);
    place.append(figure);
    const all = [...new Set(shown.flatMap((s) => s.x))].sort((a, b) => a - b);
    const find = (event) => nearest(all, scale.back(inside(figure, event)[0]));
    explore(figure, { count: all.length, find, show: (i) => group.forEach((each) => each.mark(all[i], each === self)) });
    figure.addEventListener("pointerleave", () => group.forEach((each) => each.mark(null)));
    figure.addEventListener("blur", () => group.forEach((each) => each.mark(null)));
    if (focused) figure.focus();
    mark(null);
  }
  function mark(x, spoken) {
    if (!scale) return;
    const shown = series.filter((s) => s.x.length && s.y.some(known));
    legend.toggleAttribute("aria-live", Boolean(spoken));
    if (spoken) legend.setAttribute("aria-live", "polite");
    const [low, high] = scale.range, near = x === null ? null : Math.min(high, Math.max(low, x));
    const items = shown.map((s) => {
      const i = near === null ? s.y.findLastIndex(known) : nearest(s.x, near);
      return { s, i, value: s.y[i] };
    });
    marks.replaceChildren();
    if (near !== null) {
      const at = scale.x(near);
      marks.append(svg("line", { class: "cross", x1: at, x2: at, y1: scale.top, y2: scale.bottom }));
      for (const { s, i, value } of items) {
        if (known(value)) marks.append(svg("circle", { cx: scale.x(s.x[i]), cy: scale.y(value), r: 4.5, style: `fill:${s.color};stroke:var(--card);stroke-width:2` }));
      }
    }
    legend.replaceChildren(...items.map(({ s, value }) => el("span", {}, el("span", { class: `key${s.thin ? " thin" : ""}`, style: `border-color:${s.color}` }),
      `${s.name} `, el("b", {}, settings.format(value)))), el("span", { class: "at" }, near === null ? "last values" : settings.at(near)));
  }
  const again = redrawn(place, draw);
  const self = { chart, mark, set(changed, more = {}) { series = changed; settings = { ...settings, ...more }; again(); } };
  group.push(self);
  return self;
}

function scales(shown, settings, width, height) {
  const [x0, x1] = limits(shown.flatMap((s) => s.x));
  const spread = settings.log ? shown.flatMap((s) => s.y) : shown.flatMap((s) => [...s.y, ...(s.low ?? []), ...clipped(s)]);
  let [y0, y1] = limits(spread.filter((v) => !settings.log || v > 0));
  const log = settings.log && y0 > 0 && y0 < Infinity;
  if (log) [y0, y1] = y0 === y1 ? [y0 / 2, y1 * 2] : [y0 / 1.12, y1 * 1.12];
  else {
    const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.06;
    y0 = Math.max(settings.floor ?? -Infinity, y0 - pad);
    y1 = Math.min(settings.ceiling ?? Infinity, y1 + pad);
  }
  const left = x0 === x1 ? x0 - 1 : Math.min(x0, settings.start ?? x0), right = x0 === x1 ? x1 + 1 : x1;
  const { left: l, right: r, top, bottom } = MARGIN, f = log ? Math.log10 : (v) => v;
  const x = (v) => l + ((v - left) / (right - left)) * (width - l - r);
  const y = (v) => height - bottom - ((f(Math.max(v, log ? y0 : -Infinity)) - f(y0)) / (f(y1) - f(y0))) * (height - top - bottom);
  return { x, y, back: (at) => left + ((at - l) / (width - l - r)) * (right - left), range: [x0, x1], whole: [left, right],
    values: [y0, y1], log, top, bottom: height - bottom };
}
// The greatest values of a band without its few highest, which would press all else flat.
function clipped(s) {
  const high = (s.high ?? []).filter(known).sort((a, b) => a - b);
  return high.length ? [high[Math.floor((high.length - 1) * 0.985)]] : [];
}
function frame(figure, scale, settings, width, height) {
  const [y0, y1] = scale.values, [x0, x1] = scale.whole;
  for (const value of scale.log ? powers(y0, y1, height < 150 ? 4 : 8) : ticks(y0, y1, height < 150 ? 2 : 5)) {
    const at = scale.y(value);
    figure.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }),
      svg("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end" }, (settings.axis ?? short)(value)));
  }
  for (const value of ticks(x0, x1, Math.max(2, Math.floor(width / 110)))) {
    const at = scale.x(value), end = at > width - 30 ? "end" : "middle";
    figure.append(svg("line", { class: "axis", x1: at, x2: at, y1: scale.bottom, y2: scale.bottom + 4 }),
      svg("text", { x: end === "end" ? width - 2 : at, y: height - 6, "text-anchor": end }, short(value)));
  }
  figure.append(svg("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: scale.bottom, y2: scale.bottom }));
}
function drawn(s, scale) {
  const xs = s.x.map(scale.x), found = [], place = (values) => values.map((v) => (known(v) ? Math.max(scale.top, scale.y(v)) : v));
  if (s.low && s.high) found.push(svg("path", { d: area(xs, place(s.low), place(s.high)), style: `fill:${s.color};opacity:.13` }));
  found.push(svg("path", { class: "line", d: path(xs, place(s.y), s.stairs), fill: "none", "stroke-linejoin": "round",
    style: `stroke:${s.color};stroke-width:${s.thin ? 1.3 : 2.2};opacity:${s.thin ? 0.55 : 1}${s.dash ? ";stroke-dasharray:6 4" : ""}` }));
  if (s.dots && s.x.length <= 60) {
    s.y.forEach((y, i) => known(y) && found.push(svg("circle", { cx: xs[i], cy: scale.y(y), r: 2.6, style: `fill:${s.color}` })));
  }
  return found;
}
// A ring with words at a point.
function flag({ x, y, text }, scale, width) {
  const at = scale.x(x), high = scale.y(y), left = at > width / 2;
  const above = high - 12 > scale.top + 8;
  return [svg("circle", { cx: at, cy: high, r: 6, fill: "none", style: "stroke:var(--ink);stroke-width:1.6" }),
    svg("text", { class: "strong", x: at + (left ? -6 : 6), y: above ? high - 12 : high + 22, "text-anchor": left ? "end" : "start" }, text)];
}
