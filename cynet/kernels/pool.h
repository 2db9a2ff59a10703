/* The two steps of max-pooling, for VL lanes and for eight; `left` is how many of them are there.
 *
 * With AVX-512 a comparison gives one bit a lane, which the vector extension cannot say: hence the intrinsics. For
 * the maxima of eight lanes what it can say is faster.
 */
#ifndef CYNET_POOL_H
#define CYNET_POOL_H

#include "simd.h"

typedef struct { vf8 value; vi8 cell; } best_eight;

INLINE vf8 load_eight(const float *p, ptrdiff_t left) { return left >= 8 ? vload8(p) : vload8_part(p, left); }
INLINE void beat_eight(best_eight *b, const float *p, int cell, ptrdiff_t left) {
    vmax8(load_eight(p, left), cell, &b->value, &b->cell);
}
INLINE best_eight start_eight(const float *p, int cell, ptrdiff_t left) {
    return (best_eight){load_eight(p, left), vset8i(cell)};
}
INLINE void store_best_eight(best_eight b, float *y, unsigned char *winner, ptrdiff_t left) {
    if (left >= 8) {
        vstore8(y, b.value);
        vstore8b(winner, b.cell);
    } else {
        vstore8_part(y, b.value, left);
        vstore8b_part(winner, b.cell, left);
    }
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#define WIDE 16
#define won_wide vf
#define store_won_wide vstore
typedef struct { __m512 value; __m512i cell; } best_wide;

INLINE __mmask16 lanes(ptrdiff_t left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

/* Where the value at p beats the best, take it and its cell. NaN beats all, the first of equals stays. */
INLINE void beat_wide(best_wide *b, const float *p, int cell, ptrdiff_t left) {
    __m512 v = left >= 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(lanes(left), p);
    __mmask16 beats = _mm512_cmp_ps_mask(v, b->value, _CMP_GT_OQ) | _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    b->value = _mm512_mask_mov_ps(b->value, beats, v);
    b->cell = _mm512_mask_mov_epi32(b->cell, beats, _mm512_set1_epi32(cell));
}
INLINE best_wide start_wide(const float *p, int cell, ptrdiff_t left) {
    return (best_wide){(__m512)vload_part(p, left < 16 ? left : 16), _mm512_set1_epi32(cell)};
}
INLINE void store_best_wide(best_wide b, float *y, unsigned char *winner, ptrdiff_t left) {
    _mm512_mask_storeu_ps(y, lanes(left), b.value);
    _mm_mask_storeu_epi8(winner, lanes(left), _mm512_cvtepi32_epi8(b.cell));
}

/* sum + dy where the winner is `cell`. */
INLINE vf add_won_wide(vf sum, const float *dy, const unsigned char *winner, int cell, ptrdiff_t left) {
    __m128i won = left >= 16 ? _mm_loadu_si128((const __m128i *)winner) : _mm_maskz_loadu_epi8(lanes(left), winner);
    __mmask16 mask = _mm_cmpeq_epi8_mask(won, _mm_set1_epi8((char)cell)) & lanes(left);
    return (vf)_mm512_mask_add_ps((__m512)sum, mask, (__m512)sum, _mm512_maskz_loadu_ps(mask, dy));
}
INLINE vf8 add_won_eight(vf8 sum, const float *dy, const unsigned char *winner, int cell, ptrdiff_t left) {
    __m128i won = left >= 8 ? _mm_loadl_epi64((const __m128i *)winner) : _mm_maskz_loadu_epi8(lanes(left), winner);
    __mmask8 mask = (__mmask8)(_mm_cmpeq_epi8_mask(won, _mm_set1_epi8((char)cell)) & lanes(left < 8 ? left : 8));
    return (vf8)_mm256_mask_add_ps((__m256)sum, mask, (__m256)sum, _mm256_maskz_loadu_ps(mask, dy));
}

#else

INLINE vf8 add_won_eight(vf8 sum, const float *dy, const unsigned char *winner, int cell, ptrdiff_t left) {
    vi8 won = left >= 8 ? vload8b(winner) : vload8b_part(winner, left);
    return sum + vwhere8(won, cell, load_eight(dy, left));
}

#define WIDE 8 /* lanes of the wide ones: here they are the same */
#define best_wide best_eight
#define beat_wide beat_eight
#define start_wide start_eight
#define store_best_wide store_best_eight
#define add_won_wide add_won_eight
#define won_wide vf8
#define store_won_wide vstore8

#endif

INLINE won_wide nothing_won(void) { return (won_wide){0}; }

#endif
