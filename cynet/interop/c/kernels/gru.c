/* Gated recurrent units, from a state of zeros; `scratch` is for seven numbers of each unit. */
static void gru(const struct dense *input, const struct dense *state, const float *x, float *y, int length, int units,
                float *scratch)
{
    float *const of_x = scratch, *const of_h = scratch + 3 * units;
    const float *before = scratch + 6 * units;
    memset(scratch + 6 * units, 0, (size_t)units * sizeof(float));
    for (int i = 0; i < length; i++, x += input->inputs, before = y, y += units) {
        dense(input, x, 0, of_x);
        dense(state, before, 0, of_h);
        for (int u = 0; u < units; u++) {
            const float reset = logistic(of_x[u] + of_h[u]), keep = logistic(of_x[units + u] + of_h[units + u]);
            const float fresh = tanhf(of_x[2 * units + u] + reset * of_h[2 * units + u]);
            y[u] = (1.0f - keep) * fresh + keep * before[u];
        }
    }
}
