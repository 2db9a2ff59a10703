// What the net says of a picture: bars of its probabilities, the time it took, and the picture as it was given.
const SHOWN = 12; // classes; of more the most probable ones
const LEAST = 0.5; // the probability from which on a label is said, as in cynet
const SEVERAL = DATA.task === "multilabel";
const WEIGHTS = document.getElementById("weights");
const NET = new Net(DATA.net, new Float32Array(decoded(WEIGHTS.textContent).buffer));
WEIGHTS.remove(); // its text would only take room
const times = []; // milliseconds of the last pictures
let after = () => {}; // what is done with each answer besides

// {probabilities, said: numbers of classes, time} of a picture's bytes; without `said` where they are no numbers.
function asked(bytes) {
  const start = performance.now(), logits = NET.run(bytes), time = performance.now() - start;
  times.push(time);
  if (times.length > 100) times.shift();
  const probabilities = SEVERAL ? Array.from(logits, (value) => 1 / (1 + Math.exp(-value))) : shares(logits);
  const classes = probabilities.map((_, k) => k);
  if (probabilities.some(Number.isNaN)) return { probabilities, time };
  return { probabilities, time, said: SEVERAL ? classes.filter((k) => probabilities[k] >= LEAST) : [probabilities.indexOf(Math.max(...probabilities))] };
}
const names = (said) => said.map((k) => DATA.classes[k]).join(", ") || "none of them";
const truthOf = (label) => (label === undefined ? undefined : SEVERAL ? label.flatMap((there, k) => (there ? [k] : [])) : [label]);
const isRight = (said, label) => said !== undefined && String(said) === String(truthOf(label));
const milliseconds = (time) => (time < 0.1 ? "under 0.1 ms" : `${Number(time.toPrecision(time < 10 ? 2 : 3)).toLocaleString("en")} ms`);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const [seen, ground] = canvas(DATA.shape[1], DATA.shape[0], { id: "seen", role: "img", "aria-label": "The picture as the net is given it" });
const sentence = el("p", { id: "said", role: "status" }), source = el("p", { class: "hint", id: "source" }), bars = el("ol", { class: "bars" });
const complaint = el("p", { class: "wrong", role: "alert", id: "complaint" }); // about what was given
const took = el("p", { class: "hint", id: "time" });

function timed(time) {
  const several = times.length > 4 ? `; ${milliseconds(median(times))} on the median of the last ${times.length}` : "";
  took.replaceChildren(el("b", {}, milliseconds(time)), ` for this picture${several}`);
}
// Answer a picture, whose `name` is told, and whose `label`, where it is known.
function answer(bytes, { name, label, index = -1, brief = false }) {
  const { probabilities, said, time } = asked(bytes), truth = truthOf(label);
  paint(ground, bytes, DATA.shape[2]);
  complaint.replaceChildren();
  if (said) sentence.replaceChildren(el("b", {}, names(said)), SEVERAL ? "" : ` ${percent(probabilities[said[0]])}`);
  else sentence.replaceChildren("The net gives no number (NaN) for this picture.");
  const right = truth && el("span", { class: isRight(said, label) ? "right" : "wrong" }, isRight(said, label) ? "right" : `in truth ${names(truth)}`);
  source.replaceChildren(...[name, right].filter(Boolean).flatMap((part, i) => (i ? [": ", part] : [part])));
  const order = said ? probabilities.map((_, k) => k) : [];
  if (order.length > SHOWN) order.sort((a, b) => probabilities[b] - probabilities[a] || a - b).splice(SHOWN);
  bars.replaceChildren(...order.map((k) => el("li", { class: [said.includes(k) ? "said" : "", truth?.includes(k) ? "true" : ""].join(" ") },
    el("span", { class: "name", title: DATA.classes[k] }, DATA.classes[k]),
    el("i", { "aria-hidden": "true" }, el("i", { style: `width:${(probabilities[k] * 100).toFixed(2)}%` })),
    el("span", { class: "share" }, percent(probabilities[k])))));
  timed(time);
  if (!brief) look();
  after(index, said);
}
function answers(host) {
  host.append(el("div", { class: "answer" }, el("div", { class: "given" }, seen), el("div", { class: "words" }, sentence, source, took), bars));
}
