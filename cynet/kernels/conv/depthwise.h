/* Depth-wise convolution: a run of pixels of one row, all channels; vector lanes are channels.
 *
 * Design: P neighbouring output pixels are summed at once, so that each filter tap is loaded once for P pixels and
 * their sums, P chains that do not wait for each other, stay in registers. Channels are walked innermost: memory is
 * read in its order. The taps of a run are a grid at constant distances, whichever pass it belongs to:
 *
 *     y[p][:] = bias[:] + sum over rows i, columns j of  x[p * x_pixel + i * x_row + j * x_col][:]
 *                                                        * w[i * w_row + j * w_col][:]
 */
#ifndef CYNET_DEPTHWISE_H
#define CYNET_DEPTHWISE_H

#include "simd.h"

typedef struct {
    ptrdiff_t rows, cols;   /* of taps */
    ptrdiff_t x_row, x_col; /* the distances, in floats, between neighbouring taps */
    ptrdiff_t w_row, w_col;
    ptrdiff_t x_pixel, y_pixel; /* and between neighbouring pixels */
    ptrdiff_t y_row; /* from a row of these to the next, which is asked for ahead of its time */
    ptrdiff_t new_rows; /* of x, that the next row of pixels has beyond this one's */
    ptrdiff_t channels;
    int relu; /* as for BENT */
    int ahead; /* ask for the next row of pixels: images lie beyond the nearest caches */
    int past;  /* write past the caches: whole vectors of channels, in lines of memory */
} TapGrid;

#define EACH(p, P) _Pragma("GCC unroll 9") for (int p = 0; p < P; p++)

/* P pixels, the channels of one vector. LOAD and STORE take a pointer, and the number of lanes that are there. */
#define DEFINE_PIXELS(NAME, P, V, LOAD, STORE)                                                              \
    INLINE void NAME(const TapGrid *g, const float *x, const float *w, const float *bias, float *y,         \
                     ptrdiff_t lanes) {                                                                     \
        const ptrdiff_t pixel = g->x_pixel;                                                                 \
        V sum[P];                                                                                           \
        EACH(p, P) sum[p] = LOAD(bias, lanes);                                                              \
        for (ptrdiff_t i = 0; i < g->rows; i++, x += g->x_row, w += g->w_row) {                             \
            const float *tap = x, *filter = w;                                                              \
            for (ptrdiff_t j = 0; j < g->cols; j++, tap += g->x_col, filter += g->w_col) {                  \
                V factor = LOAD(filter, lanes);                                                             \
                EACH(p, P) sum[p] += LOAD(tap + p * pixel, lanes) * factor;                                 \
            }                                                                                               \
        }                                                                                                   \
        EACH(p, P) BENT(V, sum[p], g->relu)                                                                 \
        EACH(p, P) STORE(y + p * g->y_pixel, sum[p], lanes);                                                \
    }

#define WHOLE_LOAD(p, lanes) ((void)(lanes), vload(p))
#define WHOLE_STORE(p, v, lanes) ((void)(lanes), vstore(p, v))
#define OUT_STORE(p, v, lanes) ((void)(lanes), g->past ? vstream(p, v) : vstore(p, v))
#define WHOLE_LOAD8(p, lanes) ((void)(lanes), vload8(p))
#define WHOLE_STORE8(p, v, lanes) ((void)(lanes), vstore8(p, v))

/* The same of three taps side by side, over pixels that are neighbours or (STEP 2) every other, as in most nets: each
 * number is loaded once for all pixels that it is a tap of. Sums are in the same order. Where `rows` is a constant
 * nothing is counted. */
