/* index.h - finds things by a hash: linear hashing, so that no insertion ever costs more than
 * splitting one bucket, and memory follows the number of things. Used for nodes by path, and for
 * watches.
 *
 * What is found begins with a struct index_link, so that a thing costs 16 bytes of its own and 8 in
 * the buckets. There is no iterator: this is no order that anybody may see.
 *
 * Buckets 0 .. n-1 are in use, 2^level <= n < 2^(level + 1). A hash belongs to bucket h mod
 * 2^(level + 1) if that is below n, else to h mod 2^level. Growing by one bucket n moves nodes from
 * bucket n - 2^level only. Buckets live in segments that never move:
 *
 *     segment   0       1        2         ...  6            7, 8, ...
 *     buckets   0..63   64..127  128..255       2048..4095   4096 each
 */
#ifndef TREE_INDEX_H
#define TREE_INDEX_H

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

/* First member of whatever is in an index. */
struct index_link {
    struct index_link *next; /* in its bucket */
    uint32_t hash;           /* set before index_put */
    uint32_t spare;          /* the owner's; it would be padding else */
};

struct index {
    struct mem *mem;
    uint64_t seed;
    struct index_link ***segments;
    uint32_t segment_count, segment_room;
    uint32_t bucket_count;
    uint32_t level;
    uint64_t count;
};

/* Errors: ERR_MEMORY. */
enum err index_init(struct index *index, struct mem *mem, uint64_t seed);
void index_drop(struct index *index);
uint32_t index_hash(const struct index *index, struct span key);
/* The first of a chain that holds everything with that hash, and more. To find something:
 * for (link = index_first(i, h); link != NULL && !(link->hash == h && ...); link = link->next). */
struct index_link *index_first(const struct index *index, uint32_t hash);
/* Cannot fail: without memory the chains get longer. */
void index_put(struct index *index, struct index_link *link);
void index_take(struct index *index, struct index_link *link);

#endif
