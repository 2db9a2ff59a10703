/* Rows of pictures of bytes for warp.pyx, in C for its `restrict`: rows do not overlap, and so these loops are
 * vectorised. Weights are in 1/256. */
#ifndef CYNET_ROWS_H
#define CYNET_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* line[i] = 256 times the mean of two rows, of which the lower one has weight w. */
static inline void mix_rows(const unsigned char *restrict upper, const unsigned char *restrict lower, int w,
                            uint16_t *restrict line, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) line[i] = (uint16_t)(upper[i] * (256 - w) + lower[i] * w);
}

/* pairs[i] = line[i] and, in its high half, line[i + 1]. */
static inline void pair_up(const uint16_t *restrict line, uint32_t *restrict pairs, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) pairs[i] = line[i] | (uint32_t)line[i + 1] << 16;
}

/* out[i] = the mean of the pair at[i], whose high half has weight share[i], rounded to a byte. */
static inline void mix_pairs(const uint32_t *restrict pairs, const int32_t *restrict at,
                             const int32_t *restrict share, unsigned char *restrict out, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t pair = pairs[at[i]], w = (uint32_t)share[i];
        out[i] = (unsigned char)(((pair & 65535) * (256 - w) + (pair >> 16) * w + 32768) >> 16);
    }
}

/* out[i] = table[bytes[i]]. */
static inline void look_up(const unsigned char *restrict bytes, const float *restrict table, float *restrict out,
                           ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = table[bytes[i]];
}

/* out[i, c] = planes[c, i]. */
static inline void interleave(const float *restrict planes, float *restrict out, ptrdiff_t count,
                              ptrdiff_t channels) {
    if (channels == 3) { /* of a known number compilers make shuffles */
        for (ptrdiff_t i = 0; i < count; i++) {
            out[3 * i] = planes[i];
            out[3 * i + 1] = planes[count + i];
            out[3 * i + 2] = planes[2 * count + i];
        }
        return;
    }
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t i = 0; i < count; i++) out[i * channels + c] = planes[c * count + i];
}

#endif
