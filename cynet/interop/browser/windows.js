// Windows over pictures (height, width, channels): convolution, its transpose, pooling.
// Each makes its tables once, and returns what reads `x.data` and writes `y.data`.
const images = (shape) => [1, 1, 1, ...shape].slice(shape.length);
const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

// The picture with its padding around it: zeros, or pixels of its own; as it is where there is none.
function padded(x, { padding: [top, left, bottom, right] }, tables = {}) {
  const [height, width, channels] = images(x.shape), line = width + left + right;
  if (!(top || left || bottom > 0 || right > 0)) return { data: x.data, line: width, fill() {} };
  const inside = (count, before, size) => Array.from({ length: count }, (_, i) => (i >= before && i < before + size ? i - before : -1));
  const rows = tables.rows ?? inside(height + top + bottom, top, height), columns = tables.columns ?? inside(line, left, width);
  const data = new Float32Array(rows.length * line * channels);
  if (tables.rows) {
    return { data, line, fill() {
      let at = 0;
      for (const r of rows) for (const c of columns) for (let k = 0, from = (r * width + c) * channels; k < channels; k++) data[at++] = x.data[from++];
    } };
  }
  const kept = Math.min(width, line - left) * channels; // the zeros around them stay
  return { data, line, fill() {
    rows.forEach((r, i) => { if (r >= 0) data.set(x.data.subarray(r * width * channels, r * width * channels + kept), (i * line + left) * channels); });
  } };
}
// Where the window of each output pixel begins, in numbers.
function corners([height, width], [down, along], line, channels) {
  const places = new Int32Array(height * width);
  for (let i = 0, r = 0; r < height; r++) for (let c = 0; c < width; c++) places[i++] = (r * down * line + c * along) * channels;
  return places;
}

function conv({ numbers, arrays, tables }, [x], y) {
  const { kernel: [high, wide], stride, dilation: [down, along], groups } = numbers;
  const channels = images(x.shape)[2], [outHigh, outWide, outputs] = images(y.shape), each = channels / groups;
  const source = padded(x, numbers, tables), places = corners([outHigh, outWide], stride, source.line, channels);
  const taps = new Int32Array(high * wide).map((_, t) => (Math.floor(t / wide) * down * source.line + (t % wide) * along) * channels);
  const bias = arrays.bias ?? new Float32Array(outputs), weight = (o, i, t) => arrays.weight[(o * each + i) * high * wide + t];
  if (each === 1 && outputs === channels) {
    const own = new Float32Array(taps.length * channels).map((_, k) => weight(k % channels, 0, Math.floor(k / channels)));
    return () => { source.fill(); alone(source.data, y.data, own, bias, places, taps); };
  }
  // A row of a window lies in one piece where it has all channels of pixels side by side.
  const pieces = groups === 1 && along === 1, length = pieces ? wide * channels : each;
  const starts = pieces ? taps.filter((_, t) => t % wide === 0) : taps, mine = outputs / groups, blocks = Math.ceil(mine / 4);
  const packed = Array.from({ length: groups }, (_, g) => {
    const found = new Float32Array(blocks * starts.length * length * 4);
    let at = 0;
    for (let b = 0; b < blocks; b++) for (let s = 0; s < starts.length; s++) for (let k = 0; k < length; k++) for (let o = 4 * b; o < 4 * b + 4; o++, at++) {
      if (o < mine) found[at] = pieces ? weight(o, k % channels, s * wide + Math.floor(k / channels)) : weight(g * mine + o, k, s);
    }
    return found;
  });
  return () => {
    source.fill();
    packed.forEach((weights, g) => together(source.data, y.data, weights, bias, places, starts, length, g * each, g * mine, mine, outputs));
  };
}
// Four outputs of two pixels at a time: as many sums as a processor has registers for, in double precision.
function together(x, y, weights, bias, places, starts, length, shift, first, mine, outputs) {
  const count = places.length, piece = length * 4, block = piece * starts.length;
  for (let o = 0; o < mine; o += 4) {
    const from = (o / 4) * block, rest = mine - o, to = first + o;
    const b0 = bias[to], b1 = rest > 1 ? bias[to + 1] : 0, b2 = rest > 2 ? bias[to + 2] : 0, b3 = rest > 3 ? bias[to + 3] : 0;
    for (let p = 0; p < count; p += 2) {
      const other = p + 1 < count ? p + 1 : p, one = places[p] + shift, two = places[other] + shift;
      let a0 = b0, a1 = b1, a2 = b2, a3 = b3, c0 = b0, c1 = b1, c2 = b2, c3 = b3, k = from;
      for (let s = 0; s < starts.length; s++) {
        let i = one + starts[s], j = two + starts[s];
        for (const end = k + piece; k < end; k += 4) {
          const u = x[i++], v = x[j++], w0 = weights[k], w1 = weights[k + 1], w2 = weights[k + 2], w3 = weights[k + 3];
          a0 += u * w0; a1 += u * w1; a2 += u * w2; a3 += u * w3;
          c0 += v * w0; c1 += v * w1; c2 += v * w2; c3 += v * w3;
        }
      }
      let at = p * outputs + to;
      y[at] = a0;
      if (rest > 1) y[at + 1] = a1;
      if (rest > 2) y[at + 2] = a2;
      if (rest > 3) y[at + 3] = a3;
      at = other * outputs + to;
      y[at] = c0;
      if (rest > 1) y[at + 1] = c1;
      if (rest > 2) y[at + 2] = c2;
      if (rest > 3) y[at + 3] = c3;
    }
  }
}
// Each channel by itself.
function alone(x, y, weights, bias, places, taps) {
  const channels = bias.length;
  for (let p = 0; p < places.length; p++) {
    for (let c = 0, at = p * channels; c < channels; c++, at++) {
      let sum = bias[c];
      for (let t = 0, w = c, from = places[p] + c; t < taps.length; t++, w += channels) sum += x[from + taps[t]] * weights[w];
      y[at] = sum;
    }
  }
}

