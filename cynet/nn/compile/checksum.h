/* A sum of bytes that depends on each of them and on their order, at the pace of memory.
 *
 * Eight chains, so that their multiplications do not wait for each other. A step of a chain is that of xxHash64:
 * one-to-one in the sum and in the word, so that a single word that changes always changes the result, with a product
 * before the turn and one after it: with one alone the signs of two numbers, a step apart, would undo each other.
 */
#ifndef CYNET_CHECKSUM_H
#define CYNET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t checksum_step(uint64_t sum, uint64_t word) {
    sum += word * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (sum << 31 | sum >> 33) * UINT64_C(0x9E3779B185EBCA87);
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
