/* map.h - look up a pointer by a 64-bit key, in no order.
 *
 * There is no iterator, on purpose: the order of a hash map is not part of a simulated world. What
 * must be walked stands in a `sorted`, `ring` or `list` as well. Growth is incremental: no single
 * put costs more than O(1) moves (design: a million entries must not stall a step). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/err.h"
#include "base/mem.h"

#include <stdint.h>

struct map_slot;
struct map {
    struct mem *mem;
    uint64_t seed;          /* from boot.seed: equal behaviour must not depend on it */
    struct map_slot *slots; /* where new entries go */
    struct map_slot *old;   /* being emptied into `slots`, else NULL */
    struct map_slot *next;  /* being zeroed to become `slots`, else NULL */
    uint64_t mask;          /* count of slots - 1 */
    uint64_t count;         /* entries in all */
    uint64_t moved;         /* slots of `old` that were looked at */
    uint64_t zeroed;        /* slots of `next` that are ready */
};

void map_init(struct map *map, struct mem *mem, uint64_t seed);
void map_drop(struct map *map);
/* NULL when absent. */
void *map_find(const struct map *map, uint64_t key);
/* Insert or replace; `value` must not be NULL. Errors: ERR_MEMORY (nothing changed). */
enum err map_put(struct map *map, uint64_t key, void *value);
/* The value removed, or NULL. */
void *map_take(struct map *map, uint64_t key);

#endif
