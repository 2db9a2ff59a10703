// The strip of pictures for testing. Their bytes are the data set's own.
function strip(host) {
  const { count, labels } = DATA.pictures, all = decoded(DATA.pictures.bytes), size = product(DATA.shape);
  const bytes = (k) => all.subarray(k * size, (k + 1) * size), marks = new Map();
  const [height, width, channels] = DATA.shape, list = el("div", { class: "strip", role: "listbox", "aria-label": "Pictures for testing" });
  const options = Array.from({ length: count }, (_, k) => {
    const truth = labels ? names(truthOf(labels[k])) : "", [thumb, context] = canvas(width, height);
    paint(context, bytes(k), channels);
    return el("div", { role: "option", tabindex: "-1", "aria-selected": "false", "aria-label": `Test picture ${k + 1}${truth && `: ${truth}`}`, title: truth, onclick: () => choose(k) }, thumb);
  });
  list.append(...options);
  const score = el("span", { class: "hint", role: "status" });
  let at = 0;
  function choose(k, focus = true) {
    options[at].tabIndex = -1;
    at = k;
    options[k].tabIndex = 0;
    if (focus) options[k].focus();
    answer(bytes(k), { name: `Test picture ${k + 1}`, label: labels?.[k], index: k });
  }
  function mark(k, said) {
    if (!labels) return;
    marks.set(k, isRight(said, labels[k]));
    options[k].classList.toggle("hit", marks.get(k));
    options[k].classList.toggle("miss", !marks.get(k));
    const right = [...marks.values()].filter(Boolean).length;
    score.textContent = `${whole(right)} of ${whole(marks.size)} right`;
  }
  after = (index, said) => {
    options.forEach((option, k) => option.setAttribute("aria-selected", String(k === index)));
    if (index >= 0) mark(index, said);
  };
  list.addEventListener("keydown", (event) => {
    const columns = options.filter((option) => option.offsetTop === options[0].offsetTop).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? count - 1 : event.key === " " || event.key === "Enter" ? at : step && at + step;
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to < count) choose(to);
  });
  // All of them, a few at a time, so that the page stays alive.
  async function every() {
    button.disabled = true;
    for (let k = 0, since = performance.now(); k < count; k++) {
      mark(k, asked(bytes(k)).said);
      if (performance.now() - since > 30) {
        await new Promise((resolve) => setTimeout(resolve));
        since = performance.now();
      }
    }
    button.disabled = false;
    choose(at, false); // what stands above is of one picture again, with the times of all
  }
  const button = labels && count > 1 ? el("button", { type: "button", class: "button", onclick: every }, `Answer all ${whole(count)}`) : null;
  host.append(list, el("p", { class: "bar-line" }, button, score));
  return { bytes, count, choose };
}
