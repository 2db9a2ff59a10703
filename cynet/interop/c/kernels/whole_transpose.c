/* Rows of channels as channels of rows. */
static void whole_transpose(const int8_t *x, int8_t *y, int rows, int channels)
{
    for (int c = 0; c < channels; c++)
        for (int row = 0; row < rows; row++)
            *y++ = x[row * channels + c];
}
