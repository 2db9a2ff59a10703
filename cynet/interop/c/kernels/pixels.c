/* Numbers of 0 to 255 made those that the net was trained on: a factor and a summand of each channel. */
static void pixels(const uint8_t *x, float *y, int rows, int channels, const float *by, const float *shift)
{
    for (int row = 0; row < rows; row++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = (float)x[c] * by[c] + shift[c];
}
