/* A row by a matrix of weights. Of each output there are four sums, each over every fourth input, since one sum
 * would have to wait for itself. Weights lie as for `conv`: for each input up to sixteen outputs in a row. */
struct dense {
    int inputs, outputs;
    const float *weight, *bias;
    float low, high;
};

#define DENSE(NAME, VECTORS, TYPE)                                                                    \
    static void NAME(const float *x, int inputs, const float *weight, int width, const float *bias, float *y) \
    {                                                                                                 \
        const TYPE zero = {0};                                                                        \
        TYPE sums[4][VECTORS];                                                                        \
        int i = 0;                                                                                    \
        UNROLLED(int v = 0; v < VECTORS; v++) {                                                       \
            sums[0][v] = ((const TYPE *)bias)[v];                                                     \
            sums[1][v] = sums[2][v] = sums[3][v] = zero;                                              \
        }                                                                                             \
        for (; i + 4 <= inputs; i += 4, weight += 4 * width)                                          \
            UNROLLED(int r = 0; r < 4; r++)                                                           \
                UNROLLED(int v = 0; v < VECTORS; v++)                                                 \
                    sums[r][v] += x[i + r] * ((const TYPE *)(weight + r * width))[v];                 \
        for (int left = inputs % 4; left > 0; left--, i++, weight += width)                           \
            UNROLLED(int v = 0; v < VECTORS; v++)                                                     \
                sums[0][v] += x[i] * ((const TYPE *)weight)[v];                                       \
        UNROLLED(int v = 0; v < VECTORS; v++)                                                         \
            ((TYPE *)y)[v] = (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);                   \
    }
#ifdef COUNT_16
DENSE(dense16, COUNT_16, TYPE_16)
#endif
#ifdef COUNT_8
DENSE(dense8, COUNT_8, TYPE_8)
#endif
DENSE(dense4, COUNT_4, TYPE_4)

static void dense(const struct dense *d, const float *x, const float *more, float *y)
{
    const int padded = (d->outputs + 3) / 4 * 4;
    float sums[16];
    for (int first = 0; first < padded; first += 16) {
        const int width = padded - first < 16 ? padded - first : 16;
        const int outputs = d->outputs - first < 16 ? d->outputs - first : 16;
        const float *const weight = d->weight + first * d->inputs, *const bias = d->bias + first;
        int done = 0;
#ifdef COUNT_16
        for (; done + 16 <= width; done += 16)
            dense16(x, d->inputs, weight + done, width, bias + done, sums + done);
#endif
#ifdef COUNT_8
        for (; done + 8 <= width; done += 8)
            dense8(x, d->inputs, weight + done, width, bias + done, sums + done);
#endif
        for (; done < width; done += 4)
            dense4(x, d->inputs, weight + done, width, bias + done, sums + done);
        for (int v = 0; v < outputs; v++)
            y[first + v] = bounded(more ? sums[v] + more[first + v] : sums[v], d->low, d->high);
    }
}
