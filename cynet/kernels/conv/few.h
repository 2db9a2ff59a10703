/* Dot products along columns: the register block (block.h) where output channels are one to three.
 *
 *     c[r][o] = bias[o] + sum over segments s, columns i of  a[r][a_off[s] + i] * b[o * columns + b_off[s] + i]
 *
 * Lanes are neighbouring columns, so that PIXELS x OUTPUTS vectors of partial sums are in registers, as many as keep
 * both units for multiply-adds busy; each becomes a number at the end.
 */
#ifndef CYNET_FEW_H
#define CYNET_FEW_H

#include "block.h"

#define MOST_FEW 3

#define DEFINE_DOTS(NAME, PIXELS, OUTPUTS)                                                              \
    static NOINLINE void NAME(const Block *q, ptrdiff_t columns) {                                      \
        vf sum[PIXELS][OUTPUTS], x[PIXELS], w;                                                          \
        const ptrdiff_t steps = q->steps;                                                               \
        EACH(p, PIXELS) EACH(o, OUTPUTS) sum[p][o] = vset(0);                                           \
        for (ptrdiff_t s = 0; s < q->segments; s++) {                                                   \
            const ptrdiff_t off = q->a_off[s];                                                          \
            const float *b = q->b + q->b_off[s];                                                        \
            ptrdiff_t i = 0;                                                                            \
            for (; i + VL <= steps; i += VL) {                                                          \
                EACH(p, PIXELS) x[p] = vload(q->a[p] + off + i);                                        \
                EACH(o, OUTPUTS) {                                                                      \
                    w = vload(b + o * columns + i);                                                     \
                    EACH(p, PIXELS) sum[p][o] += x[p] * w;                                              \
                }                                                                                       \
            }                                                                                           \
            if (i == steps) continue;                                                                   \
            EACH(p, PIXELS) x[p] = vload_part(q->a[p] + off + i, steps - i);                            \
            EACH(o, OUTPUTS) {                                                                          \
                w = vload_part(b + o * columns + i, steps - i);                                         \
                EACH(p, PIXELS) sum[p][o] += x[p] * w;                                                  \
            }                                                                                           \
        }                                                                                               \
        EACH(p, PIXELS) {                                                                               \
            if (p >= q->rows) break;                                                                    \
            EACH(o, OUTPUTS) q->c[p][o] = q->init[0][o] + vsum(sum[p][o]);                              \
        }                                                                                               \
    }

DEFINE_DOTS(dots_1, 8, 1)
DEFINE_DOTS(dots_2, 5, 2)
DEFINE_DOTS(dots_3, 4, 3)

/* The rows of a block of `outputs` channels, at most MOST_FEW. */
INLINE ptrdiff_t dots_rows(ptrdiff_t outputs) { return outputs == 1 ? 8 : outputs == 2 ? 5 : 4; }

/* One block; rows beyond q->rows are read, and not stored. */
INLINE void dots_run(const Block *q, ptrdiff_t outputs, ptrdiff_t columns) {
    if (outputs == 1) dots_1(q, columns);
    else if (outputs == 2) dots_2(q, columns);
    else dots_3(q, columns);
}

#endif
