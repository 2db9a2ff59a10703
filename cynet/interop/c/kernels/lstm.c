/* Long short-term memory, from a state of zeros; `scratch` is for six numbers of each unit. */
static void lstm(const struct dense *input, const struct dense *state, const float *x, float *y, int length, int units,
                 float *scratch)
{
    float *const gates = scratch, *const cells = scratch + 4 * units;
    const float *before = scratch + 5 * units;
    memset(cells, 0, (size_t)(2 * units) * sizeof(float));
    for (int i = 0; i < length; i++, x += input->inputs, before = y, y += units) {
        dense(input, x, 0, gates);
        dense(state, before, gates, gates);
        for (int u = 0; u < units; u++) {
            const float in = logistic(gates[u]), keep = logistic(gates[units + u]);
            const float fresh = tanhf(gates[2 * units + u]), out = logistic(gates[3 * units + u]);
            cells[u] = keep * cells[u] + in * fresh;
            y[u] = out * tanhf(cells[u]);
        }
    }
}
