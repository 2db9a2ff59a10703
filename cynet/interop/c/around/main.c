/* A program that tries @{name}.c, and shows how it is called; made by cynet @{version}.
 *
 *     main [--outputs] FILE...
 *
 * Files hold samples, one after another: @{record}.
 * For each sample a line is printed: @{line}. --outputs prints all outputs as they are instead,
 * with as many digits as tell them apart from all other numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "@{name}.h"

@{buffers}

/* The bytes of the next sample that there were. */
static size_t sample(FILE *file)
{
    size_t bytes = 0;
@{reads}
    return bytes;
}

static void print_outputs(void)
{
@{prints}
    printf("\n");
}

@{answer}
@{pictures}
/* Whether all samples of a file were read and answered. */
static int answered(const char *name, int outputs)
{
    FILE *const file = fopen(name, "rb");
    size_t bytes = 0;
    long count = 0;
    if (!file) {
        perror(name);
        return 0;
    }
@{opening}
    while ((bytes = sample(file)) == SAMPLE) {
        @{name}_run(@{arguments});
        if (outputs)
            print_outputs();
        else
            print_answer();
        count++;
    }
    if (ferror(file))
        perror(name);
    else if (bytes || !count)
        fprintf(stderr, "%s: wanted samples of %lu bytes, got %lu bytes after %ld of them\n", name,
                (unsigned long)SAMPLE, (unsigned long)bytes, count);
    fclose(file);
    return !bytes && count;
}

int main(int count, char **words)
{
    int outputs = 0, files = 0, failed = 0;
    for (int i = 1; i < count; i++)
        if (!strcmp(words[i], "--outputs"))
            outputs = 1;
        else {
            files++;
            failed += !answered(words[i], outputs);
        }
    if (!files)
        fprintf(stderr, "usage: main [--outputs] FILE...\n");
    return failed || !files;
}
