/* The first channel of each group, then the second of each, and so on. */
static void whole_shuffle(const int8_t *x, int8_t *y, int rows, int channels, int groups)
{
    const int size = channels / groups;
    for (int row = 0; row < rows; row++, x += channels)
        for (int i = 0; i < size; i++)
            for (int group = 0; group < groups; group++)
                *y++ = x[group * size + i];
}
