/* Winograd's minimal filtering F(4x4, 3x3) and F(4x4, 2x2): the transforms of a tile.
 *
 * Design: 4x4 outputs of a 3x3 convolution come from 6x6 inputs by 36 products instead of 144 (Lavin and Gray,
 * "Fast algorithms for convolutional neural networks", 2016, section 4.1; points 0, 1, -1, 2, -2, infinity):
 *
 *     y = A' [ (G g G') . (B' d B) ] A          d 6x6 inputs, g 3x3 filter, y 4x4 outputs, ' transposes
 *
 * and those of a 2x2 convolution from 5x5 inputs by 25 instead of 64 (points 0, 1, -1, 2, infinity). The weight
 * gradient is the adjoint in g: G' [ (A dy A') . (B' d B) ] G. Each of the points is a matrix product over channels
 * (or tiles); see product.h. Lanes are channels: every transform below is written for one vector of them, 8 or VL
 * wide. A transform is named for its side, 6 or 5.
 */
#ifndef CYNET_WINOGRAD_H
#define CYNET_WINOGRAD_H

#include "product.h"

#define RUN 4 /* tiles of a strip, at most */
#define WHOLE_LINES __attribute__((aligned(64))) /* of the cache: GCC aligns vectors as the pointers to them */

/* Neighbouring tiles of one row of tiles, and the rows of pixels that they lie on: of the input (4 * tiles + 2 columns,
 * or + 1), or of the output (4 * tiles). */
typedef struct {
    float *row[6];              /* the first pixel within the image; zeros where the row is outside */
    ptrdiff_t along[6];         /* floats from a pixel to the next; 0 of zeros */
    ptrdiff_t rows;             /* that an output has */
    ptrdiff_t first, last;      /* the columns within the image */
    ptrdiff_t tiles;
    ptrdiff_t ahead;            /* floats to the next strip */
} Strip;

/* The one-dimensional transforms, from v[0], v[stride], ... to r[0], r[step], ... */
#define INPUT_TRANSFORM_6(V, v, stride, r, step)                                                        \
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
#define OUTPUT_TRANSFORM_6(V, v, stride, r, step)                                                       \
    {                                                                                                   \
        const V a = v[stride] + v[2 * stride], b = v[stride] - v[2 * stride];                           \
        const V c = v[3 * stride] + v[4 * stride], e = v[3 * stride] - v[4 * stride];                   \
        r[0] = v[0] + a + c;                                                                            \
        r[step] = b + 2 * e;                                                                            \
        r[2 * step] = a + 4 * c;                                                                        \
        r[3 * step] = b + 8 * e + v[5 * stride];                                                        \
    }
#define GRADIENT_TRANSFORM_6(V, v, stride, r, step)                                                     \
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
#define FILTER_TRANSFORM_6(V, v, stride, r, step)                                                       \
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
#define FILTER_ADJOINT_6(V, v, stride, r, step)                                                         \
    {                                                                                                   \
        const V a = v[stride] + v[2 * stride], b = v[2 * stride] - v[stride];                           \
        const V c = v[3 * stride] + v[4 * stride], e = v[3 * stride] - v[4 * stride];                   \
        r[0] = v[0] * 0.25f - a * (1.0f / 6) + c * (1.0f / 24);                                         \
        r[step] = b * (1.0f / 6) + e * (1.0f / 12);                                                     \
        r[2 * step] = (c - a) * (1.0f / 6) + v[5 * stride];                                             \
    }
#define INPUT_TRANSFORM_5(V, v, stride, r, step)                                                        \
    {                                                                                                   \
        const V d1 = v[stride], d2 = v[2 * stride], d3 = v[3 * stride], e = d3 - d1, f = d3 - d2;       \
        r[0] = 2 * (v[0] - d2) + e;                                                                     \
        r[step] = f - 2 * d1;                                                                           \
        r[2 * step] = f + 2 * (d1 - d2);                                                                \
        r[3 * step] = e;                                                                                \
        r[4 * step] = v[4 * stride] - d2 - 2 * e;                                                       \
    }
