// The other operations. Each makes its tables once, and returns what reads `x.data` and writes `y.data`.
const lastOf = (shape) => shape[shape.length - 1];

function linear({ arrays }, [x], y) {
  const inputs = lastOf(x.shape), outputs = lastOf(y.shape), rows = product(x.shape) / inputs, { weight } = arrays;
  const bias = arrays.bias ?? new Float32Array(outputs);
  const { data } = x;
  return () => {
    for (let r = 0, at = 0; r < rows; r++) for (let o = 0, w = 0; o < outputs; o++, at++) {
      let a = bias[o], b = 0, i = r * inputs; // two sums, of which neither waits for the other
      for (const end = w + inputs - (inputs % 2); w < end; w += 2, i += 2) {
        a += data[i] * weight[w];
        b += data[i + 1] * weight[w + 1];
      }
      if (inputs % 2) a += data[i] * weight[w++];
      y.data[at] = a + b;
    }
  };
}
function scale({ arrays }, [x], y) {
  const channels = lastOf(x.shape), { scale: factors, shift } = arrays, { data } = x, out = y.data;
  return () => { for (let i = 0; i < out.length;) for (let c = 0; c < channels; c++, i++) out[i] = data[i] * factors[c] + shift[c]; };
}
function curve({ numbers, arrays }, [x], y) {
  if (numbers.kind === "prelu") {
    const count = arrays.slope.length;
    return () => { for (let i = 0; i < y.data.length; i++) y.data[i] = x.data[i] < 0 ? arrays.slope[i % count] * x.data[i] : x.data[i]; };
  }
  const change = curved(numbers, y.data);
  return () => { y.data.set(x.data); change(); };
}
function softmax(step, [x], y) {
  const channels = lastOf(x.shape);
  return () => {
    for (let at = 0; at < y.data.length; at += channels) y.data.set(shares(x.data.subarray(at, at + channels)), at);
  };
}
// e to the power of each number, as parts of their sum.
function shares(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity), powers = Array.from(logits, (value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
function means(step, [x], y) {
  const [, , channels] = images(x.shape), pixels = product(x.shape) / channels;
  return () => {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = c; i < x.data.length; i += channels) sum += x.data[i];
      y.data[c] = sum / pixels;
    }
  };
}
function greatest(step, [x], y) {
  return () => {
    y.data.fill(-Infinity);
    for (let i = 0; i < x.data.length; i++) y.data[i % y.data.length] = Math.max(y.data[i % y.data.length], x.data[i]);
  };
}
function areas({ tables: { rows, columns } }, [x], y) {
  const [, width, channels] = images(x.shape), [outHigh, outWide] = images(y.shape);
  return () => {
    for (let r = 0, at = 0; r < outHigh; r++) for (let c = 0; c < outWide; c++) for (let k = 0; k < channels; k++, at++) {
      const bottom = rows[outHigh + r], right = columns[outWide + c];
      let sum = 0;
      for (let i = rows[r]; i < bottom; i++) for (let j = columns[c]; j < right; j++) sum += x.data[(i * width + j) * channels + k];
      y.data[at] = sum / ((bottom - rows[r]) * (right - columns[c]));
    }
  };
}
const each = (join) => (step, xs, y) => () => {
  y.data.set(xs[0].data);
  for (const x of xs.slice(1)) for (let i = 0; i < y.data.length; i++) y.data[i] = join(y.data[i], x.data[i]);
};
function concatenate(step, xs, y) {
  const line = lastOf(y.shape);
  return () => {
    let first = 0;
    for (const x of xs) {
      const channels = lastOf(x.shape);
      for (let from = 0, to = first; from < x.data.length; from += channels, to += line) y.data.set(x.data.subarray(from, from + channels), to);
      first += channels;
    }
  };
}
const copied = (step, [x], y) => () => y.data.set(x.data);
// y[i] = x[places[i]], or 0 where there is none.
function moved(places) {
  return ([x], y) => () => { for (let i = 0; i < places.length; i++) y.data[i] = places[i] < 0 ? 0 : x.data[places[i]]; };
}
function flatten(step, [x], y) {
  const channels = lastOf(x.shape), pixels = product(x.shape) / channels; // channel by channel
  return moved(new Int32Array(product(y.shape)).map((_, i) => (i % pixels) * channels + Math.floor(i / pixels)))([x], y);
}
function shuffle({ numbers: { groups } }, [x], y) {
  const channels = lastOf(x.shape), own = channels / groups;
  return moved(new Int32Array(product(y.shape)).map((_, i) => {
    const c = i % channels;
    return i - c + (c % groups) * own + Math.floor(c / groups);
  }))([x], y);
}
// The place in x of each number of y, by the row and column of its pixel.
function pixelwise(x, y, row, column) {
  const [height, width, channels] = images(x.shape), [, outWide] = images(y.shape);
  return moved(new Int32Array(product(y.shape)).map((_, i) => {
    const pixel = Math.floor(i / channels), r = row(Math.floor(pixel / outWide)), c = column(pixel % outWide);
    return r < 0 || r >= height || c < 0 || c >= width ? -1 : (r * width + c) * channels + (i % channels);
  }))([x], y);
}
const pad = ({ numbers: { padding: [top, left] } }, [x], y) => pixelwise(x, y, (r) => r - top, (c) => c - left);
const nearest = ({ tables: { rows, columns } }, [x], y) => pixelwise(x, y, (r) => rows[r], (c) => columns[c]);
function bilinear({ tables: { rows, columns }, arrays: { down, right } }, [x], y) {
  const [, width, channels] = images(x.shape), [outHigh, outWide] = images(y.shape);
  return () => {
    for (let r = 0, at = 0; r < outHigh; r++) for (let c = 0; c < outWide; c++) {
      const upper = rows[r] * width, lower = rows[outHigh + r] * width, one = columns[c], two = columns[outWide + c], s = right[c];
      const mixed = (line, k) => x.data[(line + one) * channels + k] * (1 - s) + x.data[(line + two) * channels + k] * s;
      for (let k = 0; k < channels; k++, at++) y.data[at] = mixed(upper, k) * (1 - down[r]) + mixed(lower, k) * down[r];
    }
  };
}
// Numbers of one kind (`kind` tells which, of a place) less their mean, by their deviation; then weights and biases.
function normed(x, y, kinds, kind, eps, finish) {
  const sums = new Float64Array(kinds), squares = new Float64Array(kinds), size = product(x.shape) / kinds;
  return () => {
    sums.fill(0);
    squares.fill(0);
    for (let i = 0; i < x.data.length; i++) sums[kind(i)] += x.data[i] / size;
    for (let i = 0; i < x.data.length; i++) squares[kind(i)] += (x.data[i] - sums[kind(i)]) ** 2 / size;
    for (let i = 0; i < x.data.length; i++) y.data[i] = finish((x.data[i] - sums[kind(i)]) / Math.sqrt(squares[kind(i)] + eps), i);
  };
}
function group_norm({ numbers: { groups, eps }, arrays: { weight, bias } }, [x], y) {
  const channels = lastOf(x.shape), own = channels / groups;
  return normed(x, y, groups, (i) => Math.floor((i % channels) / own), eps, (v, i) => v * (weight?.[i % channels] ?? 1) + (bias?.[i % channels] ?? 0));
}
function layer_norm({ numbers: { axes, eps }, arrays: { weight, bias } }, [x], y) {
  const size = product(x.shape.slice(-axes));
  return normed(x, y, product(x.shape) / size, (i) => Math.floor(i / size), eps, (v, i) => v * (weight?.[i % size] ?? 1) + (bias?.[i % size] ?? 0));
}

const OPERATIONS = {
  conv, deconv, linear, scale, pixels: scale, max_pool, avg_pool, areas, mean: means, max: greatest, curve, softmax,
  add: each((a, b) => a + b), multiply: each((a, b) => a * b), concatenate, flatten, reshape: copied, pad, nearest, bilinear,
  shuffle, group_norm, layer_norm,
};
