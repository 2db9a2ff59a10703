// Elements, numbers and shared behaviour. All text goes through text nodes: nothing from outside becomes markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") node.style.cssText = value; // as a property: no policy forbids it
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// -- numbers
const known = (value) => value !== null && value !== undefined;
const whole = (value) => Math.round(value).toLocaleString("en");
const percent = (value, digits = 1) => (known(value) ? `${(value * 100).toFixed(digits)} %` : "–");
const last = (values) => (values ?? []).findLast(known);
const limits = (values) => values.filter(known).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);

function short(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2).replace("e+", "e").replace(/\.?0+e/, "e")
    : Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 });
  return text.replaceAll("-", "−");
}

// -- parts of a page
// A set of buttons of which one is pressed.
function choice(label, names, chosen, change) {
  const buttons = names.map((name, i) => el("button", { type: "button", "aria-pressed": String(i === chosen), onclick: () => press(i) }, name));
  function press(i) {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(k === i)));
    change(i);
  }
  return el("div", { class: "switch", role: "group", "aria-label": label }, buttons);
}
const note = (text) => el("p", { class: "note" }, text);