#define DEFINE_NEAR_PIXELS(NAME, P, STEP)                                                                   \
    INLINE void NAME(const TapGrid *g, ptrdiff_t rows, const float *x, const float *w, const float *bias,   \
                     float *y) {                                                                            \
        const ptrdiff_t pixel = g->x_col, tap = g->w_col;                                                   \
        vf sum[P];                                                                                          \
        EACH(p, P) sum[p] = vload(bias);                                                                    \
        _Pragma("GCC unroll 3") for (ptrdiff_t i = 0; i < rows; i++, x += g->x_row, w += g->w_row) {        \
            const vf first = vload(w), second = vload(w + tap), third = vload(w + 2 * tap);                 \
            vf a = vload(x), b = vload(x + pixel);                                                          \
            IN_REGISTER(a) IN_REGISTER(b)                                                                   \
            EACH(p, P) {                                                                                    \
                vf c = vload(x + (STEP * p + 2) * pixel);                                                   \
                IN_REGISTER(c)                                                                              \
                sum[p] += a * first;                                                                        \
                sum[p] += b * second;                                                                       \
                sum[p] += c * third;                                                                        \
                a = STEP == 1 ? b : c;                                                                      \
                if (STEP == 1) b = c;                                                                       \
                else if (p < P - 1) b = vload(x + (STEP * p + 3) * pixel);                                  \
            }                                                                                               \
        }                                                                                                   \
        EACH(p, P) BENT(vf, sum[p], g->relu)                                                                \
        EACH(p, P) OUT_STORE(y + p * g->y_pixel, sum[p], VL);                                               \
    }
#define IS_NEAR(g, step) ((g)->cols == 3 && (g)->x_pixel == step * (g)->x_col)

/* Ask for what the next row of pixels will need: rows are read side by side, too short for the processor to foresee. */
INLINE void fetch(const TapGrid *g, ptrdiff_t pixels, const float *x) {
    x += g->rows * g->x_row + g->channels;
    for (ptrdiff_t i = 0; i < g->new_rows; i++, x += g->x_row)
        for (ptrdiff_t at = 0; at < pixels * g->x_pixel; at += g->channels) __builtin_prefetch(x + at, 0, 2);
}
#define FETCH_NEAR(P, c)                                                                                    \
    if (g->ahead && c % 16 == 0)                                                                            \
        EACH(p, P) __builtin_prefetch(x + g->rows * g->x_row + (p + 1) * g->x_pixel + c, 0, 2);
#define FETCH(P, c)                                                                                         \
    if (g->ahead && c % 16 == 0) fetch(g, P, x + c);
#define FETCH_OTHER(P, c, y, write)                                                                         \
    if (g->ahead && !(write && g->past) && c % 16 == 0)                                                     \
        EACH(p, P) __builtin_prefetch(y + p * g->y_pixel + g->y_row + c, write, 2);

/* Inlined, they share the general registers with the loops around: GCC then keeps addresses in vector registers. */
#define NOINLINE __attribute__((noinline))

/* P pixels, all channels: by whole vectors, then by eight, then what is left. Of three rows of taps, as away from the
 * edges, there is a copy. */
