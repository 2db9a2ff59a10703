// What the weights tell: first filters, batch norm, the time of each layer; and the configuration.
function filters(host) {
  const { after, before, change, count, scale } = DATA.filters;
  const picture = (src, what, k) => el("img", { src, width: 56, height: 56, alt: `Filter ${k} ${what} training` });
  if (DATA.missing.before) host.append(note(DATA.missing.before));
  host.append(el("p", { class: "hint" }, `${before ? "Left before, right after training. " : ""}Grey is 0; the brightest is +${short(scale)} and the darkest −${short(scale)}.`
    + (change ? " Below: the length of the change, as a part of the filter's length before." : "") + (count > after.length ? ` The first ${after.length} of ${count} filters.` : "")),
    el("ul", { class: "filters" }, after.map((src, k) => el("li", {},
      el("div", { class: "pair" }, before ? [picture(before[k], "before", k), el("span", { "aria-hidden": "true", style: "color:var(--soft)" }, "→")] : null, picture(src, "after", k)),
      el("div", { class: "under" }, known(change?.[k]) ? `${k}: ${percent(change[k], 0)}` : String(k))))));
}

const NORMS = [
  ["mean", "Running mean", "of the inputs of the layer"],
  ["deviation", "Running standard deviation", "of the inputs of the layer"],
  ["gamma", "γ, the scale", "a channel whose γ is near 0 is silent"],
  ["beta", "β, the shift", "far below 0 before a ReLU: seldom active"],
];
function norms(host) {
  host.append(el("div", { class: "halves" }, NORMS.map(([of, name, why]) => boxes(name, why, DATA.norms.map((row) => [row.path, row.channels, row[of]])))));
}
// One row for each layer: a line from the least to the greatest channel, a box over the middle half, its median.
function boxes(name, why, rows) {
  const place = el("div", { class: "plot" }), readout = el("p", { class: "readout small", "aria-live": "polite" });
  const filled = rows.filter(([, , five]) => five);
  if (!filled.length) return el("div", {}, el("h3", {}, name), el("p", { class: "hint" }, "These layers have none."));
  redrawn(place, (width) => {
    const left = Math.min(90, 16 + 6.8 * Math.max(...rows.map(([path]) => path.length))), row = 20, height = rows.length * row + 26;
    let [low, high] = limits(filled.flatMap(([, , five]) => five));
    [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (low === high) high = low + 1;
    const x = (v) => left + ((v - low) / (high - low)) * (width - left - 16);
    const figure = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": `${name} of ${rows.length} batch-norm layers. Arrow keys read them out.` });
    for (const v of ticks(low, high, Math.max(3, width / 90))) {
      figure.append(svg("line", { class: v === 0 ? "axis" : "grid", x1: x(v), x2: x(v), y1: 0, y2: height - 20, style: v === 0 ? "stroke:var(--grey)" : null }),
        svg("text", { x: x(v), y: height - 5, "text-anchor": "middle" }, short(v)));
    }
    const lines = rows.map(([path, , five], i) => {
      const y = i * row + row / 2, parts = [svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, path)];
      if (five) parts.push(svg("line", { x1: x(five[0]), x2: x(five[4]), y1: y, y2: y, style: "stroke:var(--blue);stroke-width:1.5" }),
        svg("rect", { class: "box", x: x(five[1]), y: y - 5, width: Math.max(1.5, x(five[3]) - x(five[1])), height: 10, rx: 2, style: "fill:var(--blue);opacity:.45" }),
        svg("line", { x1: x(five[2]), x2: x(five[2]), y1: y - 6, y2: y + 6, style: "stroke:var(--ink);stroke-width:2" }));
      return svg("g", {}, parts);
    });
    figure.append(...lines);
    explore(figure, { count: rows.length, find: (event) => Math.min(rows.length - 1, Math.max(0, Math.floor(inside(figure, event)[1] / row))), show(i) {
      const [path, channels, five] = rows[i];
      lines.forEach((line, k) => (line.style.opacity = k === i ? 1 : 0.45));
      readout.replaceChildren(el("b", {}, `layer ${path}`), ` (${channels} channels): `, five ? `${short(five[0])} to ${short(five[4])}, middle half ${short(five[1])} to ${short(five[3])}, median ${short(five[2])}` : "none");
    } });
    figure.addEventListener("pointerleave", () => lines.forEach((line) => (line.style.opacity = 1)));
    place.replaceChildren(figure);
  });
  return el("div", {}, el("h3", {}, name, " ", el("span", { class: "lead", style: "font-weight:400" }, `– ${why}`)), place, readout);
}

