/* The joining of batch norm's partial sums, eight channels at a time in double precision; see batchnorm.pyx. */
#ifndef CYNET_JOINS_H
#define CYNET_JOINS_H

#include "simd.h"

typedef double vd8 __attribute__((vector_size(64), aligned(8), may_alias));

INLINE vd8 widened(vf8 v) { return __builtin_convertvector(v, vd8); }

/* Join a run of n rows with the `count` before it: sum and square are its sums of (x - start) and of their
 * squares, mean and squares the running mean and sum of squared deviations. */
INLINE void join_run8(vf8 start, vf8 sum, vf8 square, double n, double count, double *mean, double *squares) {
    const vd8 total = widened(sum), run_mean = widened(start) + total / n;
    vd8 run_square = widened(square) - total * total / n;
    run_square = (vd8)(~(run_square < 0) & (__typeof__(run_square < 0))run_square); /* rounding; NaN stays */
    if (count == 0) {
        *(vd8 *)mean = run_mean;
        *(vd8 *)squares = run_square;
    } else {
        const vd8 delta = run_mean - *(vd8 *)mean;
        *(vd8 *)mean += delta * (n / (count + n));
        *(vd8 *)squares += run_square + delta * delta * (count * n / (count + n));
    }
}

INLINE vf8 narrowed(const double *p) { return __builtin_convertvector(*(const vd8 *)p, vf8); }
INLINE void add_widened(double *p, vf8 v) { *(vd8 *)p += widened(v); }

/* Whether every lane is finite. */
INLINE int all_finite8(vf8 v) {
    const vi8 zero = (vi8)(v - v == 0);
    int all = -1;
    for (int l = 0; l < 8; l++) all &= zero[l];
    return all != 0;
}

#endif
