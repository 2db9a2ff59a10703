// What the test set tells of several labels, or of numbers: each of them, thresholds, what was given for what.
const TASK = DATA.task ?? "classify";

// A choice among names in a list, where there is more than one.
function picker(label, names, change) {
  if (names.length < 2) return null;
  return el("label", {}, `${label} `, el("select", { onchange: (event) => change(Number(event.target.value)) },
    names.map((name, k) => el("option", { value: k }, name))));
}

// A table whose columns sort by their heads; rows: cells by name, keys: what they are sorted by.
function sortable(label, heads, names, rows, keys) {
  const body = el("tbody", {}, rows);
  const columns = heads.map((text, c) => el("th", { scope: "col", class: c ? "number" : null, "aria-sort": c ? null : "ascending" },
    el("button", { type: "button", onclick: () => sort(c) }, text)));
  function sort(c) {
    const again = columns[c].getAttribute("aria-sort") === "ascending", sign = again ? -1 : 1;
    const of = (k) => (keys[c] ? keys[c][k] ?? -Infinity : k); // what is not known is least
    columns.forEach((column, k) => (k === c ? column.setAttribute("aria-sort", again ? "descending" : "ascending") : column.removeAttribute("aria-sort")));
    body.append(...names.map((_, k) => k).sort((a, b) => sign * (of(a) - of(b)) || a - b).map((k) => rows[k]));
  }
  return wide(label, el("table", {}, el("caption", { class: "visually-hidden" }, label), el("thead", {}, el("tr", {}, columns)), body));
}

function perLabel(host) {
  const { classes, each, samples, best, count, ap, f1, accuracy } = DATA.test;
  const rows = classes.map((name, k) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, meter([each.ap[k] ?? 0], percent(each.ap[k]))),
    el("td", {}, meter([each.f1[k] ?? 0], percent(each.f1[k]))), [each.precision[k], each.recall[k]].map((v) => el("td", { class: "number" }, percent(v))),
    el("td", { class: "number" }, `${whole(samples[k])} (${percent(samples[k] / count, 0)})`), el("td", { class: "number" }, `${short(best[k][0])} → ${percent(best[k][1])}`)));
  host.append(el("p", {}, "Mean average precision ", el("b", {}, percent(ap, 2)), ", macro F1 ", el("b", {}, percent(f1, 2)), ", every label right of ",
    el("b", {}, percent(accuracy, 2)), ` of ${whole(count)} samples.`),
  sortable("Each label", ["Label", "Average precision", "F1", "Precision", "Recall", "Samples", "Best threshold → F1"], classes, rows,
    [null, each.ap, each.f1, each.precision, each.recall, samples, best.map((pair) => pair[0])]));
}

function thresholds(host) {
  const { classes, thresholds: places, f1_at: curves, best } = DATA.test, group = [];
  const chart = lineChart(group, "", { format: asPercent, axis: wholePercent, at: (x) => `threshold ${short(x)}`, floor: 0, ceiling: 1 });
  function draw(k) {
    chart.chart.querySelector("h3").textContent = `F1 of ${classes[k]}`;
    chart.set([{ name: classes[k], color: COLORS[0], x: places, y: curves[k] }], { start: 0,
      marks: () => [{ x: best[k][0], y: best[k][1], text: `best ${asPercent(best[k][1])} at ${short(best[k][0])}` }] });
  }
  const select = picker("Label", classes, draw);
  host.append(...[select && el("div", { class: "bar-line" }, select), chart.chart].filter(Boolean));
  draw(0);
}

function perNumber(host) {
  const { classes, each, bias, count, rmse, mae, r2 } = DATA.test;
  const rows = classes.map((name, k) => el("tr", {}, el("th", { scope: "row" }, name),
    [each.rmse[k], each.mae[k], each.r2[k], bias[k]].map((v) => el("td", { class: "number" }, short(v)))));
  host.append(el("p", {}, "RMSE ", el("b", {}, short(rmse)), ", MAE ", el("b", {}, short(mae)), ", R² ", el("b", {}, short(r2)), ` on ${whole(count)} samples.`),
    sortable("Each number", ["Number", "RMSE", "MAE", "R²", "Bias"], classes, rows, [null, each.rmse, each.mae, each.r2, bias]));
}

