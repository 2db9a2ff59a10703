// Curves: what is done to each number of a value by itself.
const erf = (x) => { // Chebyshev's approximation, to 1.2e-7 (Press et al., Numerical Recipes, 6.2)
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223];
  const rest = t * Math.exp(terms.reduce((sum, term) => sum * t + term, 0) - x * x);
  return x >= 0 ? 1 - rest : rest - 1;
};
const between = (x, low, high) => (x < low ? low : x > high ? high : x); // NaN stays
const CURVES = {
  relu: () => (x) => (x < 0 ? 0 : x),
  relu6: () => (x) => between(x, 0, 6),
  leaky_relu: ({ slope }) => (x) => (x < 0 ? slope * x : x),
  elu: ({ alpha }) => (x) => (x < 0 ? alpha * Math.expm1(x) : x),
  gelu: () => (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  silu: () => (x) => x / (1 + Math.exp(-x)),
  sigmoid: () => (x) => 1 / (1 + Math.exp(-x)),
  tanh: () => Math.tanh,
  hardsigmoid: () => (x) => between(x / 6 + 0.5, 0, 1),
  hardswish: () => (x) => (x * between(x + 3, 0, 6)) / 6,
  softplus: ({ beta, threshold }) => (x) => (beta * x > threshold ? x : Math.log1p(Math.exp(beta * x)) / beta),
};
// What does a curve to all numbers of a buffer, in place; of the most frequent one by a loop of its own.
function curved(numbers, y) {
  if (numbers.kind === "relu") {
    return () => { for (let i = 0; i < y.length; i++) if (y[i] < 0) y[i] = 0; };
  }
  const curve = CURVES[numbers.kind](numbers);
  return () => { for (let i = 0; i < y.length; i++) y[i] = curve(y[i]); };
}
