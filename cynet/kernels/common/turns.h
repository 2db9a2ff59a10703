/* Items of work for several threads, each of which has its own: the same part of them in every pass, so that a
 * thread finds in its cache what it wrote in the layer before. One that is done takes from the ends of the others'.
 *
 * What is left of a part is one number, its first item in the upper half and the one past its last in the lower
 * half, and changes in one step.
 */
#ifndef CYNET_TURNS_H
#define CYNET_TURNS_H

#include <stddef.h>
#include <stdint.h>

#define MOST_PARTS 64 /* more threads share some */

typedef struct {
    int parts;
    char apart[60];
    struct {
        uint64_t left;
        char apart[56]; /* a line of the cache each: nobody waits for another's */
    } part[MOST_PARTS];
} ItemTurns;

/* Cut so many items, at most 2^31, into a part for each thread. */
static inline void share_out(ItemTurns *turns, ptrdiff_t items, int threads) {
    turns->parts = threads < MOST_PARTS ? threads : MOST_PARTS;
    for (int i = 0; i < turns->parts; i++)
        turns->part[i].left = (uint64_t)(items * i / turns->parts) << 32 | (uint64_t)(items * (i + 1) / turns->parts);
}

/* The next item for a thread, -1 if none is left. */
static inline ptrdiff_t take(ItemTurns *turns, int thread) {
    for (int i = 0; i < turns->parts; i++) {
        uint64_t *part = &turns->part[(thread + i) % turns->parts].left, left = __atomic_load_n(part, __ATOMIC_RELAXED);
        while (left >> 32 < (uint32_t)left)
            if (__atomic_compare_exchange_n(part, &left, i ? left - 1 : left + (1ULL << 32), 0, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED))
                return i ? (ptrdiff_t)(uint32_t)left - 1 : (ptrdiff_t)(left >> 32);
    }
    return -1;
}

#endif
