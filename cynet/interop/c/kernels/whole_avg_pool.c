/* The mean of each window, rounded half away from zero: its count is that of its row times that of its column. */
static void whole_avg_pool(const struct windows *w, const int32_t *high, const int32_t *wide, const int8_t *restrict x,
                           int8_t *restrict y, int32_t zero)
{
    const int channels = w->channels;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++) {
            const int32_t count = high[row] * wide[column], half = count / 2;
            for (int c = 0; c < channels; c++) {
                int32_t sum = 0;
                for (int i = 0; i < w->down; i++)
                    for (int j = 0; j < w->across; j++) {
                        const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                        if (from >= 0 && place_across >= 0)
                            sum += x[(from * w->width + place_across) * channels + c] - zero;
                    }
                sum = sum < 0 ? -((half - sum) / count) : (sum + half) / count;
                *y++ = whole_bounded(sum + zero, -128, 127);
            }
        }
}
