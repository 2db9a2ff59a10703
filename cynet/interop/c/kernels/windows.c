/* Windows on a picture. For each row of the output, and each row of its windows, `rows` has the row of the input,
 * or -1 where there is none but zeros; `columns` alike, or none where output and input have the same ones. */
struct windows {
    int width, channels;       /* of the input */
    int out_height, out_width; /* of the output */
    int down, across;          /* how many places a window has */
    const place *rows, *columns;
};

static int column_of(const struct windows *w, int column, int place_across)
{
    return w->columns ? w->columns[column * w->across + place_across] : column;
}
