/* Numbers that are computed at once: the vectors of GCC and Clang where the processor has some (AVX, SSE, NEON),
 * or else single ones. Of so many outputs as the names say, where they fit into the registers for six pixels:
 * the type, and how many of it. */
#if defined(__GNUC__) && !defined(NO_VECTORS) && (defined(__SSE2__) || defined(__aarch64__))
#define VECTOR(size) __attribute__((vector_size(size), aligned(4), may_alias))
typedef float four VECTOR(16);
#define TYPE_4 four
#define COUNT_4 1
#ifdef __AVX__
typedef float eight VECTOR(32);
#define TYPE_8 eight
#define COUNT_8 1
#define TYPE_16 eight
#define COUNT_16 2
#else
#define TYPE_8 four
#define COUNT_8 2
#ifdef __aarch64__
#define TYPE_16 four
#define COUNT_16 4
#endif
#endif
#else
#define TYPE_4 float
#define COUNT_4 4
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 16") for
#else
#define UNROLLED for
#endif
