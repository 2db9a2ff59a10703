/* The inner loops of convolutions: the sums of six pixels, of so many outputs as NAME says.
 *
 * The window of a pixel is `spans` spans of `span` numbers in a row, `line` numbers from one to the next; those of
 * the next pixel lie `pixel` numbers further. Of each number of a window there are `width` weights in a row.
 * The loops over r and v have constant bounds and unroll fully, so that the sums live in registers. */
enum { PIXELS = 6, PANEL = 16 };

struct sight {
    const float *x;
    int pixel, spans, line, span;
};

#define BLOCK(NAME, VECTORS, TYPE)                                                                    \
    static void NAME(const struct sight *s, const float *weight, int width, const float *bias, float *y)\
    {                                                                                                 \
        TYPE sums[PIXELS][VECTORS];                                                                   \
        const int pixel = s->pixel, span = s->span;                                                   \
        UNROLLED(int r = 0; r < PIXELS; r++)                                                          \
            UNROLLED(int v = 0; v < VECTORS; v++)                                                     \
                sums[r][v] = ((const TYPE *)bias)[v];                                                 \
        for (int i = 0; i < s->spans; i++) {                                                          \
            const float *x = s->x + i * s->line;                                                      \
            for (int j = 0; j < span; j++, weight += width) {                                         \
                TYPE weights[VECTORS];                                                                \
                UNROLLED(int v = 0; v < VECTORS; v++)                                                 \
                    weights[v] = ((const TYPE *)weight)[v];                                           \
                UNROLLED(int r = 0; r < PIXELS; r++)                                                  \
                    UNROLLED(int v = 0; v < VECTORS; v++)                                             \
                        sums[r][v] += x[r * pixel + j] * weights[v];                                  \
            }                                                                                         \
        }                                                                                             \
        UNROLLED(int r = 0; r < PIXELS; r++)                                                          \
            UNROLLED(int v = 0; v < VECTORS; v++)                                                     \
                ((TYPE *)(y + r * PANEL))[v] = sums[r][v];                                            \
    }
#ifdef COUNT_16
BLOCK(block16, COUNT_16, TYPE_16)
#endif
#ifdef COUNT_8
BLOCK(block8, COUNT_8, TYPE_8)
#endif
BLOCK(block4, COUNT_4, TYPE_4)

/* The sums of a panel: of up to sixteen outputs, a multiple of four, in the widest blocks that there are. */
static void panel(const struct sight *s, const float *weight, int width, const float *bias, float *y)
{
    int done = 0;
#ifdef COUNT_16
    for (; done + 16 <= width; done += 16)
        block16(s, weight + done, width, bias + done, y + done);
#endif
#ifdef COUNT_8
    for (; done + 8 <= width; done += 8)
        block8(s, weight + done, width, bias + done, y + done);
#endif
    for (; done < width; done += 4)
        block4(s, weight + done, width, bias + done, y + done);
}