#define OUTPUT_TRANSFORM_5(V, v, stride, r, step)                                                       \
    {                                                                                                   \
        const V a = v[stride] + v[2 * stride], b = v[stride] - v[2 * stride], c = v[3 * stride];        \
        r[0] = v[0] + a + c;                                                                            \
        r[step] = b + 2 * c;                                                                            \
        r[2 * step] = a + 4 * c;                                                                        \
        r[3 * step] = b + 8 * c + v[4 * stride];                                                        \
    }
#define GRADIENT_TRANSFORM_5(V, v, stride, r, step)                                                     \
    {                                                                                                   \
        const V a = v[0] + v[2 * stride], b = v[stride] + v[3 * stride];                                \
        r[0] = v[0];                                                                                    \
        r[step] = a + b;                                                                                \
        r[2 * step] = a - b;                                                                            \
        r[3 * step] = v[0] + 4 * v[2 * stride] + 2 * v[stride] + 8 * v[3 * stride];                     \
        r[4 * step] = v[3 * stride];                                                                    \
    }
#define FILTER_TRANSFORM_5(V, v, stride, r, step)                                                       \
    {                                                                                                   \
        const V a = v[0] * 0.5f, b = v[stride] * 0.5f, c = v[0] * (1.0f / 6);                           \
        r[0] = a;                                                                                       \
        r[step] = -a - b;                                                                               \
        r[2 * step] = v[stride] * (1.0f / 6) - c;                                                       \
        r[3 * step] = c + v[stride] * (1.0f / 3);                                                       \
        r[4 * step] = v[stride];                                                                        \
    }
#define FILTER_ADJOINT_5(V, v, stride, r, step)                                                         \
    {                                                                                                   \
        r[0] = (v[0] - v[stride]) * 0.5f + (v[3 * stride] - v[2 * stride]) * (1.0f / 6);                \
        r[step] = v[2 * stride] * (1.0f / 6) - v[stride] * 0.5f + v[3 * stride] * (1.0f / 3) + v[4 * stride];\
    }

/* The transforms of a strip, LINE vectors V of LANES channels at a time: a line of the cache, where there are so
 * many. First down the columns, each once, though it may belong to two tiles, then along the rows. Point p of tile t
 * lies at v + p * step + t * tile. */
