// Learning curves of the run, and of any two runs together.
const COLORS = ["var(--blue)", "var(--orange)"];
const rate = (value) => (!known(value) ? "–" : value && Math.abs(value) < 1e-3 ? String(Number(value.toPrecision(3)).toExponential()) : String(Number(value.toPrecision(4))));
const asPercent = (value) => percent(value, 2);
const wholePercent = (value) => `${Number((value * 100).toFixed(1))} %`;

// The columns of a run over steps or minutes: what can be drawn against which.
function axis(columns, byTime) {
  return byTime ? (columns.seconds ?? []).map((s) => s / 60) : columns.step ?? [];
}
// What the evaluations of a run are of, "test" or "validation", and their column of that kind.
const evaluated = (run, kind) => run.epochs[`${run.measure}_${kind}`];
const capital = (word) => word[0].toUpperCase() + word.slice(1);
const lower = (word) => word[0].toLowerCase() + word.slice(1);
function hasTimes(run) {
  const times = (columns) => !columns.step || (columns.seconds ?? []).filter(known).length === columns.step.length;
  return Boolean(run.epochs.seconds) && times(run.epochs) && times(run.steps);
}
function lossSeries(run, byTime) {
  const { epochs, steps } = run, found = [];
  if (steps.loss) found.push({ name: "training, step by step", color: COLORS[0], x: axis(steps, byTime), y: steps.loss, low: steps.low, high: steps.high, thin: true });
  if (epochs.train_loss) found.push({ name: "training", color: COLORS[0], x: axis(epochs, byTime), y: epochs.train_loss, dots: true });
  if (evaluated(run, "loss")) found.push({ name: run.measure, color: COLORS[1], x: axis(epochs, byTime), y: evaluated(run, "loss"), dots: true });
  return found;
}
function scoreSeries(run, byTime, { column } = scoreOf(run)) {
  const { epochs } = run, found = [], also = { ap: ["f1", "macro F1"], rmse: ["mae", "MAE"] }[column];
  const trained = epochs[`train_${column}`];
  if (trained) found.push({ name: "training", color: COLORS[0], x: axis(epochs, byTime), y: trained, dots: true });
  if (evaluated(run, column)) found.push({ name: also ? `${run.measure} ${scoreOf(run).name}` : run.measure, color: COLORS[1], x: axis(epochs, byTime), y: evaluated(run, column), dots: true });
  if (also && evaluated(run, also[0])) found.push({ name: `${run.measure} ${also[1]}`, color: COLORS[0], x: axis(epochs, byTime), y: evaluated(run, also[0]), dots: true });
  return found;
}
function rateSeries(run, byTime) {
  const from = run.steps.lr ? run.steps : run.epochs;
  return from.lr ? [{ name: run.steps.lr ? "learning rate" : "learning rate at the end of each epoch", color: "var(--green)", x: axis(from, byTime), y: from.lr, stairs: true }] : [];
}
// What the best weights of a run are chosen by: its column, how it is called and written, which is the best.
const SCORES = {
  classify: { column: "accuracy", name: "accuracy", title: "Accuracy", format: asPercent, axis: wholePercent, ceiling: 1, higher: true },
  multilabel: { column: "ap", name: "average precision", title: "Average precision", format: asPercent, axis: wholePercent, ceiling: 1, higher: true },
  language: { column: "perplexity", name: "perplexity", title: "Perplexity", format: short, axis: short, higher: false },
  regress: { column: "rmse", name: "RMSE", title: "RMSE", format: short, axis: short, higher: false },
};
// What is drawn besides, on a scale of its own.
const ALSO = { language: SCORES.classify };
const scoreOf = (run) => SCORES[run.task] ?? SCORES.classify;
// {row, value} of the best evaluation.
function best(run) {
  const { column, higher } = scoreOf(run), values = evaluated(run, column) ?? [], [least, most] = limits(values), value = higher ? most : least;
  return Number.isFinite(value) ? { row: values.indexOf(value), value } : null;
}
function epochAt(run, step) {
  const { step: steps, epoch } = run.epochs;
  const i = (steps ?? []).findIndex((s) => s >= step);
  return epoch && i >= 0 ? `, epoch ${epoch[i]}` : "";
}

function curves(host) {
  const run = DATA.runs[0], group = [], top = best(run);
  let byTime = false, log = false;
  const at = (x) => (byTime ? `after ${duration(x * 60)}` : `step ${whole(x)}${epochAt(run, x)}`);
  const loss = lineChart(group, "Loss", { format: short, at, floor: 0 });
  const { title, format, axis: places, ceiling } = scoreOf(run);
  const accuracy = lineChart(group, title, { format, axis: places, at, floor: 0, ceiling, marks: () =>
    (top ? [{ x: axis(run.epochs, byTime)[top.row], y: top.value, text: `best ${format(top.value)}` }] : []) });
  const also = ALSO[run.task] && lineChart(group, ALSO[run.task].title, { ...ALSO[run.task], at, floor: 0 });
  const rates = lineChart(group, "Learning rate", { format: rate, axis: rate, at, height: 130, log: true });
  function draw() {
    const [low, high] = limits(rateSeries(run, byTime).flatMap((s) => s.y));
    const start = 0;
    loss.set(lossSeries(run, byTime), { log, start });
    accuracy.set(scoreSeries(run, byTime), { start });
    also?.set(scoreSeries(run, byTime, ALSO[run.task]), { start });
    rates.set(rateSeries(run, byTime), { log: low > 0 && high / low > 5, floor: 0, start });
  }
  host.append(el("div", { class: "bar-line" },
    hasTimes(run) ? choice("Horizontal axis", ["Steps", "Minutes"], 0, (i) => { byTime = i === 1; draw(); }) : null,
    choice("Scale of the loss", ["Linear loss", "Logarithmic"], 0, (i) => { log = i === 1; draw(); })));
  if (DATA.missing.steps) host.append(el("p", { class: "hint" }, DATA.missing.steps));
  host.append(...[loss, accuracy, also, rates].filter(Boolean).map((each) => each.chart));
  draw();
}

