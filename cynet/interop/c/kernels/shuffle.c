/* The first channel of each group, then the second of each, and so on. */
static void shuffle(const float *x, float *y, int rows, int channels, int groups)
{
    const int count = channels / groups;
    for (int row = 0; row < rows; row++, x += channels)
        for (int c = 0; c < count; c++)
            for (int group = 0; group < groups; group++)
                *y++ = x[group * count + c];
}
