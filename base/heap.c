/* Four children a node: half the depth of a binary heap, and the four lie in adjacent memory. */
#include "base/heap.h"

#include "base/ensure.h"

#define HEAP_WAYS       4u
#define HEAP_ROOM_FIRST 16u
#define HEAP_ROOM_MAX   0x80000000u

void heap_init(struct heap *heap, struct mem *mem)
{
    *heap = (struct heap){.mem = mem};
}

void heap_drop(struct heap *heap)
{
    if (heap->at != NULL) {
        mem_put(heap->mem, heap->at, (size_t)heap->room * sizeof(*heap->at));
    }
    *heap = (struct heap){.mem = heap->mem};
}

static inline bool heap_before(const struct heap_item *a, const struct heap_item *b)
{
    return a->due < b->due || (a->due == b->due && a->tie < b->tie);
}

static bool heap_widen(struct heap *heap)
{
    uint32_t room = heap->room == 0 ? HEAP_ROOM_FIRST : heap->room * 2;
    struct heap_item *at;

    if (heap->room == HEAP_ROOM_MAX) {
        return false;
    }
    at =
        mem_grow(heap->mem, heap->at, (size_t)heap->room * sizeof(*at), (size_t)room * sizeof(*at));
    if (at == NULL) {
        return false;
    }
    heap->at = at;
    heap->room = room;
    return true;
}

enum err heap_push(struct heap *heap, struct heap_item item)
{
    uint32_t hole;

    if (heap->count == heap->room && !heap_widen(heap)) {
        return ERR_MEMORY;
    }
    hole = heap->count++;
    while (hole > 0) {
        uint32_t parent = (hole - 1) / HEAP_WAYS;

        if (!heap_before(&item, &heap->at[parent])) {
            break;
        }
        heap->at[hole] = heap->at[parent];
        hole = parent;
    }
    heap->at[hole] = item;
    return ERR_OK;
}

const struct heap_item *heap_peek(const struct heap *heap)
{
    return heap->count == 0 ? NULL : &heap->at[0];
}

/* Let `item` sink from the root, whose place is free. */
static void heap_sink(struct heap *heap, struct heap_item item)
{
    struct heap_item *at = heap->at;
    uint64_t count = heap->count;
    uint64_t hole = 0;

    for (;;) {
        uint64_t child = hole * HEAP_WAYS + 1;
        uint64_t end = child + HEAP_WAYS < count ? child + HEAP_WAYS : count;
        uint64_t least = child;

        if (child >= count) {
            break;
        }
        for (uint64_t other = child + 1; other < end; other++) {
            least = heap_before(&at[other], &at[least]) ? other : least;
        }
        if (!heap_before(&at[least], &item)) {
            break;
        }
        at[hole] = at[least];
        hole = least;
    }
    at[hole] = item;
}

bool heap_pop(struct heap *heap, struct heap_item *item)
{
    if (heap->count == 0) {
        return false;
    }
    *item = heap->at[0];
    heap->count--;
    if (heap->count > 0) {
        heap_sink(heap, heap->at[heap->count]);
    }
    return true;
}
