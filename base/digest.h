/* digest.h - a rolling sum over the logical content of a state, for finding duplicates.
 *
 * `process_ops.digest` feeds numbers and bytes in a fixed order; two states with equal sums count
 * as the same state in an exploration. Never feed a pointer, padding, or an order that depends on
 * history; feed deadlines relative to now. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/hash.h"

struct digest {
    uint64_t sum;
};

static inline void digest_u64(struct digest *digest, uint64_t value)
{
    digest->sum = hash_u64(value, digest->sum * 0x9e3779b97f4a7c15u + 1);
}

/* Length and content, so that neighbouring spans cannot run into each other. */
static inline void digest_span(struct digest *digest, struct span span)
{
    digest_u64(digest, span.len);
    if (span.len > 0) {
        digest_u64(digest, hash_bytes(span, 0));
    }
}

#endif
