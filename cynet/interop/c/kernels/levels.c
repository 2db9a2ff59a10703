/* Bytes as what they are in eight bits, by a table for each channel. */
static void levels(const uint8_t *x, int8_t *y, int rows, int channels, const int8_t *table)
{
    for (int row = 0; row < rows; row++)
        for (int c = 0; c < channels; c++)
            *y++ = table[c * 256 + *x++];
}
