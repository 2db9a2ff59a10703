/* Rows of pictures of bytes for warp.pyx, in C for its `restrict`: rows do not overlap, and so these loops are
 * vectorised. Weights are in 1/256. */
#ifndef CYNET_ROWS_H
#define CYNET_ROWS_H

#include <stddef.h>
#include <stdint.h>
#ifdef __SSSE3__
#include <immintrin.h>
#endif

enum { TOGETHER = 8, REACH = 16 }; /* columns of a group, and the bytes of a row that it may look at */

/* line[i] = 256 times the mean of the bytes at[i] and at[i] + 1 of a row, of which the second has weight share[i].
 * `pairs` is scratch: each of the row's bytes from `first` to `last` with the one after it, so that one access finds
 * both. */
static inline void stretch(const unsigned char *restrict row, const int32_t *restrict at,
                           const uint16_t *restrict share, uint32_t *restrict pairs, ptrdiff_t first, ptrdiff_t last,
                           uint16_t *restrict line, ptrdiff_t count) {
    for (ptrdiff_t i = first; i <= last; i++) pairs[i] = row[i] | (uint32_t)row[i + 1] << 16;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t pair = pairs[at[i]];
        line[i] = (uint16_t)((pair & 65535) * (256u - share[i]) + (pair >> 16) * share[i]);
    }
}

/* The same where each group's bytes lie within REACH of base[group], in whose places the pairs are. Arithmetic is
 * modulo 65536, and so is what it finds below it. */
static inline void stretch_groups(const unsigned char *restrict row, const int32_t *restrict base,
                                  const unsigned char *restrict places, const uint16_t *restrict share,
                                  uint16_t *restrict line, ptrdiff_t groups) {
#ifdef __SSSE3__
    const __m128i low = _mm_set1_epi16(255);
    for (ptrdiff_t g = 0; g < groups; g++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(row + base[g]));
        __m128i pairs = _mm_shuffle_epi8(bytes, _mm_loadu_si128((const __m128i *)(places + REACH * g)));
        __m128i w = _mm_loadu_si128((const __m128i *)(share + TOGETHER * g));
        __m128i step = _mm_sub_epi16(_mm_srli_epi16(pairs, 8), _mm_and_si128(pairs, low));
        __m128i mixed = _mm_add_epi16(_mm_slli_epi16(pairs, 8), _mm_mullo_epi16(step, w));
        _mm_storeu_si128((__m128i *)(line + TOGETHER * g), mixed);
    }
#else
    for (ptrdiff_t i = 0; i < TOGETHER * groups; i++) {
        const unsigned char *bytes = row + base[i / TOGETHER];
        int near = bytes[places[2 * i]], far = bytes[places[2 * i + 1]];
        line[i] = (uint16_t)(256 * near + (far - near) * share[i]);
    }
#endif
}

/* out[i] = the mean of two lines, of which the lower one has weight w, rounded to a byte. */
static inline void mix_lines(const uint16_t *restrict upper, const uint16_t *restrict lower, int w,
                             unsigned char *restrict out, ptrdiff_t count) {
    ptrdiff_t i = 0;
#ifdef __SSSE3__ /* products of signed numbers: 32768 is taken from both, and given back with the half */
    const __m128i bias = _mm_set1_epi16(-32768), back = _mm_set1_epi32(32768 * 257);
    const __m128i weights = _mm_set1_epi32((256 - w) | w << 16);
    for (; i + TOGETHER <= count; i += TOGETHER) {
        __m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(upper + i)), bias);
        __m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(lower + i)), bias);
        __m128i left = _mm_add_epi32(_mm_madd_epi16(_mm_unpacklo_epi16(a, b), weights), back);
        __m128i right = _mm_add_epi32(_mm_madd_epi16(_mm_unpackhi_epi16(a, b), weights), back);
        __m128i words = _mm_packs_epi32(_mm_srai_epi32(left, 16), _mm_srai_epi32(right, 16));
        _mm_storel_epi64((__m128i *)(out + i), _mm_packus_epi16(words, words));
    }
#endif
    for (; i < count; i++) out[i] = (unsigned char)((upper[i] * (256u - w) + lower[i] * (uint32_t)w + 32768) >> 16);
}

/* Ask for what will be written soon: `count` floats. A hint, which compilers may lack. */
static inline void announce(const float *out, ptrdiff_t count) {
#ifdef __GNUC__
    for (ptrdiff_t i = 0; i < count; i += 16) __builtin_prefetch(out + i, 1);
#endif
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