function layers(host) {
  const { rows, batch, threads, processor } = DATA.layers, ms = (seconds) => (seconds * 1000).toFixed(3);
  const longest = Math.max(...rows.map((row) => row.forward + row.backward)), sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, el("span", { class: "lead" }, `${row.path} `), row.layer), el("td", { class: "narrow-off" }, row.output.join(" × ")),
    el("td", { class: "number" }, ms(row.forward)), el("td", { class: "number" }, ms(row.backward)),
    el("td", { class: "narrow-off", style: "width:28%" }, el("div", { class: "meter" }, el("i", { "aria-hidden": "true" }, el("i", { style: `width:${(row.forward / longest) * 100}%` }), el("i", { class: "second", style: `width:${(row.backward / longest) * 100}%` }))))));
  body.push(el("tr", {}, el("th", { scope: "row" }, el("b", {}, "All layers")), el("td", { class: "narrow-off" }), el("td", { class: "number" }, el("b", {}, ms(sum("forward")))), el("td", { class: "number" }, el("b", {}, ms(sum("backward")))), el("td", { class: "narrow-off" })));
  const key = (color, text) => el("span", {}, el("span", { class: "swatch", style: `background:${color}` }), text);
  host.append(el("p", { class: "hint" }, `Milliseconds of a training step over ${batch} ${TASK === "language" ? `sequence${batch === 1 ? "" : "s"}` : "pictures"}, each layer by itself, measured when this page was written: ${processor}, ${threads} ${threads === 1 ? "thread" : "threads"}.`),
    el("div", { class: "legend" }, key("var(--blue)", "forward"), key("var(--orange)", "backward")),
    wide("Time of each layer", table("Time of each layer", ["Layer", { text: "Output" }, { text: "Forward", number: true }, { text: "Backward", number: true }, ""], body)));
  for (const which of ["th:nth-child(2)", "th:last-child"]) host.querySelector(`thead ${which}`).className = "narrow-off";
}

function configuration(host) {
  if (DATA.command) {
    const words = el("pre", {}, DATA.command), button = el("button", { type: "button", onclick: copy }, "Copy");
    function copy() {
      const done = () => { button.textContent = "Copied"; setTimeout(() => (button.textContent = "Copy"), 1500); };
      const range = document.createRange();
      range.selectNodeContents(words);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (document.execCommand("copy")) done(); // works from the disk, where the newer way is not allowed
    }
    host.append(el("h3", {}, "To repeat the run"), el("p", { class: "hint" }, DATA.several ? "The run was stopped, and went on with other settings: no single command repeats it. These were given, one after the other." :
      "The same command gives the same weights, byte for byte, with any number of threads and of loader workers, in the same build of cynet."),
      el("div", { class: "command" }, words, button));
  }
  const origins = DATA.config.some(([, , origin]) => known(origin));
  const rows = DATA.config.map(([name, value, origin]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "any" }, value), origins ? el("td", {}, origin ?? "") : null));
  const around = DATA.environment.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "any" }, value ?? "–")));
  host.append(el("div", { class: "halves" },
    rows.length ? el("div", {}, el("h3", {}, "Settings"), table("Settings of the run", ["Setting", "Value", ...(origins ? ["From"] : [])], rows)) : note("The run folder has no config.toml that can be read."),
    el("div", {}, el("h3", {}, "Environment"), around.length ? table("Environment of the run", ["What", "Value"], around) : el("p", { class: "hint" }, "The run folder has no env.json: what it ran on is not known."))));
}
