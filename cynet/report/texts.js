// What a net of texts says: how probable it found each character of a passage, and what it wrote on the way.
const SURE = [["over 90 %", 0.9], ["50 to 90 %", 0.5], ["20 to 50 %", 0.2], ["5 to 20 %", 0.05], ["1 to 5 %", 0.01], ["under 1 %", 0]];
const odds = (p) => (!known(p) ? "–" : p === 0 ? "0 %" : p < 0.0001 ? "under 0.01 %" : percent(p, p < 0.001 ? 2 : 1));
const rank = (p) => (known(p) ? SURE.findIndex(([, least], k) => (k ? p >= least : p > least)) : -1);
// What the unknown token is, below some texts in which it is.
function aboutUnknown(found, ofSamples) {
  const { shown, means, written } = DATA.unknown ?? {};
  return shown && found.some((text) => text.includes(shown)) ? [el("p", { class: "hint" }, `${shown} is ${means}${ofSamples ? written : ""}`)] : [];
}

function passage(host) {
  const { level, tokens, bits } = DATA.passage, start = `Point at a ${level}, or move along with the arrow keys.`;
  const readout = el("p", { class: "readout", "aria-live": "polite" }, start), ranks = tokens.map(([, , p]) => rank(p));
  const spans = tokens.map(([shown, called, p], k) => el("span", { class: ranks[k] < 0 ? null : `p${ranks[k]}`,
    title: known(p) ? `${called}: ${odds(p)}` : `${called}: the first, from nothing` }, shown));
  const text = level === "character" ? spans : spans.flatMap((span) => [span, " "]);
  const strip = el("div", { class: "strip", role: "img", tabindex: "0", dir: "auto",
    "aria-label": `The first ${whole(tokens.length)} ${level}s of the text for testing, each but the very first coloured by the probability that the model gave it. ${start}` }, text);
  const counts = SURE.map((_, k) => ranks.filter((each) => each === k).length), all = ranks.filter((each) => each >= 0).length;
  const key = SURE.map(([name], k) => el("span", {}, el("span", { class: `swatch p${k}` }), `${name}: `, el("b", {}, percent(counts[k] / all, 0))));
  function show(k) {
    const [, called, p, likeliest] = tokens[k];
    spans.forEach((span, i) => span.classList.toggle("at", i === k));
    readout.replaceChildren(el("b", {}, called), ...(known(p) ? [" was given ", el("b", {}, odds(p)), p ? `, ${short(Math.abs(Math.log2(p)))} bits` : "", `; likeliest: ${likeliest.map(([name, share]) => `${name} ${odds(share)}`).join(", ")}.`]
      : [` is the first ${level}: nothing goes before it.`]));
  }
  explore(strip, { count: tokens.length, show, find: (event) => spans.indexOf(event.target) });
  strip.addEventListener("pointerleave", () => spans.forEach((span) => span.classList.remove("at")));
  host.append(el("div", { class: "legend" }, key), strip, readout, el("p", { class: "hint" }, known(bits) ?
    `On the mean ${short(bits)} bits a ${level} of this passage: a perplexity of ${short(2 ** bits)}.` : `A ${level} of this passage was given no probability at all.`), ...aboutUnknown(tokens.map(([shown]) => shown)));
}

function samples(host) {
  const rows = DATA.samples, { prompt } = rows.at(-1), { epochs, measure } = DATA.runs[0];
  const at = (step) => epochs[`${measure}_perplexity`]?.[epochs.step.indexOf(step)];
  const cell = (text) => el("td", { class: "sample", dir: "auto" }, text);
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, whole(row.epoch), el("div", { class: "under" }, `step ${whole(row.step)}`),
    known(at(row.step)) ? el("div", { class: "under" }, `perplexity ${short(at(row.step))}`) : null,
    row.prompt === prompt ? null : el("div", { class: "under" }, "after another prompt: ", row.prompt)), [row.max, row.sample, row.beam].map(cell)));
  host.append(el("p", { class: "hint" }, "After the prompt:"), el("pre", { class: "prompt", dir: "auto" }, prompt),
    wide("Samples by epoch", table("What was written after each epoch", ["Epoch", "max", "sample", "beam"], body)),
    ...aboutUnknown(rows.flatMap((row) => [row.prompt, row.max, row.sample, row.beam]), true));
}
