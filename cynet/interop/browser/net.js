// A net: its steps as functions on buffers, made once. A run calls them in order and allocates next to nothing.
class Net {
  constructor({ shapes, steps, input, output, first }, numbers) {
    const left = {}, buffers = new Map(), free = [];
    for (const value of [input, output, ...steps.flatMap((step) => step.inputs)]) left[value] = (left[value] ?? 0) + 1;
    if (first !== null) left[steps[first].output]++; // it is shown
    left[input]++; // kept from run to run
    const made = (value) => {
      const shape = shapes[value], size = product(shape), at = free.findIndex((memory) => memory.length >= size);
      const memory = at < 0 ? new Float32Array(size) : free.splice(at, 1)[0];
      buffers.set(value, memory);
      return { shape, data: memory.subarray(0, size) };
    };
    const values = { [input]: made(input) };
    this.runs = [];
    steps.forEach(({ arrays, ...step }, number) => {
      const y = (values[step.output] = made(step.output));
      const own = Object.fromEntries(Object.entries(arrays).map(([name, [from, size]]) => [name, numbers.subarray(from, from + size)]));
      this.runs.push(OPERATIONS[step.operation]({ ...step, arrays: own }, step.inputs.map((value) => values[value]), y));
      if (step.after) this.runs.push(curved(step.after, y.data));
      if (number === first) this.first = { operation: step.operation, weight: own.weight, numbers: step.numbers, output: y };
      for (const value of step.inputs) if (--left[value] === 0) free.push(buffers.get(value)); // who comes later may write there
      free.sort((a, b) => a.length - b.length);
    });
    this.input = values[input].data;
    this.output = values[output].data;
  }
  // What the net gives for the bytes of a picture.
  run(bytes) {
    this.input.set(bytes);
    for (const run of this.runs) run();
    return this.output;
  }
}
// Bytes from base64, piece by piece: the whole of a large net in one text would take many times its room.
function decoded(text) {
  const size = Math.floor((text.length * 3) / 4) - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0), found = new Uint8Array(size);
  for (let from = 0, at = 0; from < text.length; from += 1 << 16) {
    const piece = atob(text.slice(from, from + (1 << 16)));
    for (let i = 0; i < piece.length; i++) found[at++] = piece.charCodeAt(i);
  }
  return found;
}