function scatter(host) {
  const { classes, truth, given } = DATA.test, readout = el("p", { class: "readout", "aria-live": "polite" }), place = el("div", { class: "plot" });
  const start = "Point at a dot, or move from the least to the greatest with the arrow keys.";
  let which = 0;
  const again = redrawn(place, (width) => {
    const xs = truth[which], ys = given[which], order = xs.map((_, i) => i).filter((i) => known(xs[i]) && known(ys[i])).sort((a, b) => xs[a] - xs[b]);
    readout.textContent = start;
    if (!order.length) { place.replaceChildren(note("No numbers.")); return; }
    const [least, most] = limits([...xs, ...ys]), pad = (most - least || Math.abs(most) || 1) * 0.04, low = least - pad, high = most + pad;
    const side = Math.min(width - 66, 460), left = 56, top = 8, span = high - low;
    const x = (v) => left + ((v - low) / span) * side, y = (v) => top + (1 - (v - low) / span) * side;
    const figure = svg("svg", { viewBox: `0 0 ${width} ${side + 46}`, role: "img", tabindex: "0",
      "aria-label": `What the model gives for ${classes[which]} against what is true, ${order.length} samples. ${start}` });
    for (const v of ticks(low, high, 5)) {
      figure.append(svg("line", { class: "grid", x1: left, x2: left + side, y1: y(v), y2: y(v) }), svg("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: top + side }),
        svg("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, short(v)), svg("text", { x: x(v), y: top + side + 17, "text-anchor": "middle" }, short(v)));
    }
    figure.append(svg("line", { x1: x(low), y1: y(low), x2: x(high), y2: y(high), style: "stroke:var(--ink);stroke-width:1.4;stroke-dasharray:5 4" }));
    for (const i of order) figure.append(svg("circle", { class: "dot", cx: x(xs[i]), cy: y(ys[i]), r: order.length > 400 ? 2.2 : 3.2, style: "fill:var(--blue);opacity:.55" }));
    figure.append(svg("text", { x: left + side / 2, y: side + 42, "text-anchor": "middle" }, "true"), svg("text", { x: left + 6, y: top + 14 }, "given"));
    const ring = svg("circle", { r: 6, fill: "none", style: "stroke:var(--orange);stroke-width:2;display:none" });
    figure.append(ring);
    explore(figure, { count: order.length, find(event) {
      const [px, py] = inside(figure, event);
      return order.reduce((found, i, k) => { const d = (x(xs[i]) - px) ** 2 + (y(ys[i]) - py) ** 2; return d < found[1] ? [k, d] : found; }, [-1, 400])[0];
    }, show(k) {
      const i = order[k];
      ring.setAttribute("cx", x(xs[i]));
      ring.setAttribute("cy", y(ys[i]));
      ring.style.display = "";
      readout.replaceChildren("True ", el("b", {}, short(xs[i])), ", given ", el("b", {}, short(ys[i])), `, ${short(Math.abs(ys[i] - xs[i]))} too ${ys[i] >= xs[i] ? "much" : "little"}.`);
    } });
    place.replaceChildren(figure);
  });
  const select = picker("Number", classes, (k) => { which = k; again(); });
  host.append(...[select && el("div", { class: "bar-line" }, select), place, readout].filter(Boolean));
}

function residuals(host) {
  const { classes, errors, bias } = DATA.test, place = el("div", { class: "plot" }), readout = el("p", { class: "readout", "aria-live": "polite" });
  let which = 0;
  const again = redrawn(place, (width) => {
    const { edges, counts } = errors[which], most = Math.max(...counts, 1), left = 46, tall = 200, span = width - left - 14;
    const [low, high] = [edges[0], edges[edges.length - 1]], x = (v) => left + ((v - low) / (high - low)) * span, y = (n) => 8 + (1 - n / most) * (tall - 8);
    readout.textContent = "Point at a bar, or use the arrow keys.";
    const figure = svg("svg", { viewBox: `0 0 ${width} ${tall + 26}`, role: "img", tabindex: "0",
      "aria-label": `How many samples are given how much too little or too much of ${classes[which]}; ${short(bias[which])} on the mean.` });
    for (const n of ticks(0, most, 4)) figure.append(svg("line", { class: "grid", x1: left, x2: left + span, y1: y(n), y2: y(n) }), svg("text", { x: left - 8, y: y(n) + 4, "text-anchor": "end" }, whole(n)));
    for (const v of ticks(low, high, Math.max(2, Math.floor(width / 110)))) figure.append(svg("text", { x: x(v), y: tall + 18, "text-anchor": "middle" }, short(v)));
    const bars = counts.map((n, b) => svg("rect", { class: "bin", x: x(edges[b]) + 0.5, y: y(n), width: Math.max(1, x(edges[b + 1]) - x(edges[b]) - 1), height: y(0) - y(n), style: "fill:var(--blue)" }));
    figure.append(...bars, svg("line", { class: "axis", x1: left, x2: left + span, y1: y(0), y2: y(0) }),
      svg("line", { x1: x(0), x2: x(0), y1: 8, y2: tall, style: "stroke:var(--ink);stroke-width:1.4;stroke-dasharray:5 4" }));
    if (known(bias[which])) figure.append(svg("line", { x1: x(bias[which]), x2: x(bias[which]), y1: 8, y2: tall, style: "stroke:var(--orange);stroke-width:2" }));
    explore(figure, { count: counts.length, find: (event) => Math.max(0, Math.min(counts.length - 1, Math.floor(((inside(figure, event)[0] - left) / span) * counts.length))), show(b) {
      bars.forEach((bar, k) => (bar.style.opacity = k === b ? 1 : 0.45));
      readout.replaceChildren(`From ${short(edges[b])} to ${short(edges[b + 1])}: `, el("b", {}, whole(counts[b])), " samples.");
    } });
    figure.addEventListener("pointerleave", () => bars.forEach((bar) => (bar.style.opacity = 1)));
    place.replaceChildren(figure);
  });
  const select = picker("Number", classes, (k) => { which = k; again(); });
  const key = el("div", { class: "legend" }, el("span", {}, "– – no error"), el("span", {}, el("span", { class: "swatch", style: "background:var(--orange)" }), "mean error"));
  host.append(...[select && el("div", { class: "bar-line" }, select), key, place, readout].filter(Boolean));
}

function furthest(host) {
  const { classes } = DATA.test, labels = TASK === "multilabel";
  if (!DATA.mistakes.length) { host.append(el("p", {}, labels ? "Every label of the test set is right." : "No number is off.")); return; }
  const said = (values) => classes.filter((_, k) => values[k] >= 0.5).join(", ") || "none";
  const text = (values) => (labels ? said(values) : classes.map((name, k) => `${classes.length > 1 ? `${name} ` : ""}${short(values[k])}`).join(", "));
  host.append(el("ul", { class: "pictures" }, DATA.mistakes.map(({ index, picture, truth, given }) => el("li", {},
    picture ? el("img", { src: picture, alt: `Test sample ${index}`, width: 136, height: 136 }) : el("div", { class: "truth" }, `sample ${whole(index)}`),
    el("div", { class: "what" }, el("span", { class: "wrong" }, text(given)), el("br"), el("span", { class: "truth" }, `in truth ${text(truth)}`)),
    labels ? el("div", { class: "odds" }, classes.map((name, k) => [k, Math.abs(given[k] - truth[k])]).sort((a, b) => b[1] - a[1]).slice(0, 3).map(([k]) => [el("span", {}, classes[k]), el("span", {}, percent(given[k])),
      el("i", {}, el("i", { class: truth[k] ? "true" : "said", style: `width:${given[k] * 100}%` }))])) : null))));
}
