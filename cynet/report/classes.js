// What the test set tells: the confusion matrix, each class, calibration, and the worst mistakes.
const MOST_NAMES = 40; // classes whose names stand beside a confusion matrix

function confusion(host) {
  const test = DATA.test, { classes, confusion: counts, samples } = test, n = classes.length;
  const place = el("div", { class: "plot" }), readout = el("p", { class: "readout", "aria-live": "polite" });
  const start = "Point at a cell, or move through the matrix with the arrow keys.";
  let shares = null, at = -1;
  readout.textContent = start;
  function draw(width) {
    if (shares === null) shares = width < 480;
    const names = n <= MOST_NAMES, longest = Math.max(...classes.map((name) => name.length));
    const left = names ? Math.min(longest * 6.7 + 10, width * 0.27) : 8, size = Math.max(2, Math.min((width - left - (names ? left * 0.55 : 8)) / n, 52));
    const room = Math.floor((left - 10) / 6.4), label = (name) => (name.length > room ? `${name.slice(0, room - 1)}…` : name);
    const top = names ? left * 0.8 + 14 : 8, side = size * n;
    const figure = svg("svg", { viewBox: `0 0 ${width} ${top + side + 4}`, role: "img", tabindex: "0",
      "aria-label": `Confusion matrix of ${n} classes: rows are labels, columns predictions. ${start}` });
    figure.append(svg("rect", { x: left, y: top, width: side, height: side, style: "fill:var(--card);stroke:var(--line)" }));
    counts.forEach((row, i) => row.forEach((count, j) => {
      const share = samples[i] ? count / samples[i] : 0, gap = size > 12 ? 1 : 0;
      if (count || size > 12) figure.append(svg("rect", { class: "cell", x: left + j * size + gap / 2, y: top + i * size + gap / 2, width: size - gap, height: size - gap, rx: gap * 2,
        style: `fill:${count ? `rgb(var(--${i === j ? "blue" : "orange"}-rgb) / ${(0.1 + 0.9 * Math.sqrt(share)).toFixed(3)})` : "var(--card)"}` }));
      if (size >= 20 && count) {
        const text = shares ? (share >= 0.005 ? Math.round(share * 100) : "") : count;
        figure.append(svg("text", { x: left + (j + 0.5) * size, y: top + (i + 0.5) * size + 4, "text-anchor": "middle",
          style: `font-size:${Math.min(13, size / 2.3)}px;fill:${Math.sqrt(share) > 0.55 ? "var(--card)" : "var(--ink)"};font-variant-numeric:tabular-nums` }, String(text)));
      }
    }));
    if (names) classes.forEach((name, k) => {
      const middle = (k + 0.5) * size;
      figure.append(svg("text", { x: left - 8, y: top + middle + 4, "text-anchor": "end" }, label(name)),
        svg("text", { transform: `translate(${left + middle + 3} ${top - 6}) rotate(-50)` }, label(name)));
    });
    const ring = svg("rect", { width: size, height: size, rx: 3, fill: "none", style: "stroke:var(--ink);stroke-width:2;display:none" });
    figure.append(ring);
    function show(k) {
      const i = Math.floor(k / n), j = k % n;
      at = k;
      ring.setAttribute("x", left + j * size);
      ring.setAttribute("y", top + i * size);
      ring.style.display = "";
      readout.replaceChildren(...sentence(test, i, j));
    }
    explore(figure, { count: n * n, columns: n, show, find: (event) => {
      const [x, y] = inside(figure, event), j = Math.floor((x - left) / size), i = Math.floor((y - top) / size);
      return i >= 0 && i < n && j >= 0 && j < n ? i * n + j : -1;
    } });
    place.replaceChildren(figure);
    if (at >= 0) show(at);
    const pressed = shares ? 1 : 0;
    [...kinds.children].forEach((button, k) => button.setAttribute("aria-pressed", String(k === pressed)));
  }
  const kinds = choice("What the cells show", ["Counts", "% of the label"], 0, (i) => { shares = i === 1; again(); });
  const again = redrawn(place, draw);
  const pairs = test.confused.map(([i, j, count]) => el("li", {}, el("span", {}, `${classes[i]} taken for `, el("span", { class: "wrong" }, classes[j])), el("b", {}, whole(count))));
  host.append(el("div", { class: "bar-line" }, kinds, el("span", { class: "hint", style: "margin:0" }, "rows: label, columns: prediction")),
    el("div", { class: "columns" }, el("div", {}, place, readout),
      el("div", {}, el("h3", {}, "Most frequent mistakes"), pairs.length ? el("ol", { class: "pairs" }, pairs) : el("p", {}, "None at all."))));
}
function sentence({ classes, confusion: counts, samples }, i, j) {
  const count = counts[i][j], share = samples[i] ? ` (${percent(count / samples[i])})` : "";
  const of = ` of ${whole(samples[i])} pictures of `, name = el("b", {}, classes[i]);
  return i === j ? [el("b", {}, whole(count)), of, name, share, " are recognised."] : [el("b", {}, whole(count)), of, name, share, " are taken for ", el("b", {}, classes[j]), "."];
}

