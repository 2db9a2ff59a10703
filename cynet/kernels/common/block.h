/* The register block: the innermost loop of every convolution and linear layer, forward and backward.
 *
 * Design: a block is ROWS x lanes sums kept in registers,
 *
 *     c[r][:] = init[r][:] + sum over segments s, steps i of  a[r][a_off[s] + i * a_step] * b[(b_off[s] + i) * b_step][:]
 *
 * Forward and input gradient: r counts pixels, a steps along the columns of im2col (taps and channels), b is
 * the packed filters, so lanes are output channels. Weight gradient: r counts columns of im2col, the steps
 * walk over pixels, b is dy. The order of the sum is that of (s, i), whatever the block's size: a result
 * does not depend on how the work was cut into blocks.
 *
 * The loops over r and v have constant bounds and unroll fully, so that `sum` lives in registers.
 */
#ifndef CYNET_BLOCK_H
#define CYNET_BLOCK_H

#include "simd.h"

/* Inlined, a block shares the general registers with the loops around it, and GCC keeps the addresses of its rows in
 * vector registers: with AVX-512 it then took 1.25 times as long. Narrow blocks whose rows lie evenly have few. */
#define NOINLINE __attribute__((noinline))
#define INLINED /* as the compiler likes */

#define MAX_ROWS 8
#if VL == 16
#define WIDE_ROWS 8 /* 16 sums of 32 registers */
#else
#define WIDE_ROWS 6 /* 12 sums of 16 registers */
#endif
#define NARROW_ROWS 8
#define FEWEST_ROWS 4 /* of a wide block: fewer sums would wait for each other */

typedef struct {
    const float *a[MAX_ROWS];
    float *c[MAX_ROWS];
    const float *init[MAX_ROWS]; /* where each row's sums start from */
    const float *b;
    ptrdiff_t a_step, b_step;
    const ptrdiff_t *a_off, *b_off;
    ptrdiff_t segments, steps;
    ptrdiff_t rows, lanes; /* how many of each are stored */
    int relu; /* as for BENT */
    int ahead; /* ask for the rows of the block after this one */
} Block;

INLINE void store_lanes8(float *p, vf8 v, ptrdiff_t n) {
    if (n >= 8) vstore8(p, v);
    else if (n > 0) vstore8_part(p, v, n);
}
#if VL == 16
INLINE void store_lanes16(float *p, vf v, ptrdiff_t n) {
    if (n >= 16) vstore(p, v);
    else if (n > 0) vstore_part(p, v, n);
}
#endif

#define EACH(i, COUNT) _Pragma("GCC unroll 8") for (int i = 0; i < COUNT; i++)
#define BLOCK_RELU(ROWS, VECTORS, V)                                                                    \
    EACH(r, ROWS) EACH(v, VECTORS) BENT(V, sum[r][v], q->relu)

/* One block, whose rows lie anywhere, and of which some rows and lanes may be left out. */
#define DEFINE_BLOCK(NAME, ROWS, VECTORS, V, LANES, STORE)                                              \
    static NOINLINE void NAME(const Block *q) {                                                         \
        V sum[ROWS][VECTORS];                                                                           \
        const float *a[ROWS];                                                                           \
        const ptrdiff_t a_step = q->a_step, b_step = q->b_step, steps = q->steps;                       \
        EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] = *(const V *)(q->init[r] + v * LANES);                \
        for (ptrdiff_t s = 0; s < q->segments; s++) {                                                   \
            const float *b = q->b + q->b_off[s] * b_step;                                               \
            EACH(r, ROWS) a[r] = q->a[r] + q->a_off[s];                                                 \
            for (ptrdiff_t i = 0, ia = 0; i < steps; i++, ia += a_step, b += b_step) {                  \
                V bv[VECTORS];                                                                          \
                EACH(v, VECTORS) bv[v] = *(const V *)(b + v * LANES);                                   \
                EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] += a[r][ia] * bv[v];                           \
            }                                                                                           \
        }                                                                                               \
        BLOCK_RELU(ROWS, VECTORS, V)                                                                    \
        EACH(r, ROWS) {                                                                                 \
            if (r >= q->rows) break;                                                                    \
            EACH(v, VECTORS) STORE(q->c[r] + v * LANES, sum[r][v], q->lanes - v * LANES);               \
        }                                                                                               \
    }
