/* Each row by itself normalised; a row is `pieces` pieces of `width` numbers. */
static void layer_norm(const float *x, float *y, int rows, int pieces, int width, float eps)
{
    for (int row = 0; row < rows; row++)
        normalise(x + row * pieces * width, y + row * pieces * width, pieces, width, width, eps);
}
