/* The curves of other_activation.pyx and prelu.pyx, on vectors. Values of NaN are NaN; slopes there are those that
 * PyTorch says, 0 or 1. */
#ifndef CYNET_CURVES_H
#define CYNET_CURVES_H

#include "vmath.h"

INLINE vf vhardsigmoid(vf x) { return vrelu6(x + 3.0f) / 6.0f; }
INLINE vf vhardsigmoid_slope(vf x, vf dy) {
    return vselect((x > vset(-3)) & (x < vset(3)), dy / 6.0f, vset(0));
}

INLINE vf vhardswish(vf x) { return x * vhardsigmoid(x); }
INLINE vf vhardswish_slope(vf x, vf dy) {
    vf above = vselect(x < vset(3), dy * (x / 3.0f + 0.5f), dy);
    return vselect(x <= vset(-3), vset(0), above);
}

/* exp(x) - 1 for x at most 0: where exp rounds, near 0, its polynomial is taken without the 1. */
INLINE vf vexpm1(vf x) {
    vf z = vclamp(x, -150.0f, 0.0f);
    vf n = (z * 1.44269504f + 12582912.0f) - 12582912.0f;
    vf r = z - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    return vscale(p, n) + (vscale(vset(1), n) - 1.0f);
}

INLINE vf velu(vf x, float alpha) { return vselect(x > vset(0), x, vset(alpha) * vexpm1(x)); }
INLINE vf velu_slope(vf x, vf dy, float alpha) {
    return vselect(x <= vset(0), dy * (vset(alpha) * vexp(x)), dy);
}

/* log(1 + u) for u from 0 to 1, by the series of the inverse hyperbolic tangent. */
INLINE vf vlog1p(vf u) {
    vf s = u / (u + 2.0f), t = s * s;
    vf p = t * (1.0f / 13) + 1.0f / 11;
    p = p * t + 1.0f / 9;
    p = p * t + 1.0f / 7;
    p = p * t + 1.0f / 5;
    p = p * t + 1.0f / 3;
    p = p * t + 1.0f;
    return 2.0f * s * p;
}

/* log(1 + exp(beta x)) / beta, above the threshold of beta x the line that it comes near to. */
INLINE vf vsoftplus(vf x, float beta, float threshold) {
    vf z = x * beta;
    vf curve = vselect(z < vset(0), vset(0), z) + vlog1p(vexp(-vabs(z)));
    return vselect(z > vset(threshold), x, curve / beta);
}
INLINE vf vsoftplus_slope(vf x, vf dy, float beta, float threshold) {
    vf z = x * beta;
    return vselect(z > vset(threshold), dy, dy * vsigmoid(z));
}

INLINE vf vprelu(vf x, vf slope, vf dy) { return vselect(x > vset(0), dy, slope * dy); }
INLINE vf vprelu_term(vf x, vf dy) { return vselect(x > vset(0), vset(0), x * dy); }

#endif
