/* A small matrix product in a register block: rows and lanes at constant distances.
 *
 *     c[r][:] (+)= sum over i < steps of  a[r * a_row + i * a_step] * b[i * b_step][:]
 *
 * block.h does the same through address tables; here nothing is looked up, which pays where the sums are
 * short. `_table` products take a[r * a_row + offset[i]] instead and start from `init`.
 */
#ifndef CYNET_PRODUCT_H
#define CYNET_PRODUCT_H

#include "simd.h"

#define UNROLL _Pragma("GCC unroll 32")
#define NOINLINE __attribute__((noinline)) /* so that a profile names the steps */

#define DEFINE_PRODUCT(NAME, ROWS, VECTORS, V, LANES)                                                   \
    static NOINLINE void NAME(const float *a, ptrdiff_t a_row, ptrdiff_t a_step, const float *b,        \
                              ptrdiff_t b_step, ptrdiff_t steps, float *c, ptrdiff_t c_row, int add) {  \
        V sum[ROWS][VECTORS];                                                                           \
        UNROLL for (int r = 0; r < ROWS; r++)                                                           \
            UNROLL for (int v = 0; v < VECTORS; v++)                                                    \
                sum[r][v] = add ? *(const V *)(c + r * c_row + v * LANES) : (V){0};                     \
        for (ptrdiff_t i = 0; i < steps; i++, a += a_step, b += b_step) {                               \
            V bv[VECTORS];                                                                              \
            UNROLL for (int v = 0; v < VECTORS; v++) bv[v] = *(const V *)(b + v * LANES);               \
            UNROLL for (int r = 0; r < ROWS; r++)                                                       \
                UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] += a[r * a_row] * bv[v];             \
        }                                                                                               \
        UNROLL for (int r = 0; r < ROWS; r++)                                                           \
            UNROLL for (int v = 0; v < VECTORS; v++)                                                    \
                *(V *)(c + r * c_row + v * LANES) = sum[r][v];                                          \
    }

#define DEFINE_TABLE_PRODUCT(NAME, ROWS, VECTORS, V, LANES)                                             \
    static NOINLINE void NAME(const float *a, ptrdiff_t a_row, const ptrdiff_t *offset, const float *b, \
                              ptrdiff_t steps, const float *init, float *c, ptrdiff_t c_row, int relu) { \
        V sum[ROWS][VECTORS];                                                                           \
        UNROLL for (int r = 0; r < ROWS; r++)                                                           \
            UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] = *(const V *)(init + v * LANES);        \
        for (ptrdiff_t i = 0; i < steps; i++, b += VECTORS * LANES) {                                   \
            const float *p = a + offset[i];                                                             \
            V bv[VECTORS];                                                                              \
            UNROLL for (int v = 0; v < VECTORS; v++) bv[v] = *(const V *)(b + v * LANES);               \
            UNROLL for (int r = 0; r < ROWS; r++)                                                       \
                UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] += p[r * a_row] * bv[v];             \
        }                                                                                               \
        UNROLL for (int r = 0; r < ROWS; r++)                                                           \
            UNROLL for (int v = 0; v < VECTORS; v++) {                                                  \
                V y = sum[r][v];                                                                        \
                BENT(V, y, relu)                                                                        \
                *(V *)(c + r * c_row + v * LANES) = y;                                                  \
            }                                                                                           \
    }

DEFINE_PRODUCT(product_8, 8, 1, vf8, 8)
DEFINE_PRODUCT(product_4x8, 4, 1, vf8, 8)
DEFINE_PRODUCT(product_1x8, 1, 1, vf8, 8)
DEFINE_TABLE_PRODUCT(table_product_8, 8, 1, vf8, 8)
#if VL == 16
DEFINE_PRODUCT(product_16, 8, 1, vf, 16)
DEFINE_PRODUCT(product_32, 8, 2, vf, 16)
DEFINE_PRODUCT(product_4x16, 4, 1, vf, 16)
DEFINE_PRODUCT(product_4x32, 4, 2, vf, 16)
DEFINE_PRODUCT(product_1x16, 1, 1, vf, 16)
DEFINE_PRODUCT(product_1x32, 1, 2, vf, 16)
DEFINE_TABLE_PRODUCT(table_product_8_twice, 16, 1, vf8, 8) /* there are twice the registers */
DEFINE_TABLE_PRODUCT(table_product_16, 8, 1, vf, 16)
DEFINE_TABLE_PRODUCT(table_product_32, 8, 2, vf, 16)
#define PRODUCT_ROWS 8
#else
DEFINE_PRODUCT(product_16, 4, 2, vf8, 8)
DEFINE_PRODUCT(product_1x16, 1, 2, vf8, 8)
DEFINE_TABLE_PRODUCT(table_product_16, 4, 2, vf8, 8)
#define PRODUCT_ROWS 4
#endif

