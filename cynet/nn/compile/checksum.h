/* A sum of bytes that depends on each of them and on their order, at the pace of memory.
 *
 * Eight chains, so that their multiplications do not wait for each other. A step of a chain, (sum ^ word) * odd with its
 * halves exchanged, is one-to-one in the sum and in the word: a single word that changes always changes the result.
 */
#ifndef CYNET_CHECKSUM_H
#define CYNET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t checksum_step(uint64_t sum, uint64_t word) {
    sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15); /* 2**64 over the golden ratio */
    return sum << 32 | sum >> 32;
}

static uint64_t checksum(const char *data, ptrdiff_t n, uint64_t start) {
    uint64_t sum[8], word;
    for (int i = 0; i < 8; i++) sum[i] = start + (uint64_t)i;
    for (; n >= 64; n -= 64, data += 64)
        for (int i = 0; i < 8; i++) {
            memcpy(&word, data + 8 * i, 8);
            sum[i] = checksum_step(sum[i], word);
        }
    for (int i = 0; n > 0; n -= 8, data += 8, i++) {
        word = 0;
        memcpy(&word, data, (size_t)(n < 8 ? n : 8));
        sum[i] = checksum_step(sum[i], word);
    }
    for (int i = 1; i < 8; i++) sum[0] = checksum_step(sum[0], sum[i]);
    return sum[0];
}

#endif
