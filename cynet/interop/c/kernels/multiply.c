/* The product of a value of `rows` rows and another one, of as many rows or of one; y may be the first. */
static void multiply(const float *a, const float *b, float *y, int rows, int channels, int step)
{
    for (int row = 0; row < rows; row++, a += channels, b += step, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = a[c] * b[c];
}
