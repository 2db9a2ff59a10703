/* Below 0 a slope, of all channels or (with a step of 1) of each; y may be x. */
static void prelu(const float *x, float *y, int rows, int channels, const float *slope, int step)
{
    for (int row = 0; row < rows; row++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = x[c] > 0.0f ? x[c] : slope[c * step] * x[c];
}
