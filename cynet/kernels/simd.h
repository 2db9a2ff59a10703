/* The vector types of the kernels, through GCC's and Clang's vector extension.
 *
 * VL is the number of float32 lanes of the machine's widest register: the only thing here that differs
 * between instruction sets. All loads and stores are unaligned ones (as fast as aligned ones on aligned data).
 */
#ifndef CYNET_SIMD_H
#define CYNET_SIMD_H

#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
#define VL 16
#else
#define VL 8 /* AVX; on narrower machines the compiler splits each operation in two */
#endif

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vf __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(4 * VL), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf vload(const float *p) { return *(const vf *)p; }
INLINE void vstore(float *p, vf v) { *(vf *)p = v; }
INLINE vf vset(float a) { return a - (vf){0}; }

/* The first n lanes of p, zeros behind them; nothing beyond p[n - 1] is read. */
INLINE vf vload_part(const float *p, ptrdiff_t n) {
    vf v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
INLINE void vstore_part(float *p, vf v, ptrdiff_t n) { memcpy(p, &v, (size_t)n * sizeof(float)); }

/* The same for eight lanes on every machine, where channels come in eights. */
INLINE vf8 vzero8(void) { return (vf8){0}; }
INLINE vf8 vload8(const float *p) { return *(const vf8 *)p; }
INLINE void vstore8(float *p, vf8 v) { *(vf8 *)p = v; }
INLINE vf8 vload8_part(const float *p, ptrdiff_t n) {
    vf8 v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
INLINE void vstore8_part(float *p, vf8 v, ptrdiff_t n) { memcpy(p, &v, (size_t)n * sizeof(float)); }

/* mask ? a : b, lane by lane; the comparisons of vf values give such masks. */
INLINE vf vselect(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

#endif