/* Whole blocks one after another, whose rows lie at one distance and start from init[0]; a steps by one, b by the
 * block's width. Where sums are short, this saves most of what is done around them. */
#define DEFINE_EVENLY(LINK, NAME, ROWS, VECTORS, V, LANES, STORE)                                       \
    static LINK void NAME(const Block *q, ptrdiff_t blocks, ptrdiff_t a_row, ptrdiff_t c_row) {         \
        const float *start = q->a[0];                                                                   \
        float *c = q->c[0];                                                                             \
        for (; blocks > 0; blocks--, start += ROWS * a_row, c += ROWS * c_row) {                        \
            V sum[ROWS][VECTORS];                                                                       \
            EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] = *(const V *)(q->init[0] + v * LANES);            \
            for (ptrdiff_t s = 0; s < q->segments; s++) {                                               \
                const float *a = start + q->a_off[s], *b = q->b + q->b_off[s] * (VECTORS * LANES);      \
                for (ptrdiff_t i = 0; i < q->steps;) {                                                  \
                    const ptrdiff_t line = q->steps - i < 16 ? q->steps : i + 16;                       \
                    if (q->ahead) EACH(r, ROWS) __builtin_prefetch(a + (r + ROWS) * a_row, 0, 3);       \
                    for (; i < line; i++, a++, b += VECTORS * LANES) {                                  \
                        V bv[VECTORS];                                                                  \
                        EACH(v, VECTORS) bv[v] = *(const V *)(b + v * LANES);                           \
                        EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] += a[r * a_row] * bv[v];               \
                    }                                                                                   \
                }                                                                                       \
            }                                                                                           \
            BLOCK_RELU(ROWS, VECTORS, V)                                                                \
            if (q->lanes >= VECTORS * LANES)                                                            \
                EACH(r, ROWS) EACH(v, VECTORS) *(V *)(c + r * c_row + v * LANES) = sum[r][v];           \
            else                                                                                        \
                EACH(r, ROWS) EACH(v, VECTORS)                                                          \
                    STORE(c + r * c_row + v * LANES, sum[r][v], q->lanes - v * LANES);                  \
        }                                                                                               \
    }

/* Whole blocks one after another, whose rows lie side by side: each adds to, or, where c is fresh, writes ROWS rows of
 * c, `c_row` floats apart. Of a weight gradient, whose sums are as short as a tile has pixels. */
#define DEFINE_ALONG(LINK, NAME, ROWS, VECTORS, V, LANES)                                               \
    static LINK void NAME(const Block *q, ptrdiff_t blocks, ptrdiff_t c_row, int fresh) {               \
        const float *start = q->a[0];                                                                   \
        float *c = q->c[0];                                                                             \
        const ptrdiff_t a_step = q->a_step, b_step = q->b_step, steps = q->steps;                       \
        for (; blocks > 0; blocks--, start += ROWS, c += ROWS * c_row) {                                \
            V sum[ROWS][VECTORS];                                                                       \
            EACH(r, ROWS) EACH(v, VECTORS)                                                              \
                sum[r][v] = fresh ? (V){0} : *(const V *)(c + r * c_row + v * LANES);                   \
            for (ptrdiff_t s = 0; s < q->segments; s++) {                                               \
                const float *a = start + q->a_off[s], *b = q->b + q->b_off[s] * b_step;                 \
                for (ptrdiff_t i = 0; i < steps; i++, a += a_step, b += b_step) {                       \
                    V bv[VECTORS];                                                                      \
                    EACH(v, VECTORS) bv[v] = *(const V *)(b + v * LANES);                               \
                    EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] += a[r] * bv[v];                           \
                }                                                                                       \
            }                                                                                           \
            EACH(r, ROWS) EACH(v, VECTORS) *(V *)(c + r * c_row + v * LANES) = sum[r][v];               \
        }                                                                                               \
    }

