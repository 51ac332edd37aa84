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

__extension__ typedef unsigned __int128 heap_wide;

/* (due, tie) as one number: comparing it needs no branch that a processor could guess wrong. */
static inline heap_wide heap_key(const struct heap_item *item)
{
    return (heap_wide)item->due << 64 | item->tie;
}

static inline bool heap_before(const struct heap_item *a, const struct heap_item *b)
{
    return heap_key(a) < heap_key(b);
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

/* Let `item` rise from `hole`, whose place is free. */
static inline void heap_rise(struct heap *heap, uint32_t hole, struct heap_item item)
{
    struct heap_item *at = heap->at;

    while (hole > 0) {
        uint32_t parent = (hole - 1) / HEAP_WAYS;

        if (!heap_before(&item, &at[parent])) {
            break;
        }
        at[hole] = at[parent];
        hole = parent;
    }
    at[hole] = item;
}

enum err heap_push(struct heap *heap, struct heap_item item)
{
    if (heap->count == heap->room && !heap_widen(heap)) {
        return ERR_MEMORY;
    }
    heap_rise(heap, heap->count, item);
    heap->count++;
    return ERR_OK;
}

const struct heap_item *heap_peek(const struct heap *heap)
{
    return heap->count == 0 ? NULL : &heap->at[0];
}

/* The index of the least of at[first .. first + HEAP_WAYS). */
static inline uint64_t heap_least_of_four(const struct heap_item *at, uint64_t first)
{
    uint64_t left = first + (heap_before(&at[first + 1], &at[first]) ? 1 : 0);
    uint64_t right = first + 2 + (heap_before(&at[first + 3], &at[first + 2]) ? 1 : 0);

    return heap_before(&at[right], &at[left]) ? right : left;
}

/* Move the least child up into `hole` until a node without children is the hole, then let `item`
 * rise from there: it came from the bottom, so it seldom rises far. */
static void heap_sink(struct heap *heap, struct heap_item item)
{
    struct heap_item *at = heap->at;
    uint64_t count = heap->count;
    uint64_t hole = 0;
    uint64_t child = 1;

    while (child + HEAP_WAYS <= count) {
        uint64_t least = heap_least_of_four(at, child);

        at[hole] = at[least];
        hole = least;
        child = hole * HEAP_WAYS + 1;
    }
    if (child < count) {
        uint64_t least = child;

        for (uint64_t other = child + 1; other < count; other++) {
            least = heap_before(&at[other], &at[least]) ? other : least;
        }
        at[hole] = at[least];
        hole = least;
    }
    heap_rise(heap, (uint32_t)hole, item);
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
