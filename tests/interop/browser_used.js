// What test_browser_used.py does on pages, and what it reads of them.
const $ = (words) => document.querySelector(words), $$ = (words) => [...document.querySelectorAll(words)];
const press = (node, key, shiftKey = false) =>
  !node.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
const button = (text) => $$("button").find((one) => one.textContent.startsWith(text));
const told = () => [$("#said").textContent, $("#source").textContent, $$("[aria-selected=true]").map((o) => o.ariaLabel)];
const dark = () => { // the pixels of what the net is given that are darker than half
  const { data } = ground.getImageData(0, 0, seen.width, seen.height);
  return Array.from({ length: data.length / 4 }, (_, i) => i).filter((i) => data[4 * i] < 128);
};
const point = (name, x, y) => {
  const box = $(".sheet").getBoundingClientRect(), sheet = $(".sheet");
  sheet.setPointerCapture = () => {}; // there is no such pointer
  sheet.dispatchEvent(new PointerEvent(name, { clientX: box.left + x * box.width, clientY: box.top + y * box.height, isPrimary: true }));
};

function coloured() {
  const said = { first: told(), wide: document.documentElement.scrollWidth <= innerWidth };
  said.bars = $$(".bars li").map((li) => [li.textContent, li.className.trim(), li.querySelector("i i").style.width]);
  said.tabs = $$("[tabindex='0'], button, input").map((node) => node.id || node.ariaLabel || node.textContent);
  said.keys = ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft", "End", "ArrowRight", "Home", "x"].map((key) => {
    const taken = press(document.activeElement.role ? document.activeElement : $("[role=option]"), key);
    return [taken, ...told()[2], document.activeElement.ariaLabel];
  });
  press($("[role=option]"), "End");
  said.last = told();
  button("Answer all").click();
  said.marks = $$("[role=option]").map((option) => option.className).join(" ");
  said.score = $("#pictures [role=status]").textContent;
  const sheet = $(".sheet");
  sheet.focus();
  said.empty = [press(sheet, "Delete"), dark(), told()[1]];
  press(sheet, " ");
  for (let i = 0; i < 4; i++) press(sheet, "ArrowRight", true);
  said.line = dark();
  press(sheet, " ");
  press(sheet, "ArrowUp", true);
  said.lifted = dark().length;
  said.unknown = press(sheet, "a");
  button("Clear").click();
  said.cleared = [dark(), told()[2]];
  $("#size").value = 20;
  point("pointerdown", 0.1, 0.1);
  point("pointermove", 0.1, 0.9);
  point("pointerup", 0.1, 0.9);
  point("pointermove", 0.9, 0.9); // the pen is up
  said.stroke = dark();
  said.below = $(".below").textContent === $("#said").textContent;
  $("#paper").value = "#0000ff";
  $("#paper").dispatchEvent(new Event("input"));
  said.blue = [...ground.getImageData(0, 0, 1, 1).data];
  dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { files: [] } }));
  said.refused = $("#complaint").textContent;
  $("[role=option]").click();
  said.again = [$("#complaint").textContent, ...told()];
  said.maps = $$("#first li canvas[role=img]").map((map) => [map.width, map.height]);
  return said;
}

function grey() {
  const said = { first: told(), bars: $$(".bars li").map((li) => [li.textContent, li.className.trim()]) };
  said.given = [...ground.getImageData(0, 0, 2, 1).data];
  press($(".sheet"), "Delete");
  said.dark = dark().length;
  button("black ink").click();
  said.light = dark().length;
  said.none = told();
  said.weights = $$("#first li").map((li) => [li.querySelectorAll("canvas").length, li.querySelector("b").textContent]);
  said.page = [$("#weights"), $$("#pictures button").length];
  NET.runs.push(() => NET.output.fill(NaN));
  $("[role=option]").click();
  said.nan = [told()[0], $$(".bars li").length];
  return said;
}
