/* A convolution in eight bits. */
struct whole_conv {
    struct windows windows;
    int groups, inputs, outputs; /* channels of a group */
    const int8_t *weight;
    const int32_t *bias, *multiplier, *shift; /* one for each output */
    int32_t zero, out, low, high;
};
