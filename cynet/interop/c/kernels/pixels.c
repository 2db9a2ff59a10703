/* Numbers of 0 to 255 made those that the net was trained on, of which there is a table for each channel. */
static void pixels(const uint8_t *x, float *y, int rows, int channels, const float *levels)
{
    for (int row = 0; row < rows; row++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = levels[c * 256 + x[c]];
}
