/* The two steps of max-pooling by large windows: down the columns of pixels, then along them. NaN beats all; of equal
 * values the first pixel stays, of NaNs the last, row by row as in pool.h. */
#ifndef CYNET_LARGE_H
#define CYNET_LARGE_H

#include "simd.h"

INLINE vi8 load_eight_numbers(const int *p, ptrdiff_t left) {
    vi8 v = {0};
    memcpy(&v, p, left >= 8 ? sizeof v : (size_t)left * sizeof(int));
    return v;
}
INLINE void store_eight_numbers(int *p, vi8 v, ptrdiff_t left) {
    memcpy(p, &v, left >= 8 ? sizeof v : (size_t)left * sizeof(int));
}
INLINE vf8 load_eight_values(const float *p, ptrdiff_t left) { return left >= 8 ? vload8(p) : vload8_part(p, left); }
INLINE void store_eight_values(float *p, vf8 v, ptrdiff_t left) {
    if (left >= 8) vstore8(p, v);
    else vstore8_part(p, v, left);
}

/* Eight floats of a row of pixels, or the `left` that are there: the greatest in every `step`th of the rows
 * first .. end, and which row that is. */
INLINE void greatest_row(const float *image, ptrdiff_t row, ptrdiff_t first, ptrdiff_t end, ptrdiff_t step,
                         ptrdiff_t left, float *value, int *number) {
    vf8 best = load_eight_values(image + first * row, left);
    vi8 at = vset8i((int)first);
    for (ptrdiff_t y = first + step; y < end; y += step)
        vmax8(load_eight_values(image + y * row, left), (int)y, &best, &at);
    store_eight_values(value, best, left);
    store_eight_numbers(number, at, left);
}

/* Eight channels, or the `left` that are there: the greatest of every `step`th of the columns first .. end of such a
 * row, and the number of its pixel in the image, row * in_w + column. */
INLINE void greatest_column(const float *value, const int *number, ptrdiff_t channels, ptrdiff_t first, ptrdiff_t end,
                            ptrdiff_t step, ptrdiff_t in_w, ptrdiff_t left, float *y, int *winner) {
    vf8 best = load_eight_values(value + first * channels, left);
    vi8 at = load_eight_numbers(number + first * channels, left) * (int)in_w + (int)first;
    for (ptrdiff_t x = first + step; x < end; x += step) {
        vf8 v = load_eight_values(value + x * channels, left);
        vi8 pixel = load_eight_numbers(number + x * channels, left) * (int)in_w + (int)x;
        vi8 beats = (v > best) | ((v == best) & (pixel < at)) | ((v != v) & ((best == best) | (pixel > at)));
        best = vselect8(beats, v, best);
        at = (vi8)vselect8(beats, (vf8)pixel, (vf8)at);
    }
    store_eight_values(y, best, left);
    store_eight_numbers(winner, at, left);
}

#endif
