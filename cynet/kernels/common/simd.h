/* The vector types of the kernels, through GCC's and Clang's vector extension.
 *
 * VL is the number of float32 lanes of the machine's widest register: the only thing here that differs
 * between instruction sets. All loads and stores are unaligned ones (as fast as aligned ones on aligned data).
 */
#ifndef CYNET_SIMD_H
#define CYNET_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#else
#define VL 8 /* AVX; on narrower machines the compiler splits each operation in two */
#endif

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int vi8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef unsigned char vb8 __attribute__((vector_size(8), aligned(1), may_alias));
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vf __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(4 * VL), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf vload(const float *p) { return *(const vf *)p; }
INLINE void vstore(float *p, vf v) { *(vf *)p = v; }
INLINE vf vset(float a) { return a - (vf){0}; }

/* A store past the caches, where p is a multiple of the vector's bytes: a line that is written as a whole need not be
 * read before. Other threads see such stores after `vstreamed`. */
#if defined(__AVX512F__)
INLINE void vstream(float *p, vf v) { _mm512_stream_ps(p, (__m512)v); }
INLINE void vstreamed(void) { _mm_sfence(); }
#elif defined(__AVX2__)
INLINE void vstream(float *p, vf v) { _mm256_stream_ps(p, (__m256)v); }
INLINE void vstreamed(void) { _mm_sfence(); }
#else
INLINE void vstream(float *p, vf v) { vstore(p, v); }
INLINE void vstreamed(void) {}
#endif
INLINE int vstreams(const float *p) { return (uintptr_t)p % sizeof(vf) == 0; }

/* The first n lanes of p, n at most VL (or 8), zeros behind them; nothing beyond p[n - 1] is read or written. The
 * library's memcpy of so few takes longer than all that a kernel does with them. */
#if defined(__AVX512F__)
INLINE vf8 vload8_part(const float *p, ptrdiff_t n) {
    return (vf8)_mm512_castps512_ps256(_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p));
}
INLINE void vstore8_part(float *p, vf8 v, ptrdiff_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), _mm512_castps256_ps512((__m256)v));
}
INLINE vf vload_part(const float *p, ptrdiff_t n) {
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
INLINE void vstore_part(float *p, vf v, ptrdiff_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
#else
INLINE void copy_part(float *to, const float *from, ptrdiff_t n) {
    if (n & 8) { memcpy(to, from, 32); return; }
    if (n & 4) { memcpy(to, from, 16); to += 4; from += 4; }
    if (n & 2) { memcpy(to, from, 8); to += 2; from += 2; }
    if (n & 1) *to = *from;
}
INLINE vf8 vload8_part(const float *p, ptrdiff_t n) {
#if defined(__AVX2__)
    static const int lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return (vf8)_mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(lanes + 8 - n)));
#else
    float all[8] = {0};
    copy_part(all, p, n);
    return *(const vf8 *)all;
#endif
}
INLINE void vstore8_part(float *p, vf8 v, ptrdiff_t n) {
    float all[8];
    *(vf8 *)all = v;
    copy_part(p, all, n);
}
INLINE vf vload_part(const float *p, ptrdiff_t n) { return vload8_part(p, n); }
INLINE void vstore_part(float *p, vf v, ptrdiff_t n) { vstore8_part(p, v, n); }
#endif

/* Keeps a vector that was loaded in a register: GCC loads it anew for each use, since it may. */
#if defined(__AVX512F__)
#define IN_REGISTER(v) __asm__("" : "+v"(v));
#elif defined(__AVX__)
#define IN_REGISTER(v) __asm__("" : "+x"(v));
#else
#define IN_REGISTER(v)
#endif

/* Short runs of floats: a call of the library's functions would take longer than they do. */
INLINE void copy_run(float *to, const float *from, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) vstore(to + i, vload(from + i));
    if (i < n) vstore_part(to + i, vload_part(from + i, n - i), n - i);
}
INLINE void clear_run(float *to, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) vstore(to + i, vset(0));
    if (i < n) vstore_part(to + i, vset(0), n - i);
}

/* dy where y is above 0 or NaN, else 0: with dy = y the ReLU, with another its gradient. */
INLINE vf vgate(vf y, vf dy) {
#if defined(__AVX512F__)
    return (vf)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)y, _mm512_setzero_ps(), _CMP_NLE_UQ), (__m512)dy);
#else
    return (vf)(~(y <= 0) & (vi)dy);
#endif
}

