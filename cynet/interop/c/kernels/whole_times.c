/* A whole number times the real factor multiplier * 2^(shift - 31), rounded as gemmlowp and TFLite Micro do: to 32
 * bits, halves upward, then by the shift, halves away from zero. The >> of a negative number keeps its sign, as every
 * compiler has it. */
static int32_t whole_times(int32_t x, int32_t multiplier, int32_t shift)
{
    const int left = shift > 0 ? (int)shift : 0, right = shift > 0 ? 0 : (int)-shift;
    const int32_t most = INT32_MAX >> left, least = -most;
    const int64_t kept = x > most ? most : x < least ? least : x;
    const int64_t high = (kept * ((int64_t)1 << left) * multiplier + ((int64_t)1 << 30)) >> 31;
    const int64_t half = right ? (int64_t)1 << (right - 1) : 0;
    return (int32_t)(high < 0 ? -((half - high) >> right) : (high + half) >> right);
}
