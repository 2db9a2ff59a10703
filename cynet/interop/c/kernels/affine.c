/* Factors and summands of a row, of which there may be none, for each row; in place. */
static void affine(float *y, int rows, int count, const float *weight, const float *bias)
{
    for (int row = 0; row < rows; row++, y += count)
        for (int i = 0; i < count; i++)
            y[i] = (weight ? y[i] * weight[i] : y[i]) + (bias ? bias[i] : 0.0f);
}
