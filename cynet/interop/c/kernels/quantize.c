/* Real numbers in eight bits, rounded half away from zero; what is no number is 0. */
static void quantize(const float *x, int8_t *y, int count, float scale, int32_t out)
{
    for (int i = 0; i < count; i++) {
        float steps = x[i] / scale;
        steps = steps > -1e6f ? steps < 1e6f ? steps : 1e6f : steps <= -1e6f ? -1e6f : 0.0f;
        y[i] = whole_bounded((int32_t)(steps < 0.0f ? steps - 0.5f : steps + 0.5f) + out, -128, 127);
    }
}
