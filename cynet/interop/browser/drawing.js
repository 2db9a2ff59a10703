// A sheet to draw on, with a pointer, or with keys. It is scaled to the net's size as any picture is.
const ROOM = 336; // the longer side of the sheet, about

function drawing(host, dark) {
  const [height, width, channels] = DATA.shape, factor = Math.max(1, Math.round(ROOM / Math.max(height, width)));
  const [sheet, context] = canvas(width * factor, height * factor, { class: "sheet", tabindex: "0", role: "application",
    "aria-label": "Sheet to draw on. Arrow keys move the pen, with Shift further; Space puts it down and lifts it; Delete clears." });
  const cross = el("div", { class: "cross", hidden: true }), side = Math.max(sheet.width, sheet.height);
  let colours = dark ? ["#ffffff", "#000000"] : ["#000000", "#ffffff"], pen = [sheet.width / 2, sheet.height / 2], down = false, waiting = false;
  const size = el("input", { type: "range", id: "size", min: "1", max: "100", value: "30" });
  const usual = Math.max(side / 16, 1.6 * factor), ink = () => 1 + usual * (size.value / 30) ** 1.5; // of lines that the net can see

  function clear() {
    context.fillStyle = colours[1];
    context.fillRect(0, 0, sheet.width, sheet.height);
  }
  function line(to) {
    Object.assign(context, { strokeStyle: colours[0], lineWidth: ink(), lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...pen);
    context.lineTo(...to);
    context.stroke();
  }
  function read(brief) {
    answer(fitted(context.getImageData(0, 0, sheet.width, sheet.height).data, sheet.width, sheet.height), { name: "Your drawing", brief });
    below.textContent = sentence.textContent;
  }
  // While a line is drawn: at most once a frame, and only where the net is fast enough for it.
  function soon() {
    if (waiting || (times.length && median(times) > 30)) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; read(true); });
  }
  const place = ({ clientX, clientY }) => {
    const box = sheet.getBoundingClientRect();
    return [((clientX - box.left) * sheet.width) / box.width, ((clientY - box.top) * sheet.height) / box.height];
  };
  sheet.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    sheet.setPointerCapture?.(event.pointerId);
    cross.hidden = true;
    [pen, down] = [place(event), true];
    line(pen);
    soon();
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!down || !event.isPrimary) return;
    for (const each of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) { const to = place(each); line(to); pen = to; }
    soon();
  });
  const end = () => { if (down) { down = false; read(); } };
  sheet.addEventListener("pointerup", end);
  sheet.addEventListener("pointercancel", end);

  let drawn = false; // whether the keys' pen is down
  function follow() {
    cross.hidden = false;
    cross.classList.toggle("down", drawn);
    cross.style.cssText = `left:${(pen[0] / sheet.width) * 100}%;top:${(pen[1] / sheet.height) * 100}%`;
  }
  sheet.addEventListener("keydown", (event) => {
    const step = (event.shiftKey ? 4 : 1) * side / 32, way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.key === " ") {
      drawn = !drawn;
      if (drawn) line(pen);
      read();
    } else if (event.key === "Delete" || event.key === "Backspace") { clear(); read(); }
    else if (way) {
      const to = [between(pen[0] + way[0] * step, 0, sheet.width), between(pen[1] + way[1] * step, 0, sheet.height)];
      if (drawn) line(to);
      pen = to;
      if (drawn) read();
    } else return;
    event.preventDefault();
    follow();
  });
  sheet.addEventListener("blur", () => { drawn = false; cross.hidden = true; });

  const tool = (id, label, input) => el("div", { class: "tool" }, el("label", { for: id }, label), input);
  const colour = (id, k, label) => tool(id, label, el("input", { type: "color", id, value: colours[k], oninput: (event) => {
    colours[k] = event.target.value;
    if (k) { clear(); read(); }
  } }));
  const grey = () => choice("Ink", ["black ink", "white ink"], dark ? 1 : 0, (k) => {
    colours = k ? ["#ffffff", "#000000"] : ["#000000", "#ffffff"];
    clear();
    read();
  });
  const below = el("p", { class: "below", "aria-hidden": "true" });
  clear();
  host.append(el("div", { class: "desk" }, el("div", { class: "paper" }, sheet, cross), el("div", { class: "tools" }, below, tool("size", "Pen", size),
    channels === 1 ? grey() : [colour("ink", 0, "Ink"), colour("paper", 1, "Paper")],
    el("button", { type: "button", class: "button", onclick: () => { clear(); read(); } }, "Clear"),
    el("p", { class: "hint" }, "With keys: arrows move, Shift with them further, Space puts the pen down and lifts it, Delete clears."))));
}
