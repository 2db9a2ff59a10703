/* The register block of convolutions whose output channels would leave a register empty: lanes are pixels.
 *
 *     m[o][p] = bias[o] + sum over columns k of  band[off[k] + p] * b[k * N + o]       for N outputs and WIDTH pixels p
 *
 * Each plane of the band holds one input channel, so that neighbouring pixels lie side by side. As many vectors of
 * pixels as there are registers for: each weight, spread over a register, serves all of them.
 */
#ifndef CYNET_PLANES_H
#define CYNET_PLANES_H

#include "simd.h"

#define ALL(i, COUNT) _Pragma("GCC unroll 32") for (int i = 0; i < COUNT; i++)

/* m is (N rounded up to 8, PLANES_PITCH); of each row the vectors' pixels are written. */
#define PLANES_PITCH (5 * VL)
#define DEFINE_PLANES(N, VECTORS)                                                                       \
    static __attribute__((noinline)) void planes_##N##_##VECTORS(                                       \
        const float *band, const ptrdiff_t *off, ptrdiff_t columns, const float *b, const float *bias, float *m, \
        int relu) {                                                                                     \
        vf sum[VECTORS][N];                                                                             \
        ALL(v, VECTORS) ALL(o, N) sum[v][o] = vset(bias[o]);                                            \
        for (ptrdiff_t k = 0; k < columns; k++, b += N) {                                               \
            const float *a = band + off[k];                                                             \
            vf x[VECTORS];                                                                              \
            ALL(v, VECTORS) x[v] = vload(a + v * VL);                                                   \
            ALL(o, N) {                                                                                 \
                vf w = vset(b[o]);                                                                      \
                ALL(v, VECTORS) sum[v][o] += x[v] * w;                                                  \
            }                                                                                           \
        }                                                                                               \
        ALL(o, N) ALL(v, VECTORS) {                                                                     \
            vf y = sum[v][o];                                                                           \
            BENT(vf, y, relu)                                                                           \
            vstore(m + o * PLANES_PITCH + v * VL, y);                                                   \
        }                                                                                               \
    }

typedef void (*planes_block)(const float *, const ptrdiff_t *, ptrdiff_t, const float *, const float *, float *, int);

#define PLANES_FEWEST 1
#define PLANES_1(N) DEFINE_PLANES(N, 1)
#define PLANES_2(N) PLANES_1(N) DEFINE_PLANES(N, 2)
#define PLANES_3(N) PLANES_2(N) DEFINE_PLANES(N, 3)
#define PLANES_4(N) PLANES_3(N) DEFINE_PLANES(N, 4)
#define PLANES_5(N) PLANES_4(N) DEFINE_PLANES(N, 5)
#define ROW_1(N) {planes_##N##_1}
#define ROW_2(N) {planes_##N##_1, planes_##N##_2}
#define ROW_3(N) {planes_##N##_1, planes_##N##_2, planes_##N##_3}
#define ROW_4(N) {planes_##N##_1, planes_##N##_2, planes_##N##_3, planes_##N##_4}
#define ROW_5(N) {planes_##N##_1, planes_##N##_2, planes_##N##_3, planes_##N##_4, planes_##N##_5}
#if VL == 16
/* How many vectors of pixels n outputs leave room for: sums, the pixels and a weight are 32 registers at most. */
#define PLANES_MOST 14
INLINE ptrdiff_t planes_vectors(ptrdiff_t n) { return n <= 4 ? 5 : n <= 6 ? 4 : n <= 8 ? 3 : 2; }
PLANES_5(1) PLANES_5(2) PLANES_5(3) PLANES_5(4) PLANES_4(5) PLANES_4(6) PLANES_3(7) PLANES_3(8) PLANES_2(9) PLANES_2(10) PLANES_2(11) PLANES_2(12)
PLANES_2(13) PLANES_2(14)
static const planes_block PLANES[][5] = {ROW_5(1), ROW_5(2), ROW_5(3), ROW_5(4), ROW_4(5), ROW_4(6), ROW_3(7), ROW_3(8), ROW_2(9), ROW_2(10),
                                         ROW_2(11), ROW_2(12), ROW_2(13), ROW_2(14)};
