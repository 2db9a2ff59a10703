/* Pixels of the input by their rows and columns, or zeros where these are -1. */
static void pick(const float *x, float *y, int height, int width, int step, int channels, const place *rows,
                 const place *columns)
{
    const size_t bytes = (size_t)channels * sizeof(float);
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++, y += channels)
            if (rows[row] < 0 || columns[column] < 0)
                memset(y, 0, bytes);
            else
                memcpy(y, x + (rows[row] * step + columns[column]) * channels, bytes);
}
