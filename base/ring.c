#include "base/ring.h"

#include "base/ensure.h"

#include <stdbool.h>
#include <string.h>

#define RING_ROOM_FIRST 8u
#define RING_ROOM_MAX   0x80000000u

static uint8_t *ring_slot(const struct ring *ring, uint64_t sequence)
{
    return ring->at + (sequence & (ring->room - 1)) * ring->item_size;
}

void ring_init(struct ring *ring, struct mem *mem, uint32_t item_size)
{
    ENSURE(item_size > 0);
    *ring = (struct ring){.mem = mem, .item_size = item_size};
}

void ring_drop(struct ring *ring)
{
    if (ring->at != NULL) {
        mem_put(ring->mem, ring->at, (size_t)ring->room * ring->item_size);
    }
    *ring = (struct ring){.mem = ring->mem, .item_size = ring->item_size};
}

uint64_t ring_count(const struct ring *ring)
{
    return ring->tail - ring->head;
}

/* Double the room. Items keep their sequence numbers, so each half moves as one piece or wraps
 * anew. */
static bool ring_widen(struct ring *ring)
{
    uint32_t room = ring->room == 0 ? RING_ROOM_FIRST : ring->room * 2;
    struct ring wider = *ring;
    uint64_t sequence = ring->head;

    if (ring->room == RING_ROOM_MAX) {
        return false;
    }
    wider.room = room;
    wider.at = mem_get(ring->mem, (size_t)room * ring->item_size);
    if (wider.at == NULL) {
        return false;
    }
    while (sequence != ring->tail) {
        uint64_t until_wrap = ring->room - (sequence & (ring->room - 1));
        uint64_t left = ring->tail - sequence;
        uint64_t run = until_wrap < left ? until_wrap : left;

        memcpy(ring_slot(&wider, sequence), ring_slot(ring, sequence),
               (size_t)run * ring->item_size);
        sequence += run;
    }
    if (ring->at != NULL) {
        mem_put(ring->mem, ring->at, (size_t)ring->room * ring->item_size);
    }
    *ring = wider;
    return true;
}

void *ring_push(struct ring *ring)
{
    uint8_t *slot;

    if (ring->tail - ring->head == ring->room && !ring_widen(ring)) {
        return NULL;
    }
    slot = ring_slot(ring, ring->tail++);
    memset(slot, 0, ring->item_size);
    return slot;
}

void *ring_at(const struct ring *ring, uint64_t index)
{
    if (index >= ring->tail - ring->head) {
        return NULL;
    }
    return ring_slot(ring, ring->head + index);
}

void ring_pop(struct ring *ring)
{
    ENSURE(ring->head != ring->tail);
    ring->head++;
}

void ring_pop_back(struct ring *ring)
{
    ENSURE(ring->head != ring->tail);
    ring->tail--;
}

void ring_clear(struct ring *ring)
{
    ring->head = ring->tail;
}