#else
/* ... are 16 at most; more outputs than six leave one, whose weights come from memory. */
#define PLANES_MOST 14
INLINE ptrdiff_t planes_vectors(ptrdiff_t n) { return n <= 1 ? 5 : n <= 3 ? 3 : n <= 6 ? 2 : 1; }
PLANES_5(1) PLANES_3(2) PLANES_3(3) PLANES_2(4) PLANES_2(5) PLANES_2(6) PLANES_1(7) PLANES_1(8) PLANES_1(9) PLANES_1(10) PLANES_1(11) PLANES_1(12)
PLANES_1(13) PLANES_1(14)
static const planes_block PLANES[][5] = {ROW_5(1), ROW_3(2), ROW_3(3), ROW_2(4), ROW_2(5), ROW_2(6), ROW_1(7), ROW_1(8), ROW_1(9), ROW_1(10),
                                         ROW_1(11), ROW_1(12), ROW_1(13), ROW_1(14)};
#endif

/* n outputs, from PLANES_FEWEST to PLANES_MOST, of so many vectors of pixels, at most those of planes_vectors(n). */
INLINE void planes_run(ptrdiff_t n, ptrdiff_t vectors, const float *band, const ptrdiff_t *off, ptrdiff_t columns,
                       const float *b, const float *bias, float *m, int relu) {
    PLANES[n - PLANES_FEWEST][vectors - 1](band, off, columns, b, bias, m, relu);
}

/* Eight rows of eight floats become eight columns. */
#define PAIRS(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
INLINE void transpose8(vf8 r[8]) {
    vf8 t[8], u[8];
    ALL(i, 4) {
        t[2 * i] = PAIRS(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[2 * i + 1] = PAIRS(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    ALL(i, 2) ALL(j, 2) {
        u[4 * i + 2 * j] = PAIRS(t[4 * i + j], t[4 * i + 2 + j], 0, 1, 8, 9, 4, 5, 12, 13);
        u[4 * i + 2 * j + 1] = PAIRS(t[4 * i + j], t[4 * i + 2 + j], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    ALL(i, 4) {
        r[i] = PAIRS(u[i], u[4 + i], 0, 1, 2, 3, 8, 9, 10, 11);
        r[4 + i] = PAIRS(u[i], u[4 + i], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* m's pixels as rows of n channels, `step` floats from one to the next; up to 7 floats behind each are written, too. */
INLINE void planes_rows(const float *m, ptrdiff_t pixels, ptrdiff_t n, float *rows, ptrdiff_t step) {
    for (ptrdiff_t p = 0; p < pixels; p += 8)
        for (ptrdiff_t o = (n - 1) / 8 * 8; o >= 0; o -= 8) { /* the last first: it writes into the next pixel's */
            vf8 r[8];
            ALL(i, 8) r[i] = vload8(m + (o + i) * PLANES_PITCH + p);
            transpose8(r);
            ALL(i, 8) vstore8(rows + (p + i) * step + o, r[i]);
        }
}

/* A row of `pixels` pixels, `step` floats from one to the next, of `channels` channels, becomes that many rows, `plane`
 * floats apart. */
INLINE void planes_fill(const float *x, ptrdiff_t step, ptrdiff_t pixels, ptrdiff_t channels, float *row,
                        ptrdiff_t plane) {
    if (channels == 1 && step == 1) {
        copy_run(row, x, pixels);
        return;
    }
    if (channels == 1 || pixels < 8) {
        for (ptrdiff_t c = 0; c < channels; c++)
            for (ptrdiff_t p = 0; p < pixels; p++) row[c * plane + p] = x[p * step + c];
        return;
    }
    for (ptrdiff_t p = 0; p < pixels; p += 8) {
        if (p + 8 > pixels) p = pixels - 8; /* some once more: nothing behind the row is written */
        for (ptrdiff_t c = 0; c < channels; c += 8) {
            vf8 r[8];
            ptrdiff_t some = channels - c;
            if (some >= 8) {
                ALL(i, 8) r[i] = vload8(x + (p + i) * step + c);
                transpose8(r);
                ALL(i, 8) vstore8(row + (c + i) * plane + p, r[i]);
            } else {
                ALL(i, 8) r[i] = vload8_part(x + (p + i) * step + c, some);
                transpose8(r);
                ALL(i, 7) if (i < some) vstore8(row + (c + i) * plane + p, r[i]);
            }
        }
    }
}

#endif
