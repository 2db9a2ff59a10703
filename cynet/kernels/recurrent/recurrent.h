/* What one time step of a recurrent layer is made of: the product of the state with the weights of all gates
 * of some units at once, and the gates' curves.
 *
 * Design: weights lie as [block of VL units][input of the sum][gate][lane], so that a block of registers holds
 * the sums of three, or four, gates of the same units, and the gates are computed as soon as they are there.
 * Each sum has one order, that of its inputs, whichever rows it is computed with.
 */
#ifndef CYNET_RECURRENT_H
#define CYNET_RECURRENT_H

#include "product.h"
#include "vmath.h"

#if VL == 16
DEFINE_PRODUCT(gates_8x3, 8, 3, vf, 16) /* 24 sums of 32 registers */
DEFINE_PRODUCT(gates_4x3, 4, 3, vf, 16)
DEFINE_PRODUCT(gates_1x3, 1, 3, vf, 16)
DEFINE_PRODUCT(gates_6x4, 6, 4, vf, 16)
DEFINE_PRODUCT(gates_4x4, 4, 4, vf, 16)
DEFINE_PRODUCT(gates_1x4, 1, 4, vf, 16)
#else
DEFINE_PRODUCT(gates_4x3, 4, 3, vf, 8) /* 12 sums of 16 registers */
DEFINE_PRODUCT(gates_1x3, 1, 3, vf, 8)
DEFINE_PRODUCT(gates_2x4, 2, 4, vf, 8)
DEFINE_PRODUCT(gates_1x4, 1, 4, vf, 8)
#endif

/* c[r][gate][lane] += sum over i < steps of a[r * a_row + i] * b[i][gate][lane], for one block of units. */
INLINE void gates_product(ptrdiff_t gates, ptrdiff_t rows, const float *a, ptrdiff_t a_row, const float *b,
                          ptrdiff_t steps, float *c) {
    const ptrdiff_t a_step = 1, b_step = gates * VL, c_row = gates * VL;
    const int add = 1;
    ptrdiff_t r = 0;
    if (gates == 3) {
#if VL == 16
        ROWS_OF(8, gates_8x3)
#endif
        ROWS_OF(4, gates_4x3)
        ROWS_OF(1, gates_1x3)
    } else {
#if VL == 16
        ROWS_OF(6, gates_6x4)
        ROWS_OF(4, gates_4x4)
#else
        ROWS_OF(2, gates_2x4)
#endif
        ROWS_OF(1, gates_1x4)
    }
}

/* tanh to an absolute error of about 1e-7: of a gate nobody needs the relative one near 0. */
INLINE vf gate_tanh(vf x) { return 1.0f - 2.0f / (1.0f + vexp(x + x)); }

#endif
