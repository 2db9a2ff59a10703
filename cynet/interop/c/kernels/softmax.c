/* Soft-max of each row; y may be x. */
static void softmax(const float *x, float *y, int rows, int channels)
{
    for (int row = 0; row < rows; row++, x += channels, y += channels) {
        float most = x[0], sum = 0.0f;
        for (int c = 1; c < channels; c++)
            most = x[c] > most ? x[c] : most;
        for (int c = 0; c < channels; c++) {
            y[c] = expf(x[c] - most);
            sum += y[c];
        }
        for (int c = 0; c < channels; c++)
            y[c] /= sum;
    }
}
