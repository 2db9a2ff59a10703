/* The greatest number of each window. */
static void whole_max_pool(const struct windows *w, const int8_t *restrict x, int8_t *restrict y)
{
    const int channels = w->channels;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++, y += channels) {
            memset(y, -128, (size_t)channels);
            for (int i = 0; i < w->down; i++)
                for (int j = 0; j < w->across; j++) {
                    const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                    if (from < 0 || place_across < 0)
                        continue;
                    const int8_t *const pixel = x + (from * w->width + place_across) * channels;
                    for (int c = 0; c < channels; c++)
                        y[c] = pixel[c] > y[c] ? pixel[c] : y[c];
                }
        }
}
