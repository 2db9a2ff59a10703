/* Winograd's minimal filtering F(4x4, 3x3): the transforms of a tile, and the small matrix products between.
 *
 * Design: 4x4 outputs of a 3x3 convolution come from 6x6 inputs by 36 products instead of 144 (Lavin and Gray,
 * "Fast algorithms for convolutional neural networks", 2016, section 4.1; points 0, 1, -1, 2, -2, infinity):
 *
 *     y = A' [ (G g G') . (B' d B) ] A          d 6x6 inputs, g 3x3 filter, y 4x4 outputs, ' transposes
 *
 * The weight gradient is the adjoint in g: G' [ (A dy A') . (B' d B) ] G. Each of the 36 points is a matrix
 * product over channels (or tiles); see product.h. Lanes are channels: every transform below is written for one vector of them, 8 or VL wide.
 */
#ifndef CYNET_WINOGRAD_H
#define CYNET_WINOGRAD_H

#include "product.h"

#define POINTS 36

/* The four one-dimensional transforms, from v[0], v[stride], ... to r[0], r[step], ... */
#define INPUT_TRANSFORM(V, v, stride, r, step)                                                          \
    {                                                                                                   \
        const V d1 = v[stride], d2 = v[2 * stride], d3 = v[3 * stride], d4 = v[4 * stride];             \
        const V a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);                       \
        r[0] = 4 * v[0] - 5 * d2 + d4;                                                                  \
        r[step] = a + b;                                                                                \
        r[2 * step] = a - b;                                                                            \
        r[3 * step] = c + e;                                                                            \
        r[4 * step] = c - e;                                                                            \
        r[5 * step] = 4 * d1 - 5 * d3 + v[5 * stride];                                                  \
    }
#define OUTPUT_TRANSFORM(V, v, stride, r, step)                                                         \
    {                                                                                                   \
        const V a = v[stride] + v[2 * stride], b = v[stride] - v[2 * stride];                           \
        const V c = v[3 * stride] + v[4 * stride], e = v[3 * stride] - v[4 * stride];                   \
        r[0] = v[0] + a + c;                                                                            \
        r[step] = b + 2 * e;                                                                            \
        r[2 * step] = a + 4 * c;                                                                        \
        r[3 * step] = b + 8 * e + v[5 * stride];                                                        \
    }
#define GRADIENT_TRANSFORM(V, v, stride, r, step)                                                       \
    {                                                                                                   \
        const V a = v[0] + v[2 * stride], b = v[stride] + v[3 * stride];                                \
        const V c = v[0] + 4 * v[2 * stride], e = 2 * v[stride] + 8 * v[3 * stride];                    \
        r[0] = v[0];                                                                                    \
        r[step] = a + b;                                                                                \
        r[2 * step] = a - b;                                                                            \
        r[3 * step] = c + e;                                                                            \
        r[4 * step] = c - e;                                                                            \
        r[5 * step] = v[3 * stride];                                                                    \
    }
#define FILTER_TRANSFORM(V, v, stride, r, step)                                                         \
    {                                                                                                   \
        const V a = (v[0] + v[2 * stride]) * (-1.0f / 6), b = v[stride] * (1.0f / 6);                   \
        const V c = v[0] * (1.0f / 24) + v[2 * stride] * (1.0f / 6), e = v[stride] * (1.0f / 12);       \
        r[0] = v[0] * 0.25f;                                                                            \
        r[step] = a - b;                                                                                \
        r[2 * step] = a + b;                                                                            \
        r[3 * step] = c + e;                                                                            \
        r[4 * step] = c - e;                                                                            \
        r[5 * step] = v[2 * stride];                                                                    \
    }
#define FILTER_ADJOINT(V, v, stride, r, step)                                                           \
    {                                                                                                   \
        const V a = v[stride] + v[2 * stride], b = v[2 * stride] - v[stride];                           \
        const V c = v[3 * stride] + v[4 * stride], e = v[3 * stride] - v[4 * stride];                   \
        r[0] = v[0] * 0.25f - a * (1.0f / 6) + c * (1.0f / 24);                                         \
        r[step] = b * (1.0f / 6) + e * (1.0f / 12);                                                     \
        r[2 * step] = (c - a) * (1.0f / 6) + v[5 * stride];                                             \
    }

