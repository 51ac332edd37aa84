/* A program of puts, seeks, takes and failing allocations against an array. */
#include "base/ensure.h"
#include "base/sorted.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define KEYS 1024u

struct world {
    struct mem_heap heap;
    struct sorted sorted;
    uint64_t shift; /* keys are the numbers moved up, to reach the last of the 64 bits */
    uint64_t count;
    void *model[KEYS];
};

static uint8_t things[KEYS];

static void put(struct world *world, uint32_t number, void *value)
{
    if (sorted_put(&world->sorted, (uint64_t)number << world->shift, value) == ERR_OK) {
        world->count += world->model[number] == NULL ? 1 : 0;
        world->model[number] = value;
    } else {
        ENSURE(world->model[number] == NULL);
    }
}

static void take(struct world *world, uint32_t number)
{
    void *value = sorted_take(&world->sorted, (uint64_t)number << world->shift);

    ENSURE(value == world->model[number]);
    world->count -= value != NULL ? 1 : 0;
    world->model[number] = NULL;
}

static void seek(const struct world *world, uint32_t number)
{
    uint64_t key = (uint64_t)number << world->shift;
    uint64_t found = 0;
    void *value = NULL;
    uint32_t up = number;
    uint32_t down = number;

    while (up < KEYS && world->model[up] == NULL) {
        up++;
    }
    while (down > 0 && world->model[down] == NULL) {
        down--;
    }
    ENSURE(sorted_find(&world->sorted, key) == world->model[number]);
    ENSURE(sorted_seek(&world->sorted, key, &found, &value) == (up < KEYS));
    ENSURE(up == KEYS || (found == (uint64_t)up << world->shift && value == world->model[up]));
    ENSURE(sorted_seek_down(&world->sorted, key, &found, &value) == (world->model[down] != NULL));
    ENSURE(world->model[down] == NULL ||
           (found == (uint64_t)down << world->shift && value == world->model[down]));
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
            take(world, (number + n) % KEYS);
        }
        break;
    case 5:
        for (uint32_t n = fuzz_u8(fuzz); n > 0; n--) {
            put(world, (number - n * 5) % KEYS, &things[n]);
        }
        break;
    case 6:
        world->heap.mem.fail_at = world->heap.mem.get_count + 1 + number % 4;
        break;
    default:
        seek(world, number);
    }
    ENSURE(world->sorted.count == world->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {.at = data, .left = size};
    static struct world world;

    memset(&world, 0, sizeof(world));
    mem_heap_init(&world.heap, UINT64_MAX);
    world.shift = fuzz_u8(&fuzz) % 55;
    sorted_init(&world.sorted, &world.heap.mem);
    while (fuzz.left > 0) {
        operate(&world, &fuzz);
    }
    for (uint32_t number = 0; number < KEYS; number += 7) {
        seek(&world, number);
    }
    sorted_drop(&world.sorted);
    ENSURE(world.heap.mem.used_bytes == 0);
    return 0;
}
