/* The sum of two values, within bounds; y may be one of them. */
static void add(const float *a, const float *b, float *y, int size, float low, float high)
{
    for (int i = 0; i < size; i++)
        y[i] = bounded(a[i] + b[i], low, high);
}