#define DEFINE_RUN(P)                                                                                       \
    DEFINE_PIXELS(pixels_##P, P, vf, WHOLE_LOAD, OUT_STORE)                                                 \
    DEFINE_NEAR_PIXELS(near_pixels_##P, P, 1)                                                               \
    DEFINE_NEAR_PIXELS(strided_pixels_##P, P, 2)                                                            \
    DEFINE_PIXELS(pixels8_##P, P, vf8, WHOLE_LOAD8, WHOLE_STORE8)                                           \
    DEFINE_PIXELS(pixels_part_##P, P, vf8, vload8_part, vstore8_part)                                       \
    static NOINLINE void run_##P(const TapGrid *g, const float *x, const float *w, const float *bias,       \
                                 float *y) {                                                                \
        ptrdiff_t c = 0;                                                                                    \
        for (; IS_NEAR(g, 1) && c + VL <= g->channels; c += VL) {                                           \
            FETCH_NEAR(P, c)                                                                                \
            FETCH_OTHER(P, c, y, 1)                                                                         \
            if (g->rows == 3) near_pixels_##P(g, 3, x + c, w + c, bias + c, y + c);                         \
            else near_pixels_##P(g, g->rows, x + c, w + c, bias + c, y + c);                                \
        }                                                                                                   \
        for (; IS_NEAR(g, 2) && c + VL <= g->channels; c += VL) {                                           \
            FETCH(P, c)                                                                                     \
            FETCH_OTHER(P, c, y, 1)                                                                         \
            if (g->rows == 3) strided_pixels_##P(g, 3, x + c, w + c, bias + c, y + c);                      \
            else strided_pixels_##P(g, g->rows, x + c, w + c, bias + c, y + c);                             \
        }                                                                                                   \
        for (; c + VL <= g->channels; c += VL) {                                                            \
            FETCH(P, c)                                                                                     \
            FETCH_OTHER(P, c, y, 1)                                                                         \
            pixels_##P(g, x + c, w + c, bias + c, y + c, VL);                                               \
        }                                                                                                   \
        for (; c + 8 <= g->channels; c += 8) pixels8_##P(g, x + c, w + c, bias + c, y + c, 8);              \
        if (c < g->channels) pixels_part_##P(g, x + c, w + c, bias + c, y + c, g->channels - c);            \
    }

DEFINE_RUN(9)
DEFINE_RUN(8)
DEFINE_RUN(7)
DEFINE_RUN(6)
DEFINE_RUN(5)
DEFINE_RUN(4)
DEFINE_RUN(1)

/* So many pixels in as few runs of up to nine as there can be, which are as long as each other, or nearly; fewer than
 * four one by one. */
INLINE ptrdiff_t runs_of(ptrdiff_t pixels) { return pixels < 4 ? pixels : (pixels + 8) / 9; }
INLINE ptrdiff_t longest_run(ptrdiff_t pixels, ptrdiff_t runs) { return (pixels + runs - 1) / runs; }

/* `pixels` pixels, whose taps are all inside the image; the last run makes some again that the one before made. */
INLINE void depthwise_run(const TapGrid *g, ptrdiff_t pixels, const float *x, const float *w, const float *bias,
                          float *y) {
    static void (*const run[])(const TapGrid *, const float *, const float *, const float *, float *) = {
        run_1, run_1, run_1, run_4, run_5, run_6, run_7, run_8, run_9};
    if (pixels <= 0) return;
    const ptrdiff_t most = longest_run(pixels, runs_of(pixels));
    for (ptrdiff_t p = 0; p < pixels; p += most) {
        const ptrdiff_t from = p + most < pixels ? p : pixels - most;
        run[most - 1](g, x + from * g->x_pixel, w, bias, y + from * g->y_pixel);
    }
}

/* The gradient of the filters: sums[i * w_row + j * w_col][:] += sum over p of x[...][:] * dy[p * y_pixel][:]. */
#define DEFINE_TAPS(NAME, P, V, LOAD, STORE)                                                                \
    INLINE void NAME(const TapGrid *g, const float *x, const float *dy, float *sums, ptrdiff_t lanes) {     \
        const ptrdiff_t pixel = g->x_pixel;                                                                 \
        V slope[P];                                                                                         \
        EACH(p, P) slope[p] = LOAD(dy + p * g->y_pixel, lanes);                                             \
        for (ptrdiff_t i = 0; i < g->rows; i++, x += g->x_row, sums += g->w_row) {                          \
            const float *tap = x;                                                                           \
            float *target = sums;                                                                           \
            for (ptrdiff_t j = 0; j < g->cols; j++, tap += g->x_col, target += g->w_col) {                  \
                V sum = LOAD(target, lanes);                                                                \
                EACH(p, P) sum += LOAD(tap + p * pixel, lanes) * slope[p];                                  \
                STORE(target, sum, lanes);                                                                  \
            }                                                                                               \
        }                                                                                                   \
    }

/* The same of three taps side by side, as above. */
#define DEFINE_NEAR_TAPS(NAME, P, STEP)                                                                     \
    INLINE void NAME(const TapGrid *g, const float *x, const float *dy, float *sums) {                      \
        const ptrdiff_t pixel = g->x_col, tap = g->w_col;                                                   \
        vf slope[P];                                                                                        \
        EACH(p, P) slope[p] = vload(dy + p * g->y_pixel);                                                   \
        for (ptrdiff_t i = 0; i < g->rows; i++, x += g->x_row, sums += g->w_row) {                          \
            vf first = vload(sums), second = vload(sums + tap), third = vload(sums + 2 * tap);              \
            vf a = vload(x), b = vload(x + pixel);                                                          \
            IN_REGISTER(a) IN_REGISTER(b)                                                                   \
            EACH(p, P) {                                                                                    \
                vf c = vload(x + (STEP * p + 2) * pixel);                                                   \
                IN_REGISTER(c)                                                                              \
                first += a * slope[p];                                                                      \
                second += b * slope[p];                                                                     \
                third += c * slope[p];                                                                      \
                a = STEP == 1 ? b : c;                                                                      \
                if (STEP == 1) b = c;                                                                       \
                else if (p < P - 1) b = vload(x + (STEP * p + 3) * pixel);                                  \
            }                                                                                               \
            vstore(sums, first);                                                                            \
            vstore(sums + tap, second);                                                                     \
            vstore(sums + 2 * tap, third);                                                                  \
        }                                                                                                   \
    }

#define DEFINE_GRADIENT(P)                                                                                  \
    DEFINE_TAPS(taps_##P, P, vf, WHOLE_LOAD, WHOLE_STORE)                                                   \
    DEFINE_NEAR_TAPS(near_taps_##P, P, 1)                                                                   \
    DEFINE_NEAR_TAPS(strided_taps_##P, P, 2)                                                                \
    DEFINE_TAPS(taps8_##P, P, vf8, WHOLE_LOAD8, WHOLE_STORE8)                                               \
    DEFINE_TAPS(taps_part_##P, P, vf8, vload8_part, vstore8_part)                                           \
    static NOINLINE void gradient_##P(const TapGrid *g, const float *x, const float *dy, float *sums) {     \
        ptrdiff_t c = 0;                                                                                    \
        for (; IS_NEAR(g, 1) && c + VL <= g->channels; c += VL) {                                           \
            FETCH_NEAR(P, c)                                                                                \
            FETCH_OTHER(P, c, dy, 0)                                                                        \
            near_taps_##P(g, x + c, dy + c, sums + c);                                                      \
        }                                                                                                   \
        for (; IS_NEAR(g, 2) && c + VL <= g->channels; c += VL) {                                           \
            FETCH(P, c)                                                                                     \
            FETCH_OTHER(P, c, dy, 0)                                                                        \
            strided_taps_##P(g, x + c, dy + c, sums + c);                                                   \
        }                                                                                                   \
        for (; c + VL <= g->channels; c += VL) {                                                            \
            FETCH(P, c)                                                                                     \
            FETCH_OTHER(P, c, dy, 0)                                                                        \
            taps_##P(g, x + c, dy + c, sums + c, VL);                                                       \
        }                                                                                                   \
        for (; c + 8 <= g->channels; c += 8) taps8_##P(g, x + c, dy + c, sums + c, 8);                      \
        if (c < g->channels) taps_part_##P(g, x + c, dy + c, sums + c, g->channels - c);                    \
    }

DEFINE_GRADIENT(9)
DEFINE_GRADIENT(8)
DEFINE_GRADIENT(7)
DEFINE_GRADIENT(6)
DEFINE_GRADIENT(5)
DEFINE_GRADIENT(4)
DEFINE_GRADIENT(1)

/* As many runs as above, each of which has as many pixels as the next one or one more. */
INLINE void depthwise_sums(const TapGrid *g, ptrdiff_t pixels, const float *x, const float *dy, float *sums) {
    static void (*const run[])(const TapGrid *, const float *, const float *, float *) = {
        gradient_1, gradient_1, gradient_1, gradient_4, gradient_5, gradient_6, gradient_7, gradient_8, gradient_9};
    for (ptrdiff_t runs = runs_of(pixels); pixels > 0; runs--) {
        const ptrdiff_t some = longest_run(pixels, runs);
        run[some - 1](g, x, dy, sums);
        pixels -= some, x += some * g->x_pixel, dy += some * g->y_pixel;
    }
}

#endif