// -- two runs
const MIXED = new Set(DATA.runs.map((run) => run.measure)).size > 1; // then each value says what it is of
const measured = (kind) => (MIXED ? capital(kind) : `${capital(DATA.runs[0].measure)} ${kind}`);
const nameOf = (run) => (MIXED ? `${run.name} (${run.measure})` : run.name);
const SCORE = scoreOf(DATA.runs[0]);
const MEASURES = [
  { name: measured(SCORE.name), of: (run) => evaluated(run, SCORE.column), format: SCORE.format, axis: SCORE.axis, ceiling: SCORE.ceiling },
  { name: measured("loss"), of: (run) => evaluated(run, "loss"), format: short },
  { name: "Training loss", of: (run) => run.epochs.train_loss, format: short },
  { name: "Learning rate", of: (run) => run.epochs.lr, format: rate, axis: rate, stairs: true },
];

function compare(host) {
  const { runs } = DATA;
  if (runs.length < 2) {
    host.append(note("There is no other run to compare with: give further run folders to cynet report, or keep runs beside this one."));
    return;
  }
  const chosen = [0, 1], group = [], results = el("div", { class: "wide" }), settings = el("div", { class: "wide" });
  let measure = 0, byTime = false;
  const at = (x) => (byTime ? `after ${duration(x * 60)}` : `step ${whole(x)}`);
  const chart = lineChart(group, "", { format: short, at, floor: 0 });
  const selects = ["First run", "Second run"].map((label, side) => el("label", {}, `${label} `, el("select", {
    id: `run-${side}`, onchange: (event) => { chosen[side] = Number(event.target.value); draw(); } },
    runs.map((run, i) => el("option", { value: i, selected: i === chosen[side] }, run.name)))));
  function draw() {
    const { of, stairs, ...how } = MEASURES[measure], pair = chosen.map((i) => runs[i]);
    const timed = byTime && pair.every(hasTimes);
    chart.chart.querySelector("h3").textContent = how.name + (byTime && !timed ? " (by steps: a run has no times)" : "");
    chart.set(pair.map((run, k) => ({ name: nameOf(run), color: COLORS[k], x: of(run) ? axis(run.epochs, timed) : [], y: of(run) ?? [],
      dots: true, dash: k === 1, stairs })), { axis: undefined, ceiling: undefined, ...how, start: 0 });
    results.replaceChildren(resultTable(pair));
    settings.replaceChildren(settingTable(pair));
  }
  host.append(el("div", { class: "bar-line" }, selects), el("div", { class: "bar-line" },
    choice("What is drawn", MEASURES.map((m) => m.name), 0, (i) => { measure = i; draw(); }),
    choice("Horizontal axis", ["Steps", "Minutes"], 0, (i) => { byTime = i === 1; draw(); })),
    chart.chart, el("div", { class: "halves" }, results, settings));
  draw();
}
const nameCell = (run, k) => el("span", {}, el("span", { class: "swatch", style: `background:${COLORS[k]}` }), nameOf(run));

function resultTable(pair) {
  const rows = [
    [`Best ${lower(measured(SCORE.name))}`, (run) => (scoreOf(run) === SCORE ? SCORE.format(best(run)?.value) : "–")],
    [`Last ${lower(measured(SCORE.name))}`, (run) => SCORE.format(last(evaluated(run, SCORE.column)))],
    [`Last ${measured("loss").toLowerCase()}`, (run) => short(last(evaluated(run, "loss")))],
    ["Last training loss", (run) => short(last(run.epochs.train_loss))],
    ["Steps", (run) => (known(last(run.epochs.step)) ? whole(last(run.epochs.step)) : "–")],
    ["Time", (run) => (known(last(run.epochs.seconds)) ? duration(last(run.epochs.seconds)) : "–")],
  ].map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), pair.map((run) => el("td", { class: "number" }, value(run)))));
  return table("Results of the two runs", ["Result", ...pair.map((run, k) => ({ text: nameCell(run, k), number: true }))], rows);
}
function settingTable(pair) {
  const names = [...new Set(pair.flatMap((run) => Object.keys(run.settings)))];
  const different = names.filter((name) => pair[0].settings[name] !== pair[1].settings[name]);
  if (!different.length) return el("p", { class: "hint" }, "The two runs have the same settings.");
  const rows = different.map((name) => el("tr", {}, el("th", { scope: "row" }, name), pair.map((run) => el("td", { class: "any" }, run.settings[name] ?? "–"))));
  return table("Settings that differ", ["Settings that differ", ...pair.map(nameCell)], rows);
}
