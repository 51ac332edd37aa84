/* ring.h - a first-in first-out queue of fixed-size items that grows. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/err.h"
#include "base/mem.h"

#include <stdint.h>

struct ring {
    struct mem *mem;
    uint8_t *at;
    uint32_t item_size;
    uint32_t room; /* a power of two, or 0 */
    uint64_t head; /* sequence number of the oldest item */
    uint64_t tail; /* of the next one; tail - head items are held */
};

void ring_init(struct ring *ring, struct mem *mem, uint32_t item_size);
void ring_drop(struct ring *ring);
uint64_t ring_count(const struct ring *ring);
/* A new zeroed item at the end, valid until the next push; NULL when memory ran out. */
void *ring_push(struct ring *ring);
/* The item at `index` from the front (0 = oldest), or NULL past the end. */
void *ring_at(const struct ring *ring, uint64_t index);
/* Remove the oldest (must exist) or the newest. */
void ring_pop(struct ring *ring);
void ring_pop_back(struct ring *ring);
void ring_clear(struct ring *ring);

#endif
