/* What gates of recurrent layers are opened by. */
static float logistic(float x)
{
    return 1.0f / (1.0f + expf(-x));
}
