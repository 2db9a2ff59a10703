// Pictures of any size made into those that the net takes, as Pillow does it for cynet: `Image.resize` with its
// bilinear filter and a reducing gap of 3, in the same whole numbers. To the byte that is Pillow 10 to 12; some sizes
// Pillow 13 scales down first, then along, so that a byte may be one more or less.
const planes = (pixels, channels) => { // of red, green, blue and alpha, what is left of alpha is white
  const count = pixels.length / 4, found = new Uint8Array(count * channels);
  for (let i = 0, at = 0; i < count; i++) {
    const r = pixels[4 * i], g = pixels[4 * i + 1], b = pixels[4 * i + 2];
    if (channels === 1) found[at++] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16; // ITU-R 601-2, as Pillow rounds it
    else { found[at++] = r; found[at++] = g; found[at++] = b; }
  }
  return found;
};
// {data, width, height, channels} as one of `size`, (height, width).
function resized(picture, [height, width], resize) {
  let box = [0, 0, picture.width, picture.height];
  if (resize === "crop") { // the largest middle part of the wanted proportions
    const scale = Math.min(picture.width / width, picture.height / height);
    const wide = Math.min(scale * width, picture.width), high = Math.min(scale * height, picture.height);
    const x = (picture.width - wide) / 2, y = (picture.height - high) / 2;
    box = [x, y, Math.min(x + wide, picture.width), Math.min(y + high, picture.height)];
  }
  const [along, down] = [Math.trunc((box[2] - box[0]) / width / 3) || 1, Math.trunc((box[3] - box[1]) / height / 3) || 1];
  if (along > 1 || down > 1) {
    const [x, y] = [(box[2] - box[0]) / width / 2, (box[3] - box[1]) / height / 2]; // what the filter reaches beyond
    const safe = [Math.max(0, Math.trunc(box[0] - x)), Math.max(0, Math.trunc(box[1] - y)),
      Math.min(picture.width, Math.ceil(box[2] + x)), Math.min(picture.height, Math.ceil(box[3] + y))];
    picture = reduced(picture, along, down, safe);
    box = [(box[0] - safe[0]) / along, (box[1] - safe[1]) / down, (box[2] - safe[0]) / along, (box[3] - safe[1]) / down];
  }
  const narrow = filtered(picture, width, box[0], box[2]); // along first: it is rounded in between
  return turned(filtered(turned(narrow), height, box[1], box[3]));
}
// Rows as columns.
function turned({ data, width, height, channels }) {
  const found = new Uint8Array(data.length);
  for (let y = 0, from = 0; y < height; y++) for (let x = 0; x < width; x++) {
    for (let c = 0, at = (x * height + y) * channels; c < channels; c++) found[at++] = data[from++];
  }
  return { data: found, width: height, height: width, channels };
}
// The means of so many pixels along and down within a part.
function reduced({ data, width: line, channels }, along, down, [left, top, right, bottom]) {
  const width = Math.ceil((right - left) / along), height = Math.ceil((bottom - top) / down), found = new Uint8Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const x0 = left + x * along, y0 = top + y * down, x1 = Math.min(right, x0 + along), y1 = Math.min(bottom, y0 + down);
    const count = (x1 - x0) * (y1 - y0), part = Math.floor(2 ** 24 / count);
    for (let c = 0; c < channels; c++) {
      let sum = count >> 1;
      for (let i = y0; i < y1; i++) for (let j = x0; j < x1; j++) sum += data[(i * line + j) * channels + c];
      found[at++] = Math.floor((sum * part) / 2 ** 24);
    }
  }
  return { data: found, width, height, channels };
}
// Each row, from one place to another, as so many pixels, by a triangle as wide as the pixels lie apart.
function filtered({ data, width: line, height, channels }, width, from, to) {
  if (width === line && from === 0 && to === line) return { data, width, height, channels };
  const first = Math.fround(from), scale = Math.fround(Math.fround(to) - first) / width, reach = Math.max(scale, 1);
  const found = new Uint8Array(width * height * channels);
  for (let x = 0; x < width; x++) {
    const centre = first + (x + 0.5) * scale, start = Math.max(0, Math.trunc(centre - reach + 0.5)), end = Math.min(line, Math.trunc(centre + reach + 0.5));
    const parts = Array.from({ length: end - start }, (_, i) => Math.max(0, 1 - Math.abs((i + start - centre + 0.5) * (1 / reach))));
    const sum = parts.reduce((a, b) => a + b, 0), weights = parts.map((part) => Math.trunc(0.5 + (part / sum) * 2 ** 22));
    for (let y = 0; y < height; y++) for (let c = 0; c < channels; c++) {
      let total = 2 ** 21;
      for (let i = 0, at = (y * line + start) * channels + c; i < weights.length; i++, at += channels) total += data[at] * weights[i];
      found[(y * width + x) * channels + c] = Math.min(255, Math.floor(total / 2 ** 22));
    }
  }
  return { data: found, width, height, channels };
}
// The bytes that the net is given of pixels as a canvas has them.
function fitted(pixels, width, height) {
  const [high, wide, channels] = DATA.shape, { data, width: line } = resized({ data: planes(pixels, channels), width, height, channels }, DATA.kept, DATA.resize);
  const even = (half) => (half % 1 === 0.5 ? 2 * Math.round(half / 2) : Math.round(half)); // as Python rounds
  const top = even((DATA.kept[0] - high) / 2), left = even((DATA.kept[1] - wide) / 2), found = new Uint8Array(high * wide * channels);
  for (let y = 0; y < high; y++) {
    const at = ((top + y) * line + left) * channels;
    found.set(data.subarray(at, at + wide * channels), y * wide * channels);
  }
  return found;
}