#define PRODUCT_LANES 8 /* of the narrowest block: lanes are a multiple */

/* The lanes of the block that starts where `lanes` are left: 8, 16, or 32 (two wide vectors). */
INLINE ptrdiff_t product_width(ptrdiff_t lanes) {
    if (VL == 16 && lanes >= 32) return 32;
    return lanes >= 16 ? 16 : PRODUCT_LANES;
}

/* The product for any number of rows and one block of lanes. */
#define ROWS_OF(many, name)                                                                             \
    for (; r + many <= rows; r += many)                                                                 \
        name(a + r * a_row, a_row, a_step, b, b_step, steps, c + r * c_row, c_row, add);
INLINE void product(ptrdiff_t width, ptrdiff_t rows, const float *a, ptrdiff_t a_row, ptrdiff_t a_step,
                    const float *b, ptrdiff_t b_step, ptrdiff_t steps, float *c, ptrdiff_t c_row, int add) {
    ptrdiff_t r = 0;
    if (width == 8) {
        ROWS_OF(8, product_8)
        ROWS_OF(4, product_4x8)
        ROWS_OF(1, product_1x8)
    } else if (width == 16) {
        ROWS_OF(PRODUCT_ROWS, product_16)
#if VL == 16
        ROWS_OF(4, product_4x16)
#endif
        ROWS_OF(1, product_1x16)
    }
#if VL == 16
    else {
        ROWS_OF(8, product_32)
        ROWS_OF(4, product_4x32)
        ROWS_OF(1, product_1x32)
    }
#endif
}

/* The sums of ROWS neighbouring entries of a over `lines` lines of `steps` steps, in registers, added to c. */
#define DEFINE_SUMS(NAME, ROWS, V, LANES)                                                               \
    static NOINLINE void NAME(const float *a, ptrdiff_t a_step, ptrdiff_t a_line, const float *b,       \
                              ptrdiff_t b_step, ptrdiff_t b_line, ptrdiff_t steps, ptrdiff_t lines,     \
                              float *c, ptrdiff_t c_row) {                                              \
        V sum[ROWS];                                                                                    \
        UNROLL for (int r = 0; r < ROWS; r++) sum[r] = *(const V *)(c + r * c_row);                     \
        for (; lines > 0; lines--, a += a_line, b += b_line) {                                          \
            const float *p = a, *q = b;                                                                 \
            for (ptrdiff_t i = 0; i < steps; i++, p += a_step, q += b_step) {                           \
                V bv = *(const V *)q;                                                                   \
                UNROLL for (int r = 0; r < ROWS; r++) sum[r] += p[r] * bv;                              \
            }                                                                                           \
        }                                                                                               \
        UNROLL for (int r = 0; r < ROWS; r++) *(V *)(c + r * c_row) = sum[r];                           \
    }

DEFINE_SUMS(sums_9x8, 9, vf8, 8)
DEFINE_SUMS(sums_3x8, 3, vf8, 8)
DEFINE_SUMS(sums_1x8, 1, vf8, 8)
#if VL == 16
DEFINE_SUMS(sums_9x16, 9, vf, 16)
#endif

