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

#define MAX_ROWS 8
#if VL == 16
#define WIDE_ROWS 8 /* 16 sums of 32 registers */
#else
#define WIDE_ROWS 6 /* 12 sums of 16 registers */
#endif
#define NARROW_ROWS 8

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

/* NAME: one block, whose rows lie anywhere, and of which some rows and lanes may be left out.
 * NAME_evenly: whole blocks one after another, whose rows lie at one distance and start from init[0]; a steps
 * by one, b by the block's width. Where sums are short, this saves most of what is done around them. */
#define DEFINE_BLOCK(NAME, ROWS, VECTORS, V, LANES, STORE)                                              \
    static void NAME(const Block *q) {                                                                  \
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
    }                                                                                                   \
    static void NAME##_evenly(const Block *q, ptrdiff_t blocks, ptrdiff_t a_row, ptrdiff_t c_row) {     \
        const float *start = q->a[0];                                                                   \
        float *c = q->c[0];                                                                             \
        for (; blocks > 0; blocks--, start += ROWS * a_row, c += ROWS * c_row) {                        \
            V sum[ROWS][VECTORS];                                                                       \
            EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] = *(const V *)(q->init[0] + v * LANES);            \
            for (ptrdiff_t s = 0; s < q->segments; s++) {                                               \
                const float *a = start + q->a_off[s], *b = q->b + q->b_off[s] * (VECTORS * LANES);      \
                for (ptrdiff_t i = 0; i < q->steps; i++, a++, b += VECTORS * LANES) {                   \
                    V bv[VECTORS];                                                                      \
                    EACH(v, VECTORS) bv[v] = *(const V *)(b + v * LANES);                               \
                    EACH(r, ROWS) EACH(v, VECTORS) sum[r][v] += a[r * a_row] * bv[v];                   \
                }                                                                                       \
            }                                                                                           \
            BLOCK_RELU(ROWS, VECTORS, V)                                                                \
            EACH(r, ROWS) EACH(v, VECTORS) *(V *)(c + r * c_row + v * LANES) = sum[r][v];               \
        }                                                                                               \
    }

DEFINE_BLOCK(block_8, NARROW_ROWS, 1, vf8, 8, store_lanes8)
#if VL == 16
DEFINE_BLOCK(block_16, NARROW_ROWS, 1, vf, 16, store_lanes16)
DEFINE_BLOCK(block_32, WIDE_ROWS, 2, vf, 16, store_lanes16)
#define WIDEST 32
#else
DEFINE_BLOCK(block_16, WIDE_ROWS, 2, vf8, 8, store_lanes8)
#define WIDEST 16
#endif

/* The width in lanes of the block that starts where `channels` output channels are left. */
INLINE ptrdiff_t block_width(ptrdiff_t channels) {
    if (channels <= 8) return 8;
    return channels <= 16 || WIDEST == 16 ? 16 : 32;
}
INLINE ptrdiff_t block_rows(ptrdiff_t width) { return width == WIDEST ? WIDE_ROWS : NARROW_ROWS; }

INLINE void block_run(const Block *q, ptrdiff_t width) {
    if (width == 8) block_8(q);
#if WIDEST == 32
    else if (width == 32) block_32(q);
#endif
    else block_16(q);
}

/* `blocks` whole blocks: row r of them reads a[0] + r * a_row, and writes c[0] + r * c_row. */
INLINE void blocks_run(const Block *q, ptrdiff_t width, ptrdiff_t blocks, ptrdiff_t a_row, ptrdiff_t c_row) {
    if (width == 8) block_8_evenly(q, blocks, a_row, c_row);
#if WIDEST == 32
    else if (width == 32) block_32_evenly(q, blocks, a_row, c_row);
#endif
    else block_16_evenly(q, blocks, a_row, c_row);
}

#endif
