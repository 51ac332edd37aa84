#include "base/map.h"
#include "base/rand.h"
#include "tests/expect.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

#define KEYS 4000u

static struct mem_heap heap;
static uint8_t things[KEYS];

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

/* The model is an array indexed by key number; keys are spread or dense. */
static uint64_t key_of(uint32_t number, bool spread)
{
    return spread ? number * UINT64_C(0x9e3779b97f4a7c15) : number;
}

static void check_all(const struct map *map, void *const *model, bool spread)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        EXPECT(map_find(map, key_of(i, spread)) == model[i]);
        count += model[i] != NULL ? 1 : 0;
    }
    EXPECT(map->count == count);
}

static void differ(uint64_t seed, bool spread)
{
    static void *model[KEYS];
    struct map map;
    struct rand rand;

    memset(model, 0, sizeof(model));
    rand_init(&rand, seed);
    map_init(&map, &heap.mem, seed);
    for (uint32_t round = 0; round < 120000; round++) {
        uint32_t number = (uint32_t)rand_below(&rand, 1 + round % 50000 * KEYS / 50000);
        uint64_t key = key_of(number, spread);

        if (rand_below(&rand, 5) < 2 + (round / 20000) % 2) {
            void *value = &things[rand_below(&rand, KEYS)];

            EXPECT(map_put(&map, key, value) == ERR_OK);
            model[number] = value;
        } else {
            EXPECT(map_take(&map, key) == model[number]);
            model[number] = NULL;
        }
        if (round % 10000 == 0) {
            check_all(&map, model, spread);
        }
    }
    check_all(&map, model, spread);
    map_drop(&map);
    EXPECT(heap.mem.used_bytes == 0);
}

START_TEST(test_a_map_agrees_with_an_array)
{
    differ(1, false);
    differ(2, true);
    differ(0, true);
}
END_TEST

START_TEST(test_find_works_at_every_moment_of_growing)
{
    struct map map;

    map_init(&map, &heap.mem, 3);
    EXPECT(map_find(&map, 0) == NULL);
    EXPECT(map_take(&map, 0) == NULL);
    for (uint32_t i = 0; i < 1500; i++) {
        EXPECT(map_put(&map, i, &things[i]) == ERR_OK);
        for (uint32_t j = 0; j <= i; j++) {
            EXPECT(map_find(&map, j) == &things[j]);
        }
        EXPECT(map_find(&map, i + 1) == NULL);
    }
    map_drop(&map);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_take_works_at_every_moment_of_growing)
{
    for (uint32_t size = 1; size < 300; size++) {
        struct map map;

        map_init(&map, &heap.mem, size);
        for (uint32_t i = 0; i < size; i++) {
            EXPECT(map_put(&map, i, &things[i]) == ERR_OK);
        }
        for (uint32_t i = 0; i < size; i += 2) {
            EXPECT(map_take(&map, i) == &things[i]);
            EXPECT(map_take(&map, i) == NULL);
        }
        for (uint32_t i = 0; i < size; i++) {
            EXPECT(map_find(&map, i) == (i % 2 == 0 ? NULL : &things[i]));
            EXPECT(map_put(&map, i, &things[i + 1]) == ERR_OK);
        }
        EXPECT(map.count == size);
        map_drop(&map);
    }
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_a_failed_put_changes_nothing)
{
    for (uint64_t fail_at = 1; fail_at <= 8; fail_at++) {
        struct map map;
        uint32_t failed = 0;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        map_init(&map, &heap.mem, 9);
        for (uint32_t i = 0; i < 1000; i++) {
            if (map_put(&map, i, &things[i]) != ERR_OK) {
                failed++;
                EXPECT(map_find(&map, i) == NULL);
                EXPECT(map.count == i);
                EXPECT(map_put(&map, i, &things[i]) == ERR_OK);
            }
        }
        EXPECT(map.count == 1000);
        for (uint32_t i = 0; i < 1000; i++) {
            EXPECT(map_find(&map, i) == &things[i]);
        }
        EXPECT(failed == (fail_at == 1 ? 1 : 0));
        map_drop(&map);
        EXPECT(heap.mem.used_bytes == 0);
    }
}
END_TEST

START_TEST(test_a_map_without_memory_fills_up_and_then_refuses)
{
    struct map map;
    uint32_t count = 0;

    heap.mem.limit_bytes = 64 * 16 + 32 * 16;
    map_init(&map, &heap.mem, 9);
    while (map_put(&map, count, &things[count]) == ERR_OK) {
        count++;
        EXPECT(count < 64);
    }

    EXPECT(count >= 32);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(map_find(&map, i) == &things[i]);
    }
    EXPECT(map_put(&map, 0, &things[1]) == ERR_OK);
    EXPECT(map_find(&map, 0) == &things[1]);
    map_drop(&map);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

/* The largest amount of work of one put, as told by the moved and zeroed slots. */
START_TEST(test_no_put_does_much)
{
    struct map map;

    map_init(&map, &heap.mem, 1);
    for (uint64_t i = 0; i < 100000; i++) {
        bool moving = map.old != NULL;
        bool preparing = map.next != NULL;
        uint64_t moved = map.moved;
        uint64_t zeroed = map.zeroed;

        EXPECT(map_put(&map, i, &things[0]) == ERR_OK);
        if (moving && map.old != NULL) {
            EXPECT(map.moved - moved <= 32);
        }
        if (preparing && map.next != NULL) {
            EXPECT(map.zeroed - zeroed <= 64);
        }
        EXPECT(map.count <= map.mask / 8 * 7 + 8);
    }
    map_drop(&map);
}
END_TEST

Suite *suite_map(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, test_a_map_agrees_with_an_array);
    tcase_add_test(tcase, test_find_works_at_every_moment_of_growing);
    tcase_add_test(tcase, test_take_works_at_every_moment_of_growing);
    tcase_add_test(tcase, test_a_failed_put_changes_nothing);
    tcase_add_test(tcase, test_a_map_without_memory_fills_up_and_then_refuses);
    tcase_add_test(tcase, test_no_put_does_much);
    suite_add_tcase(suite, tcase);
    return suite;
}
