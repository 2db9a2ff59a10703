/* Memory that is asked for while something else is computed, so that it has come when it is wanted. */
#ifndef CYNET_AHEAD_H
#define CYNET_AHEAD_H

#include "simd.h"

/* A share of an array of so many floats: that of items `first` to `last` of `count`, as if these lay there one after
 * another. It is asked for part by part. */
typedef struct {
    const float *from;
    ptrdiff_t lines; /* of the cache */
} Share;

INLINE Share share_of(const float *array, ptrdiff_t floats, ptrdiff_t first, ptrdiff_t last, ptrdiff_t count) {
    const ptrdiff_t begin = first * floats / count;
    return (Share){array + begin, (last * floats / count - begin + 15) / 16};
}

#define DEFINE_FETCH(NAME, WRITE)                                                                       \
    INLINE void NAME(Share share, ptrdiff_t part, ptrdiff_t parts) {                                    \
        const ptrdiff_t end = share.lines * (part + 1) / parts;                                         \
        for (ptrdiff_t l = share.lines * part / parts; l < end; l++)                                    \
            __builtin_prefetch(share.from + 16 * l, WRITE, 2);                                          \
    }
DEFINE_FETCH(fetch_read, 0)
DEFINE_FETCH(fetch_written, 1)

#endif
