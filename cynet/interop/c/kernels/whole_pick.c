/* Pixels of the input by their rows and columns, or what stands for 0 where these are -1. */
static void whole_pick(const int8_t *x, int8_t *y, int height, int width, int step, int channels, const place *rows,
                       const place *columns, int fill)
{
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++, y += channels)
            if (rows[row] < 0 || columns[column] < 0)
                memset(y, fill, (size_t)channels);
            else
                memcpy(y, x + (rows[row] * step + columns[column]) * channels, (size_t)channels);
}
