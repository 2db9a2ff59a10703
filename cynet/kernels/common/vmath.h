/* exp, tanh, erf and their like on vectors: within a few units in the last place of the exact value,
 * but for erf and what is made of it (GELU): those within an absolute error of about 1e-7, GELU's slope 3e-7.
 *
 * Design: polynomials after Cephes (S. Moshier, netlib.org/cephes) for exp and tanh, and the rational
 * minimax approximation that Eigen uses for erf. NaN gives NaN, infinities give the limits, exp overflows
 * to Inf and underflows through the denormals to 0. Ranges are cut by comparisons that are false for NaN,
 * so that a NaN goes through.
 */
#ifndef CYNET_VMATH_H
#define CYNET_VMATH_H

#include "simd.h"

#if defined(__AVX512F__) /* minimum and maximum give their second operand where one is NaN */
INLINE vf vclamp(vf x, float low, float high) {
    return (vf)_mm512_min_ps((__m512)vset(high), _mm512_max_ps((__m512)vset(low), (__m512)x));
}

/* p times 2 to the power n, a whole number or NaN. */
INLINE vf vscale(vf p, vf n) { return (vf)_mm512_scalef_ps((__m512)p, (__m512)n); }
#else
INLINE vf vclamp(vf x, float low, float high) {
    x = vselect(x < vset(low), vset(low), x);
    return vselect(x > vset(high), vset(high), x);
}

/* 2 to the power n, -126 <= n <= 127. */
INLINE vf vpow2(vi n) { return (vf)((n + 127) << 23); }

INLINE vf vscale(vf p, vf n) {
    vi whole = __builtin_convertvector(vselect(n == n, n, vset(0.0f)), vi); /* NaN has no integer */
    vi half = whole >> 1; /* in two steps, since 2^n itself may not be a float */
    return p * vpow2(half) * vpow2(whole - half);
}
#endif

INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }

/* ReLU6, which batch norm may be joined with: NaN gives NaN, its slope there is 0. */
INLINE vf vrelu6(vf x) { return vclamp(x, 0.0f, 6.0f); }
INLINE vf vrelu6_slope(vf x, vf dy) { return vselect((x > vset(0)) & (x < vset(6)), dy, vset(0)); }

INLINE vf vexp(vf x) {
    vf z = vclamp(x, -150.0f, 150.0f);
    /* Adding 1.5 * 2^23 rounds to the nearest integer. */
    vf n = (z * 1.44269504f + 12582912.0f) - 12582912.0f;
    vf r = z - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1.0f);
    return vscale(p, n);
}

INLINE vf vsigmoid(vf x) { return 1.0f / (1.0f + vexp(-x)); }

/* Near 0 an odd polynomial, since 1 - 2 / (e^2x + 1) cancels there. */
INLINE vf vtanh(vf x) {
    vf a = vabs(x), s = x * x;
    vf p = s * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    p = p * s * x + x;
    vf far = 1.0f - 2.0f / (vexp(a + a) + 1.0f);
    far = (vf)((vi)far | ((vi)x & ~0x7fffffff));
    return vselect(a < vset(0.625f), p, far);
}

INLINE vf verf(vf x) {
    x = vclamp(x, -4.0f, 4.0f);
    vf s = x * x;
    vf p = s * -2.72614225801306e-10f + 2.77068142495902e-08f;
    p = p * s - 2.10102402082508e-06f;
    p = p * s - 5.69250639462346e-05f;
    p = p * s - 7.34990630326855e-04f;
    p = p * s - 2.95459980854025e-03f;
    p = p * s - 1.60960333262415e-02f;
    vf q = s * -1.45660718464996e-05f - 2.13374055278905e-04f;
    q = q * s - 1.68282697438203e-03f;
    q = q * s - 7.37332916720468e-03f;
    q = q * s - 1.42647390514189e-02f;
    return x * p / q;
}

/* The standard normal's distribution function. */
INLINE vf vnormal_cdf(vf x) { return 0.5f + 0.5f * verf(x * 0.707106781f); }

/* The slope of x times that function: the function again, by Hastings' formula (Abramowitz and Stegun 7.1.26), whose
 * exponential is the density's as well, plus x times the density. */
INLINE vf vgelu_slope(vf x) {
    vf e = vexp(-0.5f * x * x), t = 1.0f / (1.0f + 0.231641888f * vabs(x));
    vf p = t * 0.5307027145f - 0.7265760135f;
    p = p * t + 0.7107068705f;
    p = p * t - 0.142248368f;
    p = p * t + 0.127414796f;
    vf tail = p * t * e;
    return vselect(x < vset(0), tail, 1.0f - tail) + 0.398942280f * x * e;
}

#endif
