/* What a window sees: `count` channels of each place, one place after another. */
static void patch(const struct windows *w, const float *x, int count, int pixel, float *to)
{
    const int row = pixel / w->out_width, column = pixel % w->out_width;
    for (int i = 0; i < w->down; i++) {
        const int from = w->rows[row * w->down + i];
        for (int j = 0; j < w->across; to += count) {
            const int first = from < 0 ? -1 : column_of(w, column, j);
            int many = 1; /* pixels side by side that are copied as one */
            if (first >= 0 && count == w->channels)
                while (j + many < w->across && column_of(w, column, j + many) == first + many)
                    many++;
            if (first < 0)
                memset(to, 0, (size_t)count * sizeof(float));
            else
                memcpy(to, x + (from * w->width + first) * w->channels, (size_t)(many * count) * sizeof(float));
            j += many;
            to += (many - 1) * count;
        }
    }
}
