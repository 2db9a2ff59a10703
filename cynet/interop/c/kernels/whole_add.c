/* The sum of two in eight bits: both with the same scale, 20 bits to the left, then with that of the sum. */
struct whole_add {
    int32_t zero[2], multiplier[2], shift[2];
    int32_t sum_multiplier, sum_shift, out, low, high;
};

static void whole_add(const struct whole_add *a, const int8_t *x, const int8_t *more, int8_t *y, int count)
{
    for (int i = 0; i < count; i++) {
        const int32_t first = (x[i] - a->zero[0]) * (1 << 20), second = (more[i] - a->zero[1]) * (1 << 20);
        const int32_t sum = whole_times(first, a->multiplier[0], a->shift[0]) +
                            whole_times(second, a->multiplier[1], a->shift[1]);
        y[i] = whole_bounded(whole_times(sum, a->sum_multiplier, a->sum_shift) + a->out, a->low, a->high);
    }
}
