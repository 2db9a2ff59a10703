// The page from its parts.
const [HEIGHT, WIDTH, CHANNELS] = DATA.shape;

function head() {
  const what = `${HEIGHT} × ${WIDTH} ${CHANNELS === 1 ? "grey" : "coloured"} pixels`;
  document.getElementById("head").append(el("div", { class: "eyebrow" }, "cynet"), el("h1", {}, DATA.title),
    el("div", { class: "lead" }, `A net of ${whole(DATA.parameters)} trained numbers for ${whole(DATA.classes.length)} ${SEVERAL ? "labels" : "classes"} of ${what}. `
      + "It runs in this page: what you give it stays on this device."));
}
// Whether most pictures have dark edges, as those of digits do: a drawing then begins on black.
function isDark({ bytes, count }) {
  let sum = 0, edge = 0;
  for (let k = 0; k < count; k++) for (let i = 0; i < WIDTH * CHANNELS; i++, edge++) sum += bytes(k)[i];
  return edge > 0 && sum / edge < 64;
}
function section(id, title, draw) {
  const made = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title));
  document.getElementById("main").append(made);
  return draw(made);
}
// The compiler of the browser takes some runs to make a net fast.
function warm(bytes) {
  for (let i = 0, start = performance.now(); i < 12 && performance.now() - start < 200; i++) NET.run(bytes);
}
function build() {
  head();
  document.getElementById("main").replaceChildren();
  section("answer", "What the net says", answers);
  const shown = section("pictures", "Pictures", (host) => {
    const made = DATA.pictures.count ? strip(host) : { count: 0 };
    fromOutside(host);
    return made;
  });
  section("drawing", "Draw one", (host) => drawing(host, isDark(shown)));
  if (NET.first) section("first", "What the first layer sees", looking);
  document.getElementById("foot").append(
    `A picture of another size is ${DATA.resize === "crop" ? "cut to the middle part of these proportions and scaled" : "scaled as a whole"} as cynet does it`
    + `${DATA.kept[0] > HEIGHT || DATA.kept[1] > WIDTH ? `, to ${DATA.kept.join(" × ")}, of which the net sees the middle` : ""}; it is turned upright, and put on white where it is transparent. `
    + `${whole(DATA.macs)} multiplications a picture. Written by cynet ${DATA.cynet}. This page holds all it needs and asks for nothing from the network.`);
  warm(shown.count ? shown.bytes(0) : new Uint8Array(HEIGHT * WIDTH * CHANNELS));
  if (shown.count) shown.choose(0, false);
  else sentence.textContent = "Give it a picture.";
}
build();