/* y as it is where relu is 0, at least 0 where it is 1 (NaN stays), and at most 6, too, where it is 6. */
#define BENT(V, y, relu)                                                                                \
    if (relu) {                                                                                         \
        y = (V)(~(y < 0) & (__typeof__(y < 0))y);                                                       \
        if (relu == 6) y = (V)(((y > 6) & (__typeof__(y > 6))((V){0} + 6.0f)) | (~(y > 6) & (__typeof__(y > 6))y)); \
    }

/* mask ? a : b, lane by lane; the comparisons of vf values give such masks (all bits set, or none). C has
 * no ?: on vectors; the compilers turn these bit operations into one blend. */
INLINE vf vselect(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

/* The sum of the lanes: halves of them at a time. */
INLINE float vsum(vf v) {
#if VL == 16
    vf8 eight = (vf8)_mm512_castps512_ps256((__m512)v) + (vf8)_mm512_extractf32x8_ps((__m512)v, 1);
#else
    vf8 eight = v;
#endif
    vf4 four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The greatest of n floats, n at least 1; a NaN may go unseen. */
INLINE float run_max(const float *x, ptrdiff_t n) {
    float greatest = x[0];
    if (n < VL) {
        for (ptrdiff_t i = 1; i < n; i++) greatest = x[i] > greatest ? x[i] : greatest;
        return greatest;
    }
    vf most = vload(x + n - VL); /* which the others may overlap */
    for (ptrdiff_t i = 0; i + VL <= n; i += VL) most = vselect(vload(x + i) > most, vload(x + i), most);
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)most);
#else
    greatest = most[0];
    for (int l = 1; l < VL; l++) greatest = most[l] > greatest ? most[l] : greatest;
    return greatest;
#endif
}

/* The sum of n floats in double: eight sums, each of every eighth of them, on any machine. */
typedef double vd4 __attribute__((vector_size(32), may_alias));
INLINE double run_sum(const float *x, ptrdiff_t n) {
    vd4 low = {0}, high = {0};
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8) {
        low += __builtin_convertvector(*(const vf4 *)(x + i), vd4);
        high += __builtin_convertvector(*(const vf4 *)(x + i + 4), vd4);
    }
    low += high;
    double total = (low[0] + low[1]) + (low[2] + low[3]);
    for (; i < n; i++) total += x[i];
    return total;
}

/* The same for 8 lanes whatever the machine: for channel counts that are small or no multiple of VL. */
INLINE vf8 vload8(const float *p) { return *(const vf8 *)p; }
INLINE void vstore8(float *p, vf8 v) { *(vf8 *)p = v; }
INLINE vf8 vset8(float a) { return a - (vf8){0}; }
INLINE vi8 vset8i(int a) { return a + (vi8){0}; }

/* Eight bytes, as integers (0 to 255) and back. */
#if defined(__AVX2__) /* the compiler would convert them one by one */
INLINE vi8 vload8b(const unsigned char *p) {
    return (vi8)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
INLINE void vstore8b(unsigned char *p, vi8 v) {
    __m128i first = _mm256_castsi256_si128((__m256i)v), second = _mm256_extracti128_si256((__m256i)v, 1);
    __m128i shorts = _mm_packus_epi32(first, second);
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(shorts, shorts));
}
#else
INLINE vi8 vload8b(const unsigned char *p) { return __builtin_convertvector(*(const vb8 *)p, vi8); }
INLINE void vstore8b(unsigned char *p, vi8 v) { *(vb8 *)p = __builtin_convertvector(v, vb8); }
#endif
INLINE vi8 vload8b_part(const unsigned char *p, ptrdiff_t n) {
    unsigned char bytes[8] = {0};
    memcpy(bytes, p, (size_t)n);
    return vload8b(bytes);
}
INLINE void vstore8b_part(unsigned char *p, vi8 v, ptrdiff_t n) {
    unsigned char bytes[8];
    vstore8b(bytes, v);
    memcpy(p, bytes, (size_t)n);
}

INLINE vf8 vselect8(vi8 mask, vf8 a, vf8 b) { return (vf8)((mask & (vi8)a) | (~mask & (vi8)b)); }

/* The step of a maximum: where v beats `best`, take it and its number. NaN beats all, the first of equals
 * stays. */
INLINE void vmax8(vf8 v, int number, vf8 *best, vi8 *winner) {
    vi8 beats = (v > *best) | (v != v);
    *best = vselect8(beats, v, *best);
    *winner = (vi8)vselect8(beats, (vf8)vset8i(number), (vf8)*winner);
}

/* v where winner is number, else 0. */
INLINE vf8 vwhere8(vi8 winner, int number, vf8 v) { return (vf8)((winner == number) & (vi8)v); }

#endif
