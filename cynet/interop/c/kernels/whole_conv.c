/* Convolution in eight bits: the weights of an output lie in a row, those of a place in a window by its inputs. */
static int32_t whole_sum(const int8_t *x, const int8_t *weight, int count, int32_t zero)
{
    int32_t sum = 0;
    for (int k = 0; k < count; k++)
        sum += (x[k] - zero) * weight[k];
    return sum;
}

static void whole_conv(const struct whole_conv *c, const int8_t *restrict x, int8_t *restrict y)
{
    const struct windows *const w = &c->windows;
    for (int row = 0; row < w->out_height; row++)
        for (int column = 0; column < w->out_width; column++) {
            const int8_t *weight = c->weight;
            for (int o = 0; o < c->groups * c->outputs; o++) {
                const int8_t *const group = x + o / c->outputs * c->inputs;
                int32_t total = c->bias[o];
                for (int i = 0; i < w->down; i++)
                    for (int j = 0; j < w->across; j++, weight += c->inputs) {
                        const int from = w->rows[row * w->down + i], place_across = column_of(w, column, j);
                        if (from >= 0 && place_across >= 0)
                            total += whole_sum(group + (from * w->width + place_across) * w->channels, weight,
                                               c->inputs, c->zero);
                    }
                total = whole_times(total, c->multiplier[o], c->shift[o]) + c->out;
                *y++ = whole_bounded(total, c->low, c->high);
            }
        }
}