function perClass(host) {
  const { classes, recall, precision, samples } = DATA.test;
  const heads = [["Class", (k) => k, 1], ["Recall", (k) => recall[k] ?? -1, 1], ["Precision", (k) => precision[k] ?? -1, 1], ["Pictures", (k) => samples[k], -1]];
  const rows = classes.map((name, k) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, meter([recall[k] ?? 0], percent(recall[k]))),
    el("td", {}, meter([precision[k] ?? 0], percent(precision[k]))), el("td", { class: "number" }, whole(samples[k]))));
  const body = el("tbody", {}, rows);
  const columns = heads.map(([text, key, way], c) => el("th", { scope: "col", class: c === 3 ? "number" : null, "aria-sort": c ? null : "ascending" },
    el("button", { type: "button", onclick: () => sort(c, key, way) }, text)));
  function sort(c, key, way) {
    const again = columns[c].getAttribute("aria-sort") === (way > 0 ? "ascending" : "descending");
    const sign = again ? -way : way;
    columns.forEach((column, k) => (k === c ? column.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending") : column.removeAttribute("aria-sort")));
    body.append(...classes.map((_, k) => k).sort((a, b) => sign * (key(a) - key(b)) || a - b).map((k) => rows[k]));
  }
  host.append(wide("Accuracy of each class", el("table", {}, el("caption", { class: "visually-hidden" }, "Recall and precision of each class"), el("thead", {}, el("tr", {}, columns)), body)));
}

function calibration(host) {
  const { edges, counts, confidence, accuracy, error } = DATA.test.calibration, bins = counts.length, total = counts.reduce((a, b) => a + b, 0);
  const place = el("div", { class: "plot" }), readout = el("p", { class: "readout", "aria-live": "polite" }, "Point at a bar, or use the arrow keys.");
  redrawn(place, (width) => {
    const left = 46, bottom = 24, tall = Math.min(300, width * 0.7), low = 64, gap = 26, span = width - left - 10;
    const x = (v) => left + v * span, y = (v) => 8 + (1 - v) * (tall - 8), base = tall + gap + low, most = Math.max(...counts, 1);
    const figure = svg("svg", { viewBox: `0 0 ${width} ${base + bottom + 12}`, role: "img", tabindex: "0",
      "aria-label": `Accuracy against confidence in ${bins} bins; expected calibration error ${percent(error)}.` });
    for (const v of [0, 0.25, 0.5, 0.75, 1]) {
      figure.append(svg("line", { class: "grid", x1: left, x2: x(1), y1: y(v), y2: y(v) }), svg("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, `${v * 100} %`),
        svg("text", { x: x(v), y: base + 18, "text-anchor": v === 1 ? "end" : "middle" }, `${v * 100} %`));
    }
    const bars = counts.map((count, b) => {
      const at = x(edges[b]) + 1, w = Math.max(1, x(edges[b + 1]) - x(edges[b]) - 2), parts = [];
      if (count) parts.push(svg("rect", { x: at, y: y(accuracy[b]), width: w, height: y(0) - y(accuracy[b]), rx: 2, style: "fill:var(--blue)" }),
        svg("rect", { x: at, y: Math.min(y(confidence[b]), y(accuracy[b])), width: w, height: Math.abs(y(confidence[b]) - y(accuracy[b])), style: "fill:var(--orange);opacity:.8" }));
      parts.push(svg("rect", { x: at, y: base - (count / most) * low, width: w, height: (count / most) * low, rx: 1, style: "fill:var(--grey)" }));
      return svg("g", { class: "bin" }, parts);
    });
    figure.append(...bars, svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), style: "stroke:var(--ink);stroke-width:1.4;stroke-dasharray:5 4" }),
      svg("text", { x: left, y: tall + gap - 6 }, "pictures in each bin"), svg("line", { class: "axis", x1: left, x2: x(1), y1: base, y2: base }));
    explore(figure, { count: bins, find: (event) => Math.max(0, Math.min(bins - 1, Math.floor(((inside(figure, event)[0] - left) / span) * bins))), show(b) {
      bars.forEach((bar, k) => (bar.style.opacity = k === b ? 1 : 0.45));
      readout.replaceChildren(`${percent(edges[b], 0)} to ${percent(edges[b + 1], 0)} sure: `, el("b", {}, whole(counts[b])), ` pictures (${percent(counts[b] / total)})`,
        ...(counts[b] ? [", of which ", el("b", {}, percent(accuracy[b])), ` are right; mean confidence ${percent(confidence[b])}.`] : ["."]));
    } });
    figure.addEventListener("pointerleave", () => bars.forEach((bar) => (bar.style.opacity = 1)));
    place.replaceChildren(figure);
  });
  const key = (color, text) => el("span", {}, el("span", { class: "swatch", style: `background:${color}` }), text);
  host.append(el("div", { class: "columns" }, el("div", {}, el("div", { class: "legend" }, key("var(--blue)", "accuracy"), key("var(--orange)", "gap to the confidence"),
    el("span", {}, "– – perfect")), place, readout), trust(total ? counts.reduce((sum, n, b) => sum + (n ? n * confidence[b] : 0), 0) / total : null, error)));
}
// How far the model's confidence can be believed, in numbers and in words.
function trust(sure, error) {
  const { accuracy } = DATA.test, gap = sure - accuracy;
  const words = Math.abs(gap) < 0.02 ? "On the whole the model is as sure as it is right." : gap > 0
    ? "The model is surer than it is right. Label smoothing, more augmentation or fewer steps may help."
    : "The model is right more often than it is sure, as label smoothing makes it.";
  return el("div", {}, el("dl", {}, [["Mean confidence", percent(sure)], ["Accuracy", percent(accuracy)], ["Expected calibration error", percent(error, 2)]]
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
  el("p", {}, words), el("p", { class: "hint" }, "The error is the mean gap between accuracy and confidence over all pictures, in bins of confidence (Guo et al. 2017)."));
}

function mistakes(host) {
  const { classes } = DATA.test;
  if (!DATA.mistakes.length) { host.append(el("p", {}, "Every picture of the test set is recognised.")); return; }
  host.append(el("ul", { class: "pictures" }, DATA.mistakes.map(({ index, picture, label, top }) => el("li", {},
    picture ? el("img", { src: picture, alt: `Test picture ${index}: ${classes[label]}, taken for ${classes[top[0][0]]}`, width: 136, height: 136 }) : el("div", { class: "truth" }, `sample ${whole(index)}`),
    el("div", { class: "what" }, el("span", { class: "wrong" }, classes[top[0][0]]), el("br"), el("span", { class: "truth" }, `in truth ${classes[label]}`)),
    el("div", { class: "odds" }, top.map(([k, p]) => [el("span", {}, classes[k]), el("span", {}, percent(p)),
      el("i", {}, el("i", { class: k === label ? "true" : k === top[0][0] ? "said" : null, style: `width:${p * 100}%` }))]))))));
}
