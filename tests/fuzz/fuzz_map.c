/* A program of puts, finds, takes and failing allocations against an array. */
#include "base/ensure.h"
#include "base/map.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define KEYS 1024u

struct world {
    struct mem_heap heap;
    struct map map;
    uint64_t spread;
    uint64_t count;
    void *model[KEYS];
};

static uint8_t things[KEYS];

static uint64_t key_of(const struct world *world, uint32_t number)
{
    return number * world->spread;
}

static void put(struct world *world, uint32_t number, void *value)
{
    if (map_put(&world->map, key_of(world, number), value) == ERR_OK) {
        world->count += world->model[number] == NULL ? 1 : 0;
        world->model[number] = value;
    } else {
        ENSURE(world->model[number] == NULL);
    }
}

static void take(struct world *world, uint32_t number)
{
    ENSURE(map_take(&world->map, key_of(world, number)) == world->model[number]);
    world->count -= world->model[number] != NULL ? 1 : 0;
    world->model[number] = NULL;
}

static void operate(struct world *world, struct fuzz *fuzz)
{
    uint32_t word = fuzz_u16(fuzz);
    uint32_t number = word % KEYS;

    switch (word / KEYS % 8) {
    case 0:
    case 1:
        put(world, number, &things[word % 7 * 10 + number % 10]);
        break;
    case 2:
        take(world, number);
        break;
    case 3:
        for (uint32_t n = fuzz_u8(fuzz); n > 0; n--) {
            put(world, (number + n) % KEYS, &things[n]);
        }
        break;
    case 4:
        for (uint32_t n = fuzz_u8(fuzz); n > 0; n--) {
            take(world, (number + n * 3) % KEYS);
        }
        break;
    case 5:
        world->heap.mem.fail_at = world->heap.mem.get_count + 1 + number % 4;
        break;
    case 6:
        world->heap.mem.limit_bytes = number % 2 == 0 ? UINT64_MAX : number * 64;
        if (world->heap.mem.limit_bytes < world->heap.mem.used_bytes) {
            world->heap.mem.limit_bytes = world->heap.mem.used_bytes;
        }
        break;
    default:
        ENSURE(map_find(&world->map, key_of(world, number)) == world->model[number]);
    }
    ENSURE(world->map.count == world->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t spreads[] = {1, UINT64_C(0x9e3779b97f4a7c15), UINT64_C(1) << 54, 64};
    struct fuzz fuzz = {.at = data, .left = size};
    static struct world world;

    memset(&world, 0, sizeof(world));
    mem_heap_init(&world.heap, UINT64_MAX);
    world.spread = spreads[fuzz_u8(&fuzz) % 4];
    map_init(&world.map, &world.heap.mem, fuzz_u8(&fuzz));
    while (fuzz.left > 0) {
        operate(&world, &fuzz);
    }
    for (uint32_t number = 0; number < KEYS; number++) {
        ENSURE(map_find(&world.map, key_of(&world, number)) == world.model[number]);
    }
    map_drop(&world.map);
    ENSURE(world.heap.mem.used_bytes == 0);
    return 0;
}
