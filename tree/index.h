/* index.h - finds nodes by the hash of their path: linear hashing, so that no insertion ever costs
 * more than splitting one bucket, and memory follows the number of nodes.
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
#include "tree/node.h"

struct index {
    struct mem *mem;
    uint64_t seed;
    struct node ***segments;
    uint32_t segment_count, segment_room;
    uint32_t bucket_count;
    uint32_t level;
    uint64_t count; /* nodes */
};

/* Errors: ERR_MEMORY. */
enum err index_init(struct index *index, struct mem *mem, uint64_t seed);
void index_drop(struct index *index);
/* `path` in canonical form: the root is "". */
uint32_t index_hash(const struct index *index, struct span path);
struct node *index_find(const struct index *index, struct span path, uint32_t hash);
/* Put `node`, whose field `hash` is set. Cannot fail: without memory the chains get longer. */
void index_put(struct index *index, struct node *node);
void index_take(struct index *index, struct node *node);

#endif
