/* heap.h - a min-heap of (due, tie) pairs with a 64-bit payload.
 *
 * Equal dues are ordered by `tie`, a counter the caller counts up: the order is total, which is all
 * that determinism needs from a timer queue (libuv's start_id). */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct heap_item {
    uint64_t due;
    uint64_t tie;
    uint64_t payload;
};

struct heap {
    struct mem *mem;
    struct heap_item *at;
    uint32_t count, room;
};

void heap_init(struct heap *heap, struct mem *mem);
void heap_drop(struct heap *heap);
enum err heap_push(struct heap *heap, struct heap_item item);
/* The least item without removing it; NULL when empty. */
const struct heap_item *heap_peek(const struct heap *heap);
/* Remove the least item into *item; false when empty. */
bool heap_pop(struct heap *heap, struct heap_item *item);

#endif
