/* The curve @{kind}; y may be x. */
static void @{kind}(const float *x, float *y, int size@{parameters})
{
    for (int i = 0; i < size; i++) {
        const float a = x[i];
        y[i] = @{expression};
    }
}
