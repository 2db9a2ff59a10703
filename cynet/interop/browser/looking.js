// What the first layer sees: beside each of its filters the picture that it makes of the one that was given.
const MOST_MAPS = 64;
let look = () => {};

// Numbers as grey levels: of both signs around the middle, or from black.
function levels(context, numbers, low, high) {
  paint(context, Uint8Array.from(numbers, (value) => between(((value - low) / (high - low || 1)) * 255, 0, 255)), 1);
}
function filterPicture(weight, height, width, channels, place) {
  const [shown, context] = canvas(width, height, { "aria-hidden": "true" }), most = weight.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const level = (pixel, c) => between(127.5 + (127.5 * weight[place(pixel, c)]) / (most || 1), 0, 255);
  const mean = (pixel) => Array.from({ length: channels }, (_, c) => level(pixel, c)).reduce((a, b) => a + b) / channels;
  paint(context, Uint8Array.from({ length: width * height * 3 }, (_, i) => (channels === 3 ? level(Math.floor(i / 3), i % 3) : mean(Math.floor(i / 3)))), 3);
  return shown;
}
function looking(host) {
  const { operation, weight, numbers, output } = NET.first, outputs = lastOf(output.shape), count = Math.min(outputs, MOST_MAPS);
  const some = count < outputs ? ` The first ${count} of ${outputs}.` : "", own = weight.length / outputs;
  const convolves = operation === "conv", [high, wide] = convolves ? numbers.kernel : DATA.shape, channels = own / (high * wide);
  const filter = (k) => filterPicture(weight.subarray(k * own, (k + 1) * own), high, wide, channels, (pixel, c) => c * high * wide + pixel);
  const [rows, columns] = convolves ? images(output.shape) : [];
  const maps = Array.from({ length: count }, (_, k) => {
    const [shown, context] = convolves ? canvas(columns, rows, { role: "img", "aria-label": `What filter ${k} sees` }) : [el("b", {})];
    return { context, shown, item: el("li", {}, el("div", { class: "pair" }, high * wide > 1 ? filter(k) : null, shown), el("div", { class: "under" }, String(k))) };
  });
  look = () => {
    const { data } = output;
    if (!convolves) return maps.forEach(({ shown }, k) => { shown.textContent = short(data[k]); });
    const [least, most] = data.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0]), reach = Math.max(-least, most);
    maps.forEach(({ context }, k) => levels(context, Float32Array.from({ length: rows * columns }, (_, p) => data[p * outputs + k]), least < 0 ? -reach : 0, reach));
  };
  host.append(el("p", { class: "hint" }, (convolves ? "Each filter of the first layer, and beside it what it makes of the picture above: the brighter, the better it fits there."
    : "What the first layer weighs each pixel of the picture by, and what it comes to.") + ` In a filter grey is 0.${some}`), el("ul", { class: "maps" }, maps.map(({ item }) => item)));
}
