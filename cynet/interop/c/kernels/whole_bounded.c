/* Eight bits within bounds. */
static int8_t whole_bounded(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}
