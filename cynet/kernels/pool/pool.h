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
    if (left >= 8) vstore8(y, b.value);
    else vstore8_part(y, b.value, left);
    if (!winner) return;
    if (left >= 8) vstore8b(winner, b.cell);
    else vstore8b_part(winner, b.cell, left);
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#define WIDE 16
#define won_wide vf
#define store_won_wide vstore

INLINE __mmask16 lanes(ptrdiff_t left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

/* The best of k x k cells, k a constant. `down` and `right` give for each row and column of the window which one
 * is read, or are NULL: the cells that lie outside the image are replaced by their neighbours inside, which then
 * beat nothing the second time. NaN, which beats all, is looked for once, at the end. A pair is two windows of
 * eight channels, `apart` floats from each other. Where winner is NULL, as in evaluation, no winners are noted. */
INLINE __m512 load_wide_window(const float *p, ptrdiff_t apart) { return (void)apart, _mm512_loadu_ps(p); }
INLINE __m256 load_eight_window(const float *p, ptrdiff_t apart) { return (void)apart, _mm256_loadu_ps(p); }
INLINE __m512 load_pair_window(const float *p, ptrdiff_t apart) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(p + apart), 1);
}

#define DEFINE_WINDOW(NAME, BITS, V, MASK, STORE)                                                            \
    INLINE V NAME##_chain(int k, const float *start, ptrdiff_t apart, ptrdiff_t row, ptrdiff_t channels,     \
                          const int *down, const int *right, int with_nan, __m128i *cells, MASK *odd) {      \
        int y = down ? down[0] : 0, x = right ? right[0] : 0;                                                \
        V best = load_##NAME(start + y * row + x * channels, apart), last = best;                            \
        __m128i cell = _mm_set1_epi8((char)(y * k + x));                                                     \
        MASK unordered = 0;                                                                                  \
        _Pragma("GCC unroll 9") for (int t = 1; t < k * k; t++) {                                            \
            y = down ? down[t / k] : t / k, x = right ? right[t % k] : t % k;                                \
            V v = load_##NAME(start + y * row + x * channels, apart);                                        \
            MASK beats = cells || with_nan ? BITS##_cmp_ps_mask(v, best, _CMP_GT_OQ) : 0;                    \
            if (with_nan) beats |= BITS##_cmp_ps_mask(v, v, _CMP_UNORD_Q);                                   \
            else if (t % 2 || t == k * k - 1) unordered |= BITS##_cmp_ps_mask(v, last, _CMP_UNORD_Q);        \
            best = with_nan ? BITS##_mask_mov_ps(best, beats, v) : BITS##_max_ps(v, best);                   \
            if (cells) cell = _mm_mask_mov_epi8(cell, beats, _mm_set1_epi8((char)(y * k + x)));              \
            last = v;                                                                                        \
        }                                                                                                    \
        *odd = unordered;                                                                                    \
        if (cells) *cells = cell;                                                                            \
        return best;                                                                                         \
    }                                                                                                        \
    INLINE void NAME(int k, const float *start, ptrdiff_t apart, ptrdiff_t row, ptrdiff_t channels,          \
                     const int *down, const int *right, float *y, unsigned char *winner) {                   \
        MASK odd;                                                                                            \
        __m128i noted, *cells = winner ? &noted : NULL;                                                      \
        V best = NAME##_chain(k, start, apart, row, channels, down, right, 0, cells, &odd);                  \
        if (__builtin_expect(odd, 0))                                                                        \
            best = NAME##_chain(k, start, apart, row, channels, down, right, 1, cells, &odd);                \
        BITS##_storeu_ps(y, best);                                                                           \
        if (winner) STORE((__m128i *)winner, noted);                                                         \
    }

DEFINE_WINDOW(wide_window, _mm512, __m512, __mmask16, _mm_storeu_si128)
DEFINE_WINDOW(eight_window, _mm256, __m256, __mmask8, _mm_storel_epi64)
DEFINE_WINDOW(pair_window, _mm512, __m512, __mmask16, _mm_storeu_si128)

INLINE void window_wide(int k, const float *start, ptrdiff_t row, ptrdiff_t channels, const int *down,
                        const int *right, float *y, unsigned char *winner) {
    wide_window(k, start, 0, row, channels, down, right, y, winner);
}
INLINE void window_eight(int k, const float *start, ptrdiff_t row, ptrdiff_t channels, const int *down,
                         const int *right, float *y, unsigned char *winner) {
    eight_window(k, start, 0, row, channels, down, right, y, winner);
}

/* sum + dy where the winner is `cell`. */
INLINE vf add_won_wide(vf sum, const float *dy, const unsigned char *winner, int cell) {
    __m128i won = _mm_loadu_si128((const __m128i *)winner);
    __mmask16 mask = _mm_cmpeq_epi8_mask(won, _mm_set1_epi8((char)cell));
    return (vf)_mm512_mask_add_ps((__m512)sum, mask, (__m512)sum, _mm512_maskz_loadu_ps(mask, dy));
}
INLINE vf8 add_won_eight(vf8 sum, const float *dy, const unsigned char *winner, int cell, ptrdiff_t left) {
    __m128i won = left >= 8 ? _mm_loadl_epi64((const __m128i *)winner) : _mm_maskz_loadu_epi8(lanes(left), winner);
    __mmask8 mask = (__mmask8)(_mm_cmpeq_epi8_mask(won, _mm_set1_epi8((char)cell)) & lanes(left < 8 ? left : 8));
    return (vf8)_mm256_mask_add_ps((__m256)sum, mask, (__m256)sum, _mm256_maskz_loadu_ps(mask, dy));
}

