static int is_named(const char *name, const char *ending)
{
    const size_t size = strlen(name), most = strlen(ending);
    return size >= most && !strcmp(name + size - most, ending);
}

/* The next number of a picture's header, or -1. */
static int header_number(FILE *file)
{
    int byte = getc(file), number = -1;
    while (byte == '#' || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n') {
        if (byte == '#')
            while (byte != '\n' && byte != EOF)
                byte = getc(file);
        byte = getc(file);
    }
    for (; byte >= '0' && byte <= '9' && number < 100000; byte = getc(file))
        number = (number < 0 ? 0 : 10 * number) + byte - '0';
    return number;
}

/* Whether a file is no picture with a header, or one of the right size; the header is read then. */
static int fits(FILE *file, const char *name)
{
    int width, height, most;
    if (!is_named(name, ".@{ending}"))
        return 1;
    if (getc(file) != 'P' || getc(file) != '@{digit}') {
        fprintf(stderr, "%s: wanted a picture that begins with P@{digit}\n", name);
        return 0;
    }
    width = header_number(file), height = header_number(file), most = header_number(file);
    if (width == @{NAME}_WIDTH && height == @{NAME}_HEIGHT && most == 255)
        return 1;
    fprintf(stderr, "%s: wanted %d x %d pixels of 0 to 255, got %d x %d of 0 to %d\n", name, @{NAME}_WIDTH,
            @{NAME}_HEIGHT, width, height, most);
    return 0;
}