function deconv({ numbers, arrays }, [x], y) {
  const { kernel: [high, wide], stride, dilation, padding: [top, left], groups } = numbers;
  const [inHigh, inWide, channels] = images(x.shape), [outHigh, outWide, outputs] = images(y.shape), each = outputs / groups;
  const bias = arrays.bias ?? new Float32Array(outputs), sums = new Float64Array(product(y.shape));
  return () => {
    for (let i = 0; i < sums.length; i++) sums[i] = bias[i % outputs];
    for (let r = 0; r < inHigh; r++) for (let c = 0; c < inWide; c++) for (let t = 0; t < high * wide; t++) {
      const row = r * stride[0] - top + Math.floor(t / wide) * dilation[0], column = c * stride[1] - left + (t % wide) * dilation[1];
      if (row < 0 || row >= outHigh || column < 0 || column >= outWide) continue;
      for (let i = 0; i < channels; i++) {
        const value = x.data[(r * inWide + c) * channels + i], first = Math.floor((i * groups) / channels) * each;
        for (let o = 0, at = (row * outWide + column) * outputs + first; o < each; o++, at++) sums[at] += value * arrays.weight[(i * each + o) * high * wide + t];
      }
    }
    y.data.set(sums);
  };
}

function max_pool({ numbers }, [x], y) {
  return pooled(numbers, x, y, -Infinity, Math.max, (most) => most);
}
function avg_pool({ numbers, tables }, [x], y) {
  return pooled({ dilation: [1, 1], ...numbers }, x, y, 0, (sum, value) => sum + value, (sum, p) => sum / tables.counts[p]);
}
// Of each window what `join` makes of its pixels, those of the padding left out.
function pooled({ kernel: [high, wide], stride, dilation: [down, along], padding: [top, left] }, x, y, start, join, end) {
  const [inHigh, inWide, channels] = images(x.shape), [outHigh, outWide] = images(y.shape);
  const pixels = Array.from({ length: outHigh * outWide }, (_, p) => {
    const found = [], row = Math.floor(p / outWide) * stride[0] - top, column = (p % outWide) * stride[1] - left;
    for (let i = 0, r = row; i < high; i++, r += down) for (let j = 0, c = column; j < wide; j++, c += along) {
      if (r >= 0 && r < inHigh && c >= 0 && c < inWide) found.push((r * inWide + c) * channels);
    }
    return new Int32Array(found);
  });
  return () => pixels.forEach((places, p) => {
    for (let c = 0; c < channels; c++) {
      let found = start;
      for (let i = 0; i < places.length; i++) found = join(found, x.data[places[i] + c]);
      y.data[p * channels + c] = end(found, p);
    }
  });
}
