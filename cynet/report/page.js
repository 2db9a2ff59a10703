// The page from its sections.
const OF_TASK = {
  classify: [
    ["confusion", "Confusion matrix", "Confusion", "How often each class was taken for which. Blue is right, orange wrong; the deeper, the larger the part of its row.", () => DATA.test, confusion],
    ["classes", "Accuracy of each class", "Classes", "Recall: the part of a class's pictures that is recognised. Precision: the part of the predictions of a class that is right.", () => DATA.test, perClass],
    ["calibration", "Calibration", "Calibration", "How often the model is right when it is so sure. On the dashed line confidence is what it promises; orange shows by how much it is not.", () => DATA.test, calibration],
    ["mistakes", "Worst mistakes", "Mistakes", "The test pictures that the model got wrong while it was surest, with its three most probable classes. Blue is the truth.", () => DATA.mistakes, mistakes],
  ],
  multilabel: [
    ["labels", "Each label", "Labels", "Average precision: how well the samples that have a label come before those that have not. F1, precision and recall at a probability of 0.5.", () => DATA.test, perLabel],
    ["thresholds", "Thresholds", "Thresholds", "What F1 comes to where a label is said from another probability on. The best one was looked for on the test set itself.", () => DATA.test, thresholds],
    ["mistakes", "Worst mistakes", "Mistakes", "The test samples of which a label is most wrong: what the model says, and the truth, with the three labels that are furthest off.", () => DATA.mistakes, furthest],
  ],
  language: [
    ["passage", "A passage, as the model saw it coming", "Passage", "The beginning of the text for testing: how probable the model found each part of it after all before. Blue it expected, orange took it by surprise; what it held least possible is underlined.", () => DATA.passage, passage],
    ["samples", "What it wrote as the training went on", "Samples", "After an epoch, from one prompt: how the text for testing begins. max takes the likeliest each time, sample draws by probability, beam looks for the likeliest sequence of four that go on side by side.", () => DATA.samples, samples],
  ],
  regress: [
    ["numbers", "Each number", "Numbers", "R²: the part of the spread that the model explains; 0 is what the mean alone comes to. Bias: what it gives too much on the mean.", () => DATA.test, perNumber],
    ["scatter", "Given and true", "Given and true", "Each dot is a sample of the test set; on the dashed line it is given what is true.", () => DATA.test, scatter],
    ["residuals", "Errors", "Errors", "How many samples are given how much too little, or too much.", () => DATA.test, residuals],
    ["mistakes", "Furthest off", "Mistakes", "The test samples whose numbers are furthest off, for the spread of the number.", () => DATA.mistakes, furthest],
  ],
};
const SECTIONS = [
  ["curves", "Learning curves", "Curves", "Point at a chart, or move along it with the arrow keys: the legends show the values there.", () => DATA.runs[0].epochs.step ?? DATA.runs[0].steps.step, curves],
  ...(OF_TASK[TASK] ?? OF_TASK.classify),
  ...(TASK === "language" ? [] : [["filters", "Filters of the first layer", "Filters", null, () => DATA.filters, filters],
    ["norms", "Batch norm", "Batch norm", "One row a layer: from the least channel to the greatest, a box over the middle half, a stroke at the median.", () => DATA.norms?.length, norms]]),
  ["layers", "Time of each layer", "Times", null, () => DATA.layers, layers],
  ["compare", "Two runs compared", "Compare", null, () => true, compare],
  ["configuration", "Configuration", "Configuration", null, () => true, configuration],
];
const REASON = { confusion: "test", classes: "test", calibration: "test", labels: "test", thresholds: "test", numbers: "test", scatter: "test", residuals: "test", passage: "test" };

function head() {
  const { model, test, name, notes, file } = DATA, run = DATA.runs[0], top = best(run), tiles = [];
  const tile = (label, value, more) => tiles.push(el("div", { class: "tile" }, el("div", { class: "label" }, label), el("div", { class: "value" }, value), el("div", { class: "more" }, more ?? "")));
  const { column, name: called, format } = SCORE, samples = test?.count ?? test?.samples.reduce((a, b) => a + b, 0);
  const score = test?.[column] ?? last(evaluated(run, column)), steps = last(run.epochs.step), seconds = last(run.epochs.seconds);
  if (known(score)) tile(`${capital(test ? "test" : run.measure)} ${called}`, format(score), test ? `${whole(samples)} ${{ classify: "pictures", language: "tokens" }[TASK] ?? "samples"}` : "as metrics.csv has it");
  if (top) tile(run.measure === "test" ? "Best on the way" : "Best in validation", format(top.value), known(run.epochs.epoch?.[top.row]) ? `epoch ${run.epochs.epoch[top.row]}` : null);
  if (test?.calibration) tile("Calibration error", percent(test.calibration.error, 2), `test loss ${short(test.loss)}`);
  if (test && TASK === "multilabel") tile("Macro F1", percent(test.f1, 2), `test loss ${short(test.loss)}`);
  if (test && TASK === "language") tile("Accuracy", percent(test.accuracy, 2), `test loss ${short(test.loss)}`);
  if (test && TASK === "regress") tile("R²", short(test.r2), `MAE ${short(test.mae)}`);
  if (known(steps)) tile("Steps", whole(steps), known(last(run.epochs.epoch)) ? `${last(run.epochs.epoch)} epochs` : null);
  if (known(seconds)) tile("Time", duration(seconds), steps && seconds ? `${short(steps / seconds)} steps/s with evaluations` : null);
  if (model) tile("Parameters", whole(model.parameters), `${short(model.macs / 1e6)} million MACs a ${TASK === "language" ? "sequence" : "picture"}`);
  const what = model ? `${model.name}${model.batch_norm ? " with batch norm" : ""}, trained on ${model.data}` : "";
  document.getElementById("head").append(el("div", { class: "eyebrow" }, "cynet report"), el("h1", {}, name),
    el("div", { class: "lead" }, [what, file ? `weights of ${file}` : null].filter(Boolean).join(" · ")), el("div", { class: "tiles" }, tiles));
  const unsure = test?.unsure ? [`${whole(test.unsure)} test ${TASK === "classify" ? "pictures" : "samples"} give NaN; they count as wrong`] : [];
  const lines = [...DATA.said, ...notes, ...unsure];
  if (lines.length) document.getElementById("head").append(el("div", { class: "note", role: "note" }, lines.length === 1 ? `Note: ${lines[0]}.` : el("ul", {}, lines.map((line) => el("li", {}, line)))));
}

function build() {
  head();
  const links = {}, main = document.getElementById("main");
  main.replaceChildren();
  for (const [id, title, label, hint, ready, draw] of SECTIONS) {
    const section = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title));
    main.append(section);
    if (ready()) {
      if (hint) section.append(el("p", { class: "hint" }, hint));
      draw(section);
    } else section.append(note(DATA.missing[REASON[id] ?? id] ?? "Not known."));
    links[id] = el("a", { href: `#${id}` }, label);
  }
  document.getElementById("nav").append(el("div", {}, Object.values(links)));
  document.getElementById("foot").append(`Written by cynet ${DATA.cynet}. This page holds all it shows and asks for nothing from the network.`);
  FIRST.forEach((fit) => fit());
  follow(links);
}
// Marks the link of the section that is being read.
function follow(links) {
  const strip = document.querySelector("#nav > div");
  const watcher = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      for (const [id, link] of Object.entries(links)) {
        if (id === target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      const link = links[target.id];
      strip.scrollLeft = link.offsetLeft - strip.offsetLeft - (strip.clientWidth - link.offsetWidth) / 2;
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((section) => watcher.observe(section));
}
build();
