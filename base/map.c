/* Open addressing with linear probing. A table lives through three phases, each put doing a small
 * part:
 *
 *     filling     the load is below one half
 *     preparing   `next`, twice as large, is allocated and zeroed piece by piece
 *     moving      `next` became `slots`, `old` is emptied into it piece by piece
 *
 * Deletion from `slots` closes the gap by moving later entries up, so it leaves no marks there;
 * `old` is never inserted into, so a mark in place of the value is enough. */
#include "base/map.h"

#include "base/ensure.h"
#include "base/hash.h"

#include <stdbool.h>
#include <string.h>

struct map_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

#define MAP_ROOM_FIRST 16u
/* Per put; the bounds in map_step show that both are enough. */
#define MAP_ZERO_STEP 32u
#define MAP_MOVE_STEP 8u

/* Stands for an entry that left `old`. */
static const char map_gone;

static void *map_gone_value(void)
{
    return (void *)(uintptr_t)&map_gone;
}

void map_init(struct map *map, struct mem *mem, uint64_t seed)
{
    *map = (struct map){.mem = mem, .seed = seed};
}

void map_drop(struct map *map)
{
    size_t bytes = (size_t)(map->mask + 1) * sizeof(struct map_slot);

    if (map->slots != NULL) {
        mem_put(map->mem, map->slots, bytes);
    }
    if (map->old != NULL) {
        mem_put(map->mem, map->old, bytes / 2);
    }
    if (map->next != NULL) {
        mem_put(map->mem, map->next, bytes * 2);
    }
    *map = (struct map){.mem = map->mem, .seed = map->seed};
}

static inline uint64_t map_home(const struct map *map, uint64_t key)
{
    return hash_u64(key, map->seed);
}

/* The slot of `key` in a table, or NULL. */
static inline struct map_slot *map_probe(struct map_slot *slots, uint64_t mask, uint64_t home,
                                         uint64_t key)
{
    for (uint64_t i = home & mask; slots[i].value != NULL; i = (i + 1) & mask) {
        if (slots[i].key == key) {
            return &slots[i];
        }
    }
    return NULL;
}

static struct map_slot *map_locate(const struct map *map, uint64_t home, uint64_t key)
{
    struct map_slot *slot;

    if (map->slots == NULL) {
        return NULL;
    }
    slot = map_probe(map->slots, map->mask, home, key);
    if (slot == NULL && __builtin_expect(map->old != NULL, 0)) {
        slot = map_probe(map->old, map->mask / 2, home, key);
        if (slot != NULL && slot->value == map_gone_value()) {
            slot = NULL;
        }
    }
    return slot;
}

void *map_find(const struct map *map, uint64_t key)
{
    struct map_slot *slot = map_locate(map, map_home(map, key), key);

    return slot == NULL ? NULL : slot->value;
}

/* Store an entry that is not there in `slots`, which has room. */
static void map_place(struct map *map, uint64_t home, uint64_t key, void *value)
{
    uint64_t i = home & map->mask;

    while (map->slots[i].value != NULL) {
        i = (i + 1) & map->mask;
    }
    map->slots[i] = (struct map_slot){.key = key, .value = value};
}

/* Empty the next few slots of `old`. */
static void map_move(struct map *map)
{
    uint64_t room = map->mask / 2 + 1;
    uint64_t end = map->moved + MAP_MOVE_STEP < room ? map->moved + MAP_MOVE_STEP : room;

    for (; map->moved < end; map->moved++) {
        struct map_slot *slot = &map->old[map->moved];

        if (slot->value != NULL && slot->value != map_gone_value()) {
            map_place(map, map_home(map, slot->key), slot->key, slot->value);
            slot->value = map_gone_value();
        }
    }
    if (map->moved == room) {
        mem_put(map->mem, map->old, (size_t)room * sizeof(*map->old));
        map->old = NULL;
    }
}

/* Zero the next few slots of `next`; when all are, the tables change places. */
static void map_zero(struct map *map)
{
    uint64_t room = (map->mask + 1) * 2;
    uint64_t left = room - map->zeroed;
    uint64_t part = left < MAP_ZERO_STEP ? left : MAP_ZERO_STEP;

    memset(map->next + map->zeroed, 0, (size_t)part * sizeof(*map->next));
    map->zeroed += part;
    if (map->zeroed == room) {
        map->old = map->slots;
        map->slots = map->next;
        map->next = NULL;
        map->mask = room - 1;
        map->moved = 0;
    }
}

/* One put's share of growing. With N slots: preparing starts at N/2 entries and takes 2N/32 puts,
 * so it ends at 9/16 N; moving takes N/8 puts, so it ends with 11/16 N entries in 2N slots. */
static enum err map_step(struct map *map)
{
    if (map->old != NULL) {
        map_move(map);
    } else if (map->next != NULL) {
        map_zero(map);
    } else if (map->count > map->mask / 2) {
        map->next = mem_get(map->mem, (size_t)(map->mask + 1) * 2 * sizeof(*map->next));
        map->zeroed = 0;
        /* No memory now is no harm as long as the table is not too full; the next put tries again.
         */
        if (map->next == NULL && map->count >= (map->mask + 1) / 8 * 7) {
            return ERR_MEMORY;
        }
    }
    return ERR_OK;
}

enum err map_put(struct map *map, uint64_t key, void *value)
{
    uint64_t home = map_home(map, key);
    struct map_slot *slot = map_locate(map, home, key);

    ENSURE(value != NULL);
    if (slot != NULL) {
        slot->value = value;
        return ERR_OK;
    }
    if (map->slots == NULL) {
        map->slots = mem_get_zero(map->mem, MAP_ROOM_FIRST * sizeof(*map->slots));
        if (map->slots == NULL) {
            return ERR_MEMORY;
        }
        map->mask = MAP_ROOM_FIRST - 1;
    } else if (map_step(map) != ERR_OK) {
        return ERR_MEMORY;
    }
    map_place(map, home, key, value);
    map->count++;
    return ERR_OK;
}

/* Close the gap at `hole`: an entry behind it moves up unless its home lies after the hole. */
static void map_close(struct map *map, uint64_t hole)
{
    uint64_t mask = map->mask;

    for (uint64_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
        uint64_t home = map_home(map, map->slots[i].key) & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].value = NULL;
}

void *map_take(struct map *map, uint64_t key)
{
    struct map_slot *slot = map_locate(map, map_home(map, key), key);
    void *value;

    if (slot == NULL) {
        return NULL;
    }
    value = slot->value;
    if (slot >= map->slots && slot <= map->slots + map->mask) {
        map_close(map, (uint64_t)(slot - map->slots));
    } else {
        slot->value = map_gone_value();
    }
    map->count--;
    return value;
}