DEFINE_BLOCK(block_8, NARROW_ROWS, 1, vf8, 8, store_lanes8)
DEFINE_ALONG(INLINED, block_8_along, NARROW_ROWS, 1, vf8, 8)
DEFINE_EVENLY(INLINED, block_8_evenly, NARROW_ROWS, 1, vf8, 8, store_lanes8)
#if VL == 16
DEFINE_BLOCK(block_16, NARROW_ROWS, 1, vf, 16, store_lanes16)
DEFINE_EVENLY(INLINED, block_16_evenly, NARROW_ROWS, 1, vf, 16, store_lanes16)
DEFINE_ALONG(INLINED, block_16_along, NARROW_ROWS, 1, vf, 16)
DEFINE_EVENLY(NOINLINE, block_wide_evenly, WIDE_ROWS, 2, vf, 16, store_lanes16)
DEFINE_ALONG(NOINLINE, block_wide_along, WIDE_ROWS, 2, vf, 16)
#define DEFINE_WIDE(ROWS) DEFINE_BLOCK(block_wide_##ROWS, ROWS, 2, vf, 16, store_lanes16)
DEFINE_WIDE(7)
DEFINE_WIDE(8)
#define WIDEST 32
#else
DEFINE_EVENLY(NOINLINE, block_wide_evenly, WIDE_ROWS, 2, vf8, 8, store_lanes8)
DEFINE_ALONG(NOINLINE, block_wide_along, WIDE_ROWS, 2, vf8, 8)
#define DEFINE_WIDE(ROWS) DEFINE_BLOCK(block_wide_##ROWS, ROWS, 2, vf8, 8, store_lanes8)
#define WIDEST 16
#endif
DEFINE_WIDE(4)
DEFINE_WIDE(5)
DEFINE_WIDE(6)

/* The width in lanes of the block that starts where `channels` output channels are left. */
INLINE ptrdiff_t block_width(ptrdiff_t channels) {
    if (channels <= 8) return 8;
    return channels <= 16 || WIDEST == 16 ? 16 : 32;
}
INLINE ptrdiff_t block_rows(ptrdiff_t width) { return width == WIDEST ? WIDE_ROWS : NARROW_ROWS; }

/* The rows of the next block where `left` are left: the last two share theirs, so that few are computed in vain. */
INLINE ptrdiff_t block_rows_of(ptrdiff_t width, ptrdiff_t left) {
    ptrdiff_t most = block_rows(width), half = (left + 1) / 2;
    if (width != WIDEST || left >= most + FEWEST_ROWS || left == most) return most;
    if (left > most) return half < FEWEST_ROWS ? FEWEST_ROWS : half;
    return left < FEWEST_ROWS ? FEWEST_ROWS : left;
}

/* One block of so many rows, as `block_rows_of` gives them. */
INLINE void block_run(const Block *q, ptrdiff_t width, ptrdiff_t rows) {
    if (width == 8) block_8(q);
#if VL == 16
    else if (width == 16) block_16(q);
    else if (rows == 8) block_wide_8(q);
    else if (rows == 7) block_wide_7(q);
#endif
    else if (rows == 6) block_wide_6(q);
    else if (rows == 5) block_wide_5(q);
    else block_wide_4(q);
}

/* `blocks` whole blocks: row r of them reads a[0] + r * a_row, and writes c[0] + r * c_row. */
INLINE void blocks_run(const Block *q, ptrdiff_t width, ptrdiff_t blocks, ptrdiff_t a_row, ptrdiff_t c_row) {
    if (width == 8) block_8_evenly(q, blocks, a_row, c_row);
#if VL == 16
    else if (width == 16) block_16_evenly(q, blocks, a_row, c_row);
#endif
    else block_wide_evenly(q, blocks, a_row, c_row);
}

/* `blocks` whole blocks whose rows are those of a[0] and the floats behind it. */
INLINE void blocks_along(const Block *q, ptrdiff_t width, ptrdiff_t blocks, ptrdiff_t c_row, int fresh) {
    if (width == 8) block_8_along(q, blocks, c_row, fresh);
#if VL == 16
    else if (width == 16) block_16_along(q, blocks, c_row, fresh);
#endif
    else block_wide_along(q, blocks, c_row, fresh);
}

#endif
