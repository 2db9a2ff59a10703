/* A factor and a summand of each channel; y may be x. */
static void scale(const float *x, float *y, int rows, int channels, const float *by, const float *shift, float low,
                  float high)
{
    for (int row = 0; row < rows; row++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = bounded(x[c] * by[c] + shift[c], low, high);
}