/* Two pixels of eight channels: `dy` and `winner` count for the first where the winner is `first`, for the second
 * where it is `second`. */
#define PAIRS 1
INLINE vf add_won_pair(vf sum, const float *dy, const unsigned char *winner, int first, int second) {
    long long eight;
    memcpy(&eight, winner, 8);
    __m128i cells = _mm_set_epi64x(0x0101010101010101LL * second, 0x0101010101010101LL * first);
    __mmask16 mask = _mm_cmpeq_epi8_mask(_mm_set1_epi64x(eight), cells);
    __m512 both = _mm512_broadcast_f32x8(_mm256_loadu_ps(dy));
    return (vf)_mm512_mask_add_ps((__m512)sum, mask, (__m512)sum, both);
}

#else

INLINE vf8 add_won_eight(vf8 sum, const float *dy, const unsigned char *winner, int cell, ptrdiff_t left) {
    vi8 won = left >= 8 ? vload8b(winner) : vload8b_part(winner, left);
    return sum + vwhere8(won, cell, load_eight(dy, left));
}

#define WIDE 8 /* lanes of the wide ones: here they are the same */
#define add_won_wide(sum, dy, winner, cell) add_won_eight(sum, dy, winner, cell, 8)
#define PAIRS 0
#define add_won_pair(sum, dy, winner, first, second) (sum)
#define pair_window(k, start, apart, row, channels, down, right, y, winner) ((void)0)

#if defined(__AVX2__) /* as above; a comparison gives a lane of ones or of zeros */
INLINE vf8 eight_window_chain(int k, const float *start, ptrdiff_t row, ptrdiff_t channels, const int *down,
                              const int *right, int with_nan, vi8 *cells, vi8 *odd) {
    int y = down ? down[0] : 0, x = right ? right[0] : 0;
    vf8 best = vload8(start + y * row + x * channels), last = best;
    vi8 cell = vset8i(y * k + x), unordered = {0};
    _Pragma("GCC unroll 9") for (int t = 1; t < k * k; t++) {
        y = down ? down[t / k] : t / k, x = right ? right[t % k] : t % k;
        vf8 v = vload8(start + y * row + x * channels);
        vi8 beats = v > best;
        if (with_nan) beats |= v != v;
        else if (t % 2 || t == k * k - 1) unordered |= (vi8)_mm256_cmp_ps((__m256)v, (__m256)last, _CMP_UNORD_Q);
        best = with_nan ? vselect8(beats, v, best) : (vf8)_mm256_max_ps((__m256)v, (__m256)best);
        if (cells) cell = (vi8)vselect8(beats, (vf8)vset8i(y * k + x), (vf8)cell);
        last = v;
    }
    *odd = unordered;
    if (cells) *cells = cell;
    return best;
}
INLINE void window_eight(int k, const float *start, ptrdiff_t row, ptrdiff_t channels, const int *down,
                         const int *right, float *y, unsigned char *winner) {
    vi8 odd, noted, *cells = winner ? &noted : NULL;
    vf8 best = eight_window_chain(k, start, row, channels, down, right, 0, cells, &odd);
    if (__builtin_expect(_mm256_movemask_ps((__m256)odd), 0))
        best = eight_window_chain(k, start, row, channels, down, right, 1, cells, &odd);
    vstore8(y, best);
    if (winner) vstore8b(winner, noted);
}
#else
INLINE void window_eight(int k, const float *start, ptrdiff_t row, ptrdiff_t channels, const int *down,
                         const int *right, float *y, unsigned char *winner) {
    best_eight best = {vset8(0), vset8i(0)};
    _Pragma("GCC unroll 9") for (int t = 0; t < k * k; t++) {
        int i = down ? down[t / k] : t / k, j = right ? right[t % k] : t % k;
        const float *p = start + i * row + j * channels;
        if (t == 0) best = start_eight(p, i * k + j, 8);
        else beat_eight(&best, p, i * k + j, 8);
    }
    store_best_eight(best, y, winner, 8);
}
#endif
#define window_wide window_eight
#define won_wide vf8
#define store_won_wide vstore8

#endif

/* Neighbouring windows that lie in the image, `step` floats apart; all channels but a rest of less than eight.
 * `keeps`, a constant: whether winners are noted. */
#define WON(offset) (keeps ? winner + (offset) : NULL)
INLINE void windows(int k, int keeps, ptrdiff_t count, ptrdiff_t step, const float *start, ptrdiff_t row,
                    ptrdiff_t channels, float *y, unsigned char *winner) {
    ptrdiff_t i = 0;
    if (PAIRS && channels == 8) /* neighbours are written side by side */
        for (; i + 2 <= count; i += 2)
            pair_window(k, start + i * step, step, row, 8, NULL, NULL, y + i * 8, WON(i * 8));
    for (; i < count; i++) {
        const float *p = start + i * step;
        float *to = y + i * channels;
        ptrdiff_t c = 0;
        for (; c + WIDE <= channels; c += WIDE)
            window_wide(k, p + c, row, channels, NULL, NULL, to + c, WON(i * channels + c));
        for (; c + 8 <= channels; c += 8)
            window_eight(k, p + c, row, channels, NULL, NULL, to + c, WON(i * channels + c));
    }
}

INLINE won_wide nothing_won(void) { return (won_wide){0}; }

#endif
