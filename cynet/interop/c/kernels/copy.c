/* Rows that are some of another value's channels. */
static void copy(const float *x, float *y, int rows, int channels, int step)
{
    for (int row = 0; row < rows; row++, x += channels, y += step)
        memcpy(y, x, (size_t)channels * sizeof(float));
}
