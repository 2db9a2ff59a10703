// Pictures from outside: dropped, pasted, or taken from a file; and how bytes are shown.
const MOST_PIXELS = 2 ** 26; // of a picture that is decoded, as in cynet

function canvas(width, height, attributes) {
  const made = el("canvas", { width, height, ...attributes });
  return [made, made.getContext("2d", { willReadFrequently: true })];
}
// Bytes, grey or red, green and blue, on a canvas of their size.
function paint(context, bytes, channels) {
  const { width, height } = context.canvas, image = context.createImageData(width, height), { data } = image;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = bytes[i * channels + (channels === 1 ? 0 : c)];
    data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
// What the net is given of a file: upright, colours as they are in it, on white where it is transparent.
async function bytesOf(file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name || "what was given"} is no picture that this browser can read`);
  }
  const { width, height } = picture;
  if (width * height > MOST_PIXELS) throw new Error(`${file.name}: wanted at most ${whole(MOST_PIXELS)} pixels, got ${width} × ${height}`);
  const [, context] = canvas(width, height);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0);
  picture.close();
  return fitted(context.getImageData(0, 0, width, height).data, width, height);
}
async function take(files) {
  const file = [...files].find((one) => one.type.startsWith("image/")) ?? files[0];
  if (!file) return complaint.replaceChildren("That was no file. Save the picture first, and drop the file.");
  try {
    const bytes = await bytesOf(file);
    answer(bytes, { name: file.name || "the pasted picture" });
  } catch (error) {
    complaint.replaceChildren(error.message);
  }
}
function fromOutside(host) {
  const input = el("input", { type: "file", accept: "image/*", class: "visually-hidden", id: "file", onchange: () => {
    take(input.files);
    input.value = ""; // the same file may be chosen again
  } });
  host.append(el("p", { class: "bar-line" }, input, el("label", { for: "file", class: "button" }, "Choose a picture…"),
    el("span", { class: "hint" }, "or drop one anywhere, or paste it.")), complaint);
  const over = (event, on) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", on);
  };
  addEventListener("dragover", (event) => over(event, true));
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(event, false); });
  addEventListener("drop", (event) => { over(event, false); take(event.dataTransfer.files); });
  addEventListener("paste", (event) => { if (event.clipboardData?.files.length) take(event.clipboardData.files); });
}
