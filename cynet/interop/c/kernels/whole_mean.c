/* The mean of each channel, with a scale of its own, which holds the division, too. */
static void whole_mean(const int8_t *x, int8_t *y, int rows, int channels, int32_t zero, int32_t multiplier,
                       int32_t shift, int32_t out)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int row = 0; row < rows; row++)
            sum += x[row * channels + c] - zero;
        y[c] = whole_bounded(whole_times(sum, multiplier, shift) + out, -128, 127);
    }
}
