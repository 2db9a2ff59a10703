/* Rows that are some of another value's channels, with the scale of that. */
static void whole_copy(const int8_t *x, int8_t *y, int rows, int channels, int step, int32_t zero,
                       int32_t multiplier, int32_t shift, int32_t out)
{
    for (int row = 0; row < rows; row++, y += step)
        for (int c = 0; c < channels; c++)
            y[c] = whole_bounded(whole_times(*x++ - zero, multiplier, shift) + out, -128, 127);
}
