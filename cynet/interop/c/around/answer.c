/* The best classes, at most five, with their probabilities. */
static void print_answer(void)
{
    enum { SIZE = @{NAME}_OUTPUT_SIZE, SHOWN = SIZE < 5 ? SIZE : 5 };
    int done[SIZE] = {0};
    float real[SIZE], most = -INFINITY, sum = 0.0f;
    for (int i = 0; i < SIZE; i++) {
        real[i] = @{real};
        most = real[i] > most ? real[i] : most;
    }
    for (int i = 0; i < SIZE; i++)
        sum += @{weight};
    for (int shown = 0; shown < SHOWN; shown++) {
        int best = -1;
        for (int i = 0; i < SIZE; i++)
            if (!done[i] && (best < 0 || real[i] > real[best]))
                best = i;
        done[best] = 1;
        printf("%s@{format} %.1f %%", shown ? ", " : "", @{class}, 100.0 * (double)(@{share} / sum));
    }
    printf("\n");
}
