/* sorted.h - an ordered map from 64-bit keys (compared unsigned) to pointers.
 *
 * For everything that is walked: order is by key, so it does not depend on history or addresses. */
#ifndef BASE_SORTED_H
#define BASE_SORTED_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct sorted_node;
struct sorted {
    struct mem *mem;
    struct sorted_node *root; /* a B+ tree; NULL when empty */
    uint64_t count;
    uint32_t depth; /* inner levels above the leaves */
};

void sorted_init(struct sorted *sorted, struct mem *mem);
void sorted_drop(struct sorted *sorted);
void *sorted_find(const struct sorted *sorted, uint64_t key);
/* Insert or replace; `value` not NULL. Errors: ERR_MEMORY. */
enum err sorted_put(struct sorted *sorted, uint64_t key, void *value);
void *sorted_take(struct sorted *sorted, uint64_t key);
/* The entry with the least key >= `key`; false at the end. Walk: for (k = 0; sorted_seek(s, k, &k,
 * &v); k++) with a check for k == UINT64_MAX; entries may be added and taken during the walk. */
bool sorted_seek(const struct sorted *sorted, uint64_t key, uint64_t *found, void **value);
/* The entry with the greatest key <= `key`. */
bool sorted_seek_down(const struct sorted *sorted, uint64_t key, uint64_t *found, void **value);

#endif
