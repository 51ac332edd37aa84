#include "base/hash.h"

#include <xxhash.h>

uint64_t hash_bytes(struct span span, uint64_t seed)
{
    return XXH3_64bits_withSeed(span.at, span.len, seed);
}
