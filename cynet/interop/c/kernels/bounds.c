/* Within bounds; what is no number stays none. */
static float bounded(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}