/* The transforms of one tile for vectors V of LANES channels.
 *
 * The output is y + bias, plus what lies `apart` floats from y unless that is 0, and bent by relu, as BENT says.
 * `pixel` holds the addresses of the tile's pixels (of zeros where it leaves the image; NULL where an output
 * pixel is not wanted); point p of the transformed tile lies at v + p * step. */
/* Ask for the pixels of the tile after this one, which take as long to come as a tile to be transformed. */
#define PREFETCH(side, first, write)                                                                    \
    for (int i = 0; i < side; i++)                                                                      \
        for (int j = first; j < side; j++) __builtin_prefetch(next[side * i + j] + c, write, 3);

#define DEFINE_TRANSFORMS(LANES, V)                                                                     \
    static NOINLINE void winograd_input_##LANES(const float *const *pixel, const float *const *next,    \
                                                float *v, ptrdiff_t step, ptrdiff_t channels) {         \
        for (ptrdiff_t c = 0; c < channels; c += LANES) {                                               \
            V half[36];                                                                                 \
            PREFETCH(6, 2, 0) /* columns 0 and 1 are this tile's */                                     \
            UNROLL for (int j = 0; j < 6; j++) {                                                        \
                V d[6];                                                                                 \
                UNROLL for (int i = 0; i < 6; i++) d[i] = *(const V *)(pixel[6 * i + j] + c);           \
                INPUT_TRANSFORM(V, d, 1, (half + j), 6)                                                 \
            }                                                                                           \
            UNROLL for (int i = 0; i < 6; i++) {                                                        \
                V r[6];                                                                                 \
                INPUT_TRANSFORM(V, (half + 6 * i), 1, r, 1)                                             \
                UNROLL for (int j = 0; j < 6; j++) *(V *)(v + (6 * i + j) * step + c) = r[j];           \
            }                                                                                           \
        }                                                                                               \
    }                                                                                                   \
    static NOINLINE void winograd_gradient_##LANES(const float *const *pixel, const float *const *next, \
                                                   float *v, ptrdiff_t step, ptrdiff_t channels) {      \
        for (ptrdiff_t c = 0; c < channels; c += LANES) {                                               \
            V half[24];                                                                                 \
            PREFETCH(4, 0, 0)                                                                           \
            UNROLL for (int j = 0; j < 4; j++) {                                                        \
                V d[4];                                                                                 \
                UNROLL for (int i = 0; i < 4; i++) d[i] = *(const V *)(pixel[4 * i + j] + c);           \
                GRADIENT_TRANSFORM(V, d, 1, (half + j), 4)                                              \
            }                                                                                           \
            UNROLL for (int i = 0; i < 6; i++) {                                                        \
                V r[6];                                                                                 \
                GRADIENT_TRANSFORM(V, (half + 4 * i), 1, r, 1)                                          \
                UNROLL for (int j = 0; j < 6; j++) *(V *)(v + (6 * i + j) * step + c) = r[j];           \
            }                                                                                           \
        }                                                                                               \
    }                                                                                                   \
    static NOINLINE void winograd_output_##LANES(const float *m, ptrdiff_t step, const float *bias,     \
                                                 float *const *pixel, float *const *next,               \
                                                 ptrdiff_t channels, ptrdiff_t apart, int relu) {       \
        for (ptrdiff_t c = 0; c < channels; c += LANES) {                                               \
            V half[24];                                                                                 \
            PREFETCH(4, 0, 1)                                                                           \
            const V shift = *(const V *)(bias + c);                                                     \
            UNROLL for (int j = 0; j < 6; j++) {                                                        \
                V d[6];                                                                                 \
                UNROLL for (int i = 0; i < 6; i++) d[i] = *(const V *)(m + (6 * i + j) * step + c);     \
                OUTPUT_TRANSFORM(V, d, 1, (half + j), 6)                                                \
            }                                                                                           \
            UNROLL for (int i = 0; i < 4; i++) {                                                        \
                V r[4];                                                                                 \
                OUTPUT_TRANSFORM(V, (half + 6 * i), 1, r, 1)                                            \
                UNROLL for (int j = 0; j < 4; j++) {                                                    \
                    V y = r[j] + shift;                                                                 \
                    if (!pixel[4 * i + j]) continue;                                                    \
                    if (apart) y += *(const V *)(pixel[4 * i + j] + apart + c);                         \
                    BENT(V, y, relu)                                                                    \
                    *(V *)(pixel[4 * i + j] + c) = y;                                                   \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
    }                                                                                                   \
    /* Filters of LANES outputs, `lane` floats apart in w, tap t of each at w[tap[t]]. */               \
    static NOINLINE void winograd_filter_##LANES(const float *w, const ptrdiff_t *tap, ptrdiff_t lane,  \
                                                 float *u, ptrdiff_t step) {                            \
        V g[9], half[18];                                                                               \
        for (int t = 0; t < 9; t++) {                                                                   \
            float values[LANES];                                                                        \
            UNROLL for (ptrdiff_t l = 0; l < LANES; l++) values[l] = w[l * lane + tap[t]];              \
            g[t] = *(const V *)values;                                                                  \
        }                                                                                               \
        UNROLL for (int j = 0; j < 3; j++) FILTER_TRANSFORM(V, (g + j), 3, (half + j), 3)               \
        UNROLL for (int i = 0; i < 6; i++) {                                                            \
            V r[6];                                                                                     \
            FILTER_TRANSFORM(V, (half + 3 * i), 1, r, 1)                                                \
            UNROLL for (int j = 0; j < 6; j++) *(V *)(u + (6 * i + j) * step) = r[j];                   \
        }                                                                                               \
    }                                                                                                   \
    /* The sum of `chunks` partial gradients, `apart` floats from each other, back to 3x3: added to dw. */ \
    static NOINLINE void winograd_filter_adjoint_##LANES(const float *u, ptrdiff_t step, ptrdiff_t chunks, \
                                                ptrdiff_t apart, float *dw, ptrdiff_t lane) {           \
        V sum[36], half[18], g[9];                                                                      \
        for (int p = 0; p < POINTS; p++) {                                                              \
            sum[p] = *(const V *)(u + p * step);                                                        \
            for (ptrdiff_t k = 1; k < chunks; k++) sum[p] += *(const V *)(u + p * step + k * apart);    \
        }                                                                                               \
        UNROLL for (int j = 0; j < 6; j++) FILTER_ADJOINT(V, (sum + j), 6, (half + j), 6)               \
        UNROLL for (int i = 0; i < 3; i++) FILTER_ADJOINT(V, (half + 6 * i), 1, (g + 3 * i), 1)         \
        for (int l = 0; l < LANES; l++)                                                                 \
            for (int t = 0; t < 9; t++) dw[l * lane + t] += g[t][l];                                    \
    }

DEFINE_TRANSFORMS(8, vf8)
#if VL == 16
DEFINE_TRANSFORMS(16, vf)
#define CHOOSE(channels, name, ...)                                                                     \
    if ((channels) % 16 == 0) name##_16(__VA_ARGS__);                                                   \
    else name##_8(__VA_ARGS__);
#else
#define CHOOSE(channels, name, ...) name##_8(__VA_ARGS__);
#endif

INLINE void winograd_input(const float *const *pixel, const float *const *next, float *v, ptrdiff_t step,
                           ptrdiff_t channels) {
    CHOOSE(channels, winograd_input, pixel, next, v, step, channels)
}
INLINE void winograd_gradient(const float *const *pixel, const float *const *next, float *v,
                              ptrdiff_t step, ptrdiff_t channels) {
    CHOOSE(channels, winograd_gradient, pixel, next, v, step, channels)
}
#if VL == 16
#define FILTER_LANES 16 /* transformed at once, where a block has so many */
#else
#define FILTER_LANES 8
#endif

/* Filters of FILTER_LANES outputs of a block of `width`, or of eight. */
INLINE void winograd_filter(const float *w, const ptrdiff_t *tap, ptrdiff_t lane, float *u, ptrdiff_t step,
                            ptrdiff_t width) {
    CHOOSE(width, winograd_filter, w, tap, lane, u, step)
}
INLINE void winograd_output(const float *m, ptrdiff_t step, const float *bias, float *const *pixel,
                            float *const *next, ptrdiff_t channels, ptrdiff_t apart, int relu) {
    CHOOSE(channels, winograd_output, m, step, bias, pixel, next, channels, apart, relu)
}

#endif
