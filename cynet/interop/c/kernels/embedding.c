/* Of each number its row of weights; one that is out of range counts as 0. */
static void embedding(const int64_t *x, float *y, int size, int numbers, int width, const float *weight)
{
    for (int i = 0; i < size; i++, y += width) {
        const int row = x[i] < 0 || x[i] >= numbers ? 0 : (int)x[i];
        memcpy(y, weight + row * width, (size_t)width * sizeof(float));
    }
}
