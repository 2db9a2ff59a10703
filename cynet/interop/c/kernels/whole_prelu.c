/* Of negative numbers a multiple for each channel, in eight bits. */
static void whole_prelu(const int8_t *x, int8_t *y, int rows, int channels, const int32_t *multiplier,
                        const int32_t *shift, int32_t above, int32_t above_shift, int32_t zero, int32_t out)
{
    for (int row = 0; row < rows; row++)
        for (int c = 0; c < channels; c++) {
            const int32_t number = *x++ - zero;
            const int32_t found = number < 0 ? whole_times(number, multiplier[c], shift[c])
                                             : whole_times(number, above, above_shift);
            *y++ = whole_bounded(found + out, -128, 127);
        }
}
