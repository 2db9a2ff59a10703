/* The product of two in eight bits; of the second there is one number for each number, or for each channel. */
static void whole_multiply(const int8_t *x, const int8_t *more, int8_t *y, int rows, int channels, int step,
                           int32_t zero, int32_t other_zero, int32_t multiplier, int32_t shift, int32_t out)
{
    for (int row = 0; row < rows; row++, more += step)
        for (int c = 0; c < channels; c++) {
            const int32_t product = (*x++ - zero) * (more[c] - other_zero);
            *y++ = whole_bounded(whole_times(product, multiplier, shift) + out, -128, 127);
        }
}
