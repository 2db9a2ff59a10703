/* Rows made columns. */
static void transpose(const float *x, float *y, int rows, int columns)
{
    for (int column = 0; column < columns; column++)
        for (int row = 0; row < rows; row++)
            *y++ = x[row * columns + column];
}
