/* Numbers less their mean, divided by their standard deviation; y may be x. They are `rows` pieces of `count` numbers,
 * `step` numbers from one to the next; sums are taken piece by piece, and of differences to the first number, which
 * keeps them exact. */
static void normalise(const float *x, float *y, int rows, int count, int step, float eps)
{
    const float share = 1.0f / ((float)rows * (float)count), shift = x[0];
    float mean = 0.0f, variance = 0.0f;
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int i = 0; i < count; i++)
            sum += x[row * step + i] - shift;
        mean += sum * share;
    }
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int i = 0; i < count; i++) {
            const float far = x[row * step + i] - shift - mean;
            sum += far * far;
        }
        variance += sum * share;
    }
    const float by = 1.0f / sqrtf(variance + eps);
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < count; i++)
            y[row * step + i] = (x[row * step + i] - shift - mean) * by;
}
