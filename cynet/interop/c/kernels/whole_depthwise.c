/* Convolution of each channel by itself in eight bits: the weights of a place in a window lie by channels. */
static void whole_depthwise(const struct whole_conv *c, const int8_t *restrict x, int8_t *restrict y, int32_t *restrict sums)
{
    const struct windows *const w = &c->windows;
    const int channels = w->channels;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++, y += channels) {
            const int8_t *weight = c->weight;
            memcpy(sums, c->bias, (size_t)channels * sizeof(int32_t));
            for (int i = 0; i < w->down; i++)
                for (int j = 0; j < w->across; j++, weight += channels) {
                    const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                    if (from < 0 || place_across < 0)
                        continue;
                    const int8_t *const pixel = x + (from * w->width + place_across) * channels;
                    for (int k = 0; k < channels; k++)
                        sums[k] += (pixel[k] - c->zero) * weight[k];
                }
            for (int k = 0; k < channels; k++)
                y[k] = whole_bounded(whole_times(sums[k], c->multiplier[k], c->shift[k]) + c->out, c->low, c->high);
        }
}