#define DEFINE_FORTH(NAME, N, FROM, TRANSFORM, LINE, LANES, V, LOAD)                                    \
    static NOINLINE void NAME(const Strip *s, float *v, ptrdiff_t tile, ptrdiff_t step,                 \
                              ptrdiff_t first, ptrdiff_t channels) {                                    \
        V half[LINE][(4 * RUN + FROM - 4) * N] WHOLE_LINES;                                             \
        const ptrdiff_t columns = 4 * s->tiles + FROM - 4;                                              \
        for (ptrdiff_t c = first; c < channels; c += LINE * LANES) {                                    \
            const ptrdiff_t ahead = c + LINE * LANES < channels ? LINE * LANES : s->ahead - c;          \
            const float *p[FROM];                                                                       \
            UNROLL for (int i = 0; i < FROM; i++) p[i] = s->row[i] + c;                                 \
            UNROLL for (int l = 0; l < LINE; l++) {                                                     \
                for (ptrdiff_t k = 0; k < N * s->first; k++) half[l][k] = (V){0};                       \
                for (ptrdiff_t k = N * s->last; k < N * columns; k++) half[l][k] = (V){0};              \
            }                                                                                           \
            for (ptrdiff_t k = N * s->first; k < N * s->last; k += N) {                                 \
                UNROLL for (int l = 0; l < LINE; l++) {                                                 \
                    V d[FROM];                                                                          \
                    UNROLL for (int i = 0; i < FROM; i++) d[i] = LOAD(V, p[i] + l * LANES);             \
                    TRANSFORM(V, d, 1, (half[l] + k), 1)                                                \
                }                                                                                       \
                UNROLL for (int i = FROM - 4; i < FROM; i++) __builtin_prefetch(p[i] + ahead, 0, 3);    \
                UNROLL for (int i = 0; i < FROM; i++) p[i] += s->along[i];                              \
            }                                                                                           \
            UNROLL for (int l = 0; l < LINE; l++) {                                                     \
                float *line = v + c + l * LANES;                                                        \
                for (const V *from = half[l]; from < half[l] + N; from++, line += N * step) {           \
                    float *to = line;                                                                   \
                    const V *h = from;                                                                  \
                    for (ptrdiff_t t = 0; t < s->tiles; t++, to += tile, h += 4 * N) {                  \
                        V d[FROM], r[N];                                                                \
                        UNROLL for (int j = 0; j < FROM; j++) d[j] = h[N * j];                          \
                        TRANSFORM(V, d, 1, r, 1)                                                        \
                        UNROLL for (int j = 0; j < N; j++) *(V *)(to + j * step) = r[j];                \
                    }                                                                                   \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
    }

/* The output is y + bias, plus what lies `apart` floats from y unless that is 0, and bent by relu, as BENT says. */
#define DEFINE_BACK(NAME, N, TRANSFORM, LINE, LANES, V, LOAD, STORE)                                    \
    static NOINLINE void NAME(const Strip *s, const float *m, ptrdiff_t tile, ptrdiff_t step,           \
                              const float *bias, ptrdiff_t apart, int relu, ptrdiff_t first,            \
                              ptrdiff_t channels) {                                                     \
        V half[LINE][4 * RUN * N] WHOLE_LINES;                                                          \
        const ptrdiff_t along = s->along[0];                                                            \
        for (ptrdiff_t c = first; c < channels; c += LINE * LANES) {                                    \
            const ptrdiff_t ahead = c + LINE * LANES < channels ? LINE * LANES : s->ahead - c;          \
            V shift[LINE];                                                                              \
            UNROLL for (int l = 0; l < LINE; l++) {                                                     \
                const float *line = m + c + l * LANES;                                                  \
                shift[l] = LOAD(V, bias + c + l * LANES);                                               \
                for (V *to = half[l]; to < half[l] + N; to++, line += step) {                           \
                    const float *from = line;                                                           \
                    V *h = to;                                                                          \
                    for (ptrdiff_t t = 0; t < s->tiles; t++, from += tile, h += 4 * N) {                \
                        V d[N];                                                                         \
                        UNROLL for (int i = 0; i < N; i++) d[i] = *(const V *)(from + i * N * step);    \
                        TRANSFORM(V, d, 1, h, N)                                                        \
                    }                                                                                   \
                }                                                                                       \
            }                                                                                           \
            for (ptrdiff_t i = 0; i < s->rows; i++) {                                                   \
                float *y = s->row[i] + c;                                                               \
                ptrdiff_t k = N * i;                                                                    \
                for (ptrdiff_t left = s->last; left > 0; left -= 4, k += 4 * N, y += 4 * along) {       \
                    UNROLL for (int l = 0; l < LINE; l++) {                                             \
                        V r[4];                                                                         \
                        float *to = y + l * LANES;                                                      \
                        TRANSFORM(V, (half[l] + k), 1, r, 1)                                            \
                        UNROLL for (int j = 0; j < 4; j++, to += along) {                               \
                            V out = r[j] + shift[l];                                                    \
                            if (j >= left) break;                                                       \
                            if (apart) out += LOAD(V, to + apart);                                      \
                            BENT(V, out, relu)                                                          \
                            STORE(V, to, out);                                                          \
                            if (l == 0) __builtin_prefetch(to + ahead, 1, 3);                           \
                        }                                                                               \
                    }                                                                                   \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
    }
#define DEFINE_TRANSFORMS(N, NAME, LINE, LANES, V, LOAD, STORE)                                         \
    DEFINE_FORTH(winograd_input_##N##_##NAME, N, N, INPUT_TRANSFORM_##N, LINE, LANES, V, LOAD)          \
    DEFINE_FORTH(winograd_gradient_##N##_##NAME, N, 4, GRADIENT_TRANSFORM_##N, LINE, LANES, V, LOAD)    \
    DEFINE_BACK(winograd_output_##N##_##NAME, N, OUTPUT_TRANSFORM_##N, LINE, LANES, V, LOAD, STORE)

/* Filters of LANES outputs, or of the first `left`, `lane` floats apart in w, tap t of each at w[tap[t]]; 0 where that
 * is -1. */
#define DEFINE_FILTERS(R, N, LANES, V)                                                                  \
    static NOINLINE void winograd_filter_##N##_##LANES(                                                 \
        const float *w, const ptrdiff_t *tap, ptrdiff_t lane, ptrdiff_t left, float *u,                 \
        ptrdiff_t step) {                                                                               \
        V g[R * R], half[R * N];                                                                        \
        for (int t = 0; t < R * R; t++) {                                                               \
            float values[LANES] = {0};                                                                  \
            if (tap[t] >= 0 && left >= LANES)                                                           \
                UNROLL for (ptrdiff_t l = 0; l < LANES; l++) values[l] = w[l * lane + tap[t]];          \
            else if (tap[t] >= 0)                                                                       \
                for (ptrdiff_t l = 0; l < left; l++) values[l] = w[l * lane + tap[t]];                  \
            g[t] = *(const V *)values;                                                                  \
        }                                                                                               \
        UNROLL for (int j = 0; j < R; j++) FILTER_TRANSFORM_##N(V, (g + j), R, (half + j), R)           \
        UNROLL for (int i = 0; i < N; i++) {                                                            \
            V r[N];                                                                                     \
            FILTER_TRANSFORM_##N(V, (half + R * i), 1, r, 1)                                            \
            UNROLL for (int j = 0; j < N; j++) *(V *)(u + (N * i + j) * step) = r[j];                   \
        }                                                                                               \
    }                                                                                                   \
    /* The sum of `chunks` partial gradients, `apart` floats from each other, back to taps: added to dw. */\
    static NOINLINE void winograd_filter_adjoint_##N##_##LANES(                                         \
        const float *u, ptrdiff_t step, ptrdiff_t chunks, ptrdiff_t apart, float *dw,                   \
        const ptrdiff_t *tap, ptrdiff_t lane, ptrdiff_t left) {                                         \
        V sum[N * N], half[R * N], g[R * R];                                                            \
        for (int p = 0; p < N * N; p++) {                                                               \
            sum[p] = *(const V *)(u + p * step);                                                        \
            for (ptrdiff_t k = 1; k < chunks; k++) sum[p] += *(const V *)(u + p * step + k * apart);    \
        }                                                                                               \
        UNROLL for (int j = 0; j < N; j++) FILTER_ADJOINT_##N(V, (sum + j), N, (half + j), N)           \
        UNROLL for (int i = 0; i < R; i++) FILTER_ADJOINT_##N(V, (half + N * i), 1, (g + R * i), 1)     \
        for (ptrdiff_t l = 0; l < LANES && l < left; l++)                                               \
            for (int t = 0; t < R * R; t++)                                                             \
                if (tap[t] >= 0) dw[l * lane + tap[t]] += g[t][l];                                      \
    }

#define ALL(V, p) (*(const V *)(p))
#define KEEP(V, p, y) *(V *)(p) = y
#define SOME(V, p) vload8_part(p, channels - first)
#define KEEP_SOME(V, p, y) vstore8_part(p, y, channels - first)
DEFINE_TRANSFORMS(6, 16, 16 / VL, VL, vf, ALL, KEEP)
DEFINE_TRANSFORMS(5, 16, 16 / VL, VL, vf, ALL, KEEP)
DEFINE_TRANSFORMS(6, 8, 1, 8, vf8, ALL, KEEP)
DEFINE_TRANSFORMS(5, 8, 1, 8, vf8, ALL, KEEP)
DEFINE_TRANSFORMS(6, some, 1, 8, vf8, SOME, KEEP_SOME)
DEFINE_TRANSFORMS(5, some, 1, 8, vf8, SOME, KEEP_SOME)
DEFINE_FILTERS(3, 6, 8, vf8)
DEFINE_FILTERS(2, 5, 8, vf8)
#if VL == 16
DEFINE_FILTERS(3, 6, 16, vf)
DEFINE_FILTERS(2, 5, 16, vf)
#define FILTER_LANES 16 /* transformed at once, where a block has so many */
#else
#define FILTER_LANES 8
#endif

/* Sixteen channels at a time, then eight, then those that are left, with zeros behind them. */
#define BY_CHANNELS(name, channels, ...)                                                                \
    {                                                                                                   \
        const ptrdiff_t wide = (channels) & -16, whole = (channels) & -8;                             \
        if (wide) name##_16(__VA_ARGS__, 0, wide);                                                      \
        if (wide < whole) name##_8(__VA_ARGS__, wide, whole);                                           \
        if (whole < (channels)) name##_some(__VA_ARGS__, whole, channels);                              \
    }
#define BY_SIDE(name, channels, ...)                                                                    \
    if (side == 6) BY_CHANNELS(name##_6, channels, __VA_ARGS__)                                         \
    else BY_CHANNELS(name##_5, channels, __VA_ARGS__)

/* Of tiles of 6x6 or 5x5 inputs, by `side`, all channels. */
INLINE void winograd_input(int side, const Strip *s, float *v, ptrdiff_t tile, ptrdiff_t step, ptrdiff_t channels) {
    BY_SIDE(winograd_input, channels, s, v, tile, step)
}
INLINE void winograd_gradient(int side, const Strip *s, float *v, ptrdiff_t tile, ptrdiff_t step, ptrdiff_t channels) {
    BY_SIDE(winograd_gradient, channels, s, v, tile, step)
}
INLINE void winograd_output(int side, const Strip *s, const float *m, ptrdiff_t tile, ptrdiff_t step,
                            const float *bias, ptrdiff_t apart, int relu, ptrdiff_t channels) {
    BY_SIDE(winograd_output, channels, s, m, tile, step, bias, apart, relu)
}

/* Filters of FILTER_LANES outputs of a block of `width`, or of eight, of which `left` are there. */
INLINE void winograd_filter(int side, const float *w, const ptrdiff_t *tap, ptrdiff_t lane, ptrdiff_t left,
                            float *u, ptrdiff_t step, ptrdiff_t width) {
#if VL == 16
    if (width % 16 == 0) {
        if (side == 6) winograd_filter_6_16(w, tap, lane, left, u, step);
        else winograd_filter_5_16(w, tap, lane, left, u, step);
        return;
    }
#endif
    if (side == 6) winograd_filter_6_8(w, tap, lane, left, u, step);
    else winograd_filter_5_8(w, tap, lane, left, u, step);
}

/* The sums of `chunks` partial gradients of 16 outputs, of eight, or of the first `left`, back to taps: of how many. */
INLINE ptrdiff_t winograd_filter_adjoint(int side, const float *u, ptrdiff_t step, ptrdiff_t chunks, ptrdiff_t apart,
                                         float *dw, const ptrdiff_t *tap, ptrdiff_t lane, ptrdiff_t left) {
#if VL == 16
    if (left > 8) {
        if (side == 6) winograd_filter_adjoint_6_16(u, step, chunks, apart, dw, tap, lane, left);
        else winograd_filter_adjoint_5_16(u, step, chunks, apart, dw, tap, lane, left);
        return 16;
    }
#endif
    if (side == 6) winograd_filter_adjoint_6_8(u, step, chunks, apart, dw, tap, lane, left);
    else winograd_filter_adjoint_5_8(u, step, chunks, apart, dw, tap, lane, left);
    return 8;
}

/* The lanes of the block that starts where `lanes` are left, any number; and those of all blocks. */
INLINE ptrdiff_t lane_block(ptrdiff_t lanes) {
    if (VL == 16 && lanes > 16) return 32;
    return lanes > 8 ? 16 : 8;
}
INLINE ptrdiff_t lanes_of_blocks(ptrdiff_t lanes) {
    const ptrdiff_t widest = 2 * VL > 16 ? 32 : 16, whole = lanes / widest * widest;
    return whole < lanes ? whole + lane_block(lanes - whole) : whole;
}

#endif