#if VL == 16
/* Three times nine rows, `a_next` apart: as many sums as there are registers for. */
#define DEFINE_WINDOW_SUMS(NAME, V)                                                                     \
    static NOINLINE void NAME(const float *a, ptrdiff_t a_next, ptrdiff_t a_step, ptrdiff_t a_line,     \
                              const float *b, ptrdiff_t b_step, ptrdiff_t b_line, ptrdiff_t steps,      \
                              ptrdiff_t lines, float *c, ptrdiff_t c_row) {                             \
        V sum[27];                                                                                      \
        UNROLL for (int r = 0; r < 27; r++) sum[r] = *(const V *)(c + r * c_row);                       \
        for (; lines > 0; lines--, a += a_line, b += b_line) {                                          \
            const float *p = a, *q = b;                                                                 \
            for (ptrdiff_t i = 0; i < steps; i++, p += a_step, q += b_step) {                           \
                const float *second = p + a_next, *third = second + a_next;                             \
                V bv = *(const V *)q;                                                                   \
                UNROLL for (int r = 0; r < 9; r++) sum[r] += p[r] * bv;                                 \
                UNROLL for (int r = 0; r < 9; r++) sum[9 + r] += second[r] * bv;                        \
                UNROLL for (int r = 0; r < 9; r++) sum[18 + r] += third[r] * bv;                        \
            }                                                                                           \
        }                                                                                               \
        UNROLL for (int r = 0; r < 27; r++) *(V *)(c + r * c_row) = sum[r];                             \
    }

DEFINE_WINDOW_SUMS(sums_27x8, vf8)
DEFINE_WINDOW_SUMS(sums_27x16, vf)
#endif

/* The same for any number of neighbouring rows and `lanes` lanes, a multiple of 8. */
INLINE void thin_sums(ptrdiff_t lanes, ptrdiff_t rows, const float *a, ptrdiff_t a_step, ptrdiff_t a_line,
                      const float *b, ptrdiff_t b_step, ptrdiff_t b_line, ptrdiff_t steps, ptrdiff_t lines,
                      float *c, ptrdiff_t c_row) {
    ptrdiff_t done = 0;
#if VL == 16
    for (; done + 16 <= lanes && rows == 9; done += 16)
        sums_9x16(a, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done, c_row);
#endif
    for (; done < lanes; done += 8) {
        ptrdiff_t r = 0;
        for (; r + 9 <= rows; r += 9)
            sums_9x8(a + r, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done + r * c_row, c_row);
        for (; r + 3 <= rows; r += 3)
            sums_3x8(a + r, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done + r * c_row, c_row);
        for (; r < rows; r++)
            sums_1x8(a + r, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done + r * c_row, c_row);
    }
}

/* The same for `taps` times so many rows, `a_next` apart. */
INLINE void window_sums(ptrdiff_t taps, ptrdiff_t a_next, ptrdiff_t lanes, ptrdiff_t rows, const float *a,
                        ptrdiff_t a_step, ptrdiff_t a_line, const float *b, ptrdiff_t b_step, ptrdiff_t b_line,
                        ptrdiff_t steps, ptrdiff_t lines, float *c, ptrdiff_t c_row) {
#if VL == 16
    if (taps == 3 && rows == 9) {
        ptrdiff_t done = 0;
        for (; done + 16 <= lanes; done += 16)
            sums_27x16(a, a_next, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done, c_row);
        if (done < lanes)
            sums_27x8(a, a_next, a_step, a_line, b + done, b_step, b_line, steps, lines, c + done, c_row);
        return;
    }
#endif
    for (ptrdiff_t tap = 0; tap < taps; tap++)
        thin_sums(lanes, rows, a + tap * a_next, a_step, a_line, b, b_step, b_line, steps, lines,
                  c + tap * rows * c_row, c_row);
}

/* The rows of `table_product`, where so many are there: 8, or 16. */
INLINE ptrdiff_t table_rows(ptrdiff_t width, ptrdiff_t rows) { return VL == 16 && width == 8 && rows >= 16 ? 16 : 8; }

/* `table_rows` rows through a table, one block of lanes. */
INLINE void table_product(ptrdiff_t width, ptrdiff_t rows, const float *a, ptrdiff_t a_row,
                          const ptrdiff_t *offset, const float *b, ptrdiff_t steps, const float *init, float *c,
                          ptrdiff_t c_row, int relu) {
#if VL == 16
    if (rows == 16) {
        table_product_8_twice(a, a_row, offset, b, steps, init, c, c_row, relu);
        return;
    }
#endif
    if (width == 8) table_product_8(a, a_row, offset, b, steps, init, c, c_row, relu);
    else if (width == 16)
        for (ptrdiff_t r = 0; r < 8; r += PRODUCT_ROWS)
            table_product_16(a + r * a_row, a_row, offset, b, steps, init, c + r * c_row, c_row, relu);
#if VL == 16
    else table_product_32(a, a_row, offset, b, steps, init, c, c_row, relu);
#endif
}

#endif
