/* Linear interpolation between four pixels: two rows and two columns of each output, and the shares of the second. */
struct bilinear {
    int width, channels, out_height, out_width;
    const place *rows, *columns; /* the first of all outputs, then the second of all */
    const float *down, *right;
};

static void bilinear(const struct bilinear *b, const float *x, float *y)
{
    const int channels = b->channels;
    for (int row = 0; row < b->out_height; row++)
        for (int column = 0; column < b->out_width; column++, y += channels) {
            const float *const first = x + b->rows[row] * b->width * channels;
            const float *const second = x + b->rows[b->out_height + row] * b->width * channels;
            const int left = b->columns[column] * channels, right = b->columns[b->out_width + column] * channels;
            const float down = b->down[row], share = b->right[column];
            for (int c = 0; c < channels; c++) {
                const float upper = first[left + c] * (1.0f - share) + first[right + c] * share;
                const float lower = second[left + c] * (1.0f - share) + second[right + c] * share;
                y[c] = upper * (1.0f - down) + lower * down;
            }
        }
}
