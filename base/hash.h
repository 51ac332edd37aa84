/* hash.h - xxHash (XXH3, 64 bit) behind one file: fingerprints and hash maps. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

uint64_t hash_bytes(struct span span, uint64_t seed);
/* A cheap strong mix of one or two words (no library call): map keys, rolling sums. */
static inline uint64_t hash_u64(uint64_t x, uint64_t seed)
{
    x ^= seed;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x;
}

#endif
