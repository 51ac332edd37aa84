#include "base/rand.h"
#include "base/sorted.h"
#include "tests/expect.h"

#include <check.h>
#include <string.h>

#define KEYS 3000u

static struct mem_heap heap;
static uint8_t things[KEYS];

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

static void check_seeks(const struct sorted *sorted, void *const *model, uint32_t from)
{
    uint32_t up = from;
    uint32_t down = from;
    uint64_t found = 0;
    void *value = NULL;

    while (up < KEYS && model[up] == NULL) {
        up++;
    }
    while (down > 0 && model[down] == NULL) {
        down--;
    }
    EXPECT(sorted_seek(sorted, from, &found, &value) == (up < KEYS));
    if (up < KEYS) {
        EXPECT(found == up);
        EXPECT(value == model[up]);
    }
    EXPECT(sorted_seek_down(sorted, from, &found, &value) == (model[down] != NULL));
    if (model[down] != NULL) {
        EXPECT(found == down);
        EXPECT(value == model[down]);
    }
    EXPECT(sorted_find(sorted, from) == model[from]);
}

static void check_walk(const struct sorted *sorted, void *const *model)
{
    uint64_t key = 0;
    uint64_t next = 0;
    uint64_t count = 0;
    void *value = NULL;

    for (key = 0; sorted_seek(sorted, key, &key, &value); key++) {
        for (; next < key; next++) {
            EXPECT(model[next] == NULL);
        }
        EXPECT(model[key] == value);
        next = key + 1;
        count++;
    }
    EXPECT(count == sorted->count);
    for (; next < KEYS; next++) {
        EXPECT(model[next] == NULL);
    }
}

START_TEST(test_a_sorted_agrees_with_an_array)
{
    static void *model[KEYS];
    struct sorted sorted;
    struct rand rand;

    rand_init(&rand, 11);
    sorted_init(&sorted, &heap.mem);
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t key = (uint32_t)rand_below(&rand, 1 + round % 50000 * KEYS / 50000);
        uint64_t op = rand_below(&rand, 7);

        if (op < 2 + (round / 25000) % 2 * 2) {
            void *value = &things[rand_below(&rand, KEYS)];

            EXPECT(sorted_put(&sorted, key, value) == ERR_OK);
            model[key] = value;
        } else if (op < 5) {
            EXPECT(sorted_take(&sorted, key) == model[key]);
            model[key] = NULL;
        } else {
            check_seeks(&sorted, model, key);
        }
        if (round % 5000 == 0) {
            check_walk(&sorted, model);
        }
    }
    check_walk(&sorted, model);
    sorted_drop(&sorted);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

/* Fill in one order, empty in another; memory returns to nothing without a drop. */
static void fill_and_empty(uint32_t fill_step, uint32_t empty_step)
{
    static void *model[KEYS];
    struct sorted sorted;

    sorted_init(&sorted, &heap.mem);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t key = i * fill_step % KEYS;

        EXPECT(sorted_put(&sorted, key, &things[key]) == ERR_OK);
        model[key] = &things[key];
    }
    check_walk(&sorted, model);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t key = i * empty_step % KEYS;

        EXPECT(sorted_take(&sorted, key) == &things[key]);
        model[key] = NULL;
        if (i % 100 == 0) {
            check_walk(&sorted, model);
        }
    }
    EXPECT(sorted.count == 0);
    EXPECT(heap.mem.used_bytes == 0);
}

START_TEST(test_any_order_of_filling_and_emptying_works)
{
    static const uint32_t steps[] = {1, KEYS - 1, 7, 1471};

    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < 4; j++) {
            fill_and_empty(steps[i], steps[j]);
        }
    }
}
END_TEST

START_TEST(test_keys_are_compared_unsigned_up_to_the_last)
{
    struct sorted sorted;
    uint64_t found = 0;
    void *value = NULL;

    sorted_init(&sorted, &heap.mem);
    EXPECT(!sorted_seek(&sorted, 0, &found, &value));
    EXPECT(!sorted_seek_down(&sorted, UINT64_MAX, &found, &value));
    EXPECT(sorted_find(&sorted, 0) == NULL);
    EXPECT(sorted_take(&sorted, 0) == NULL);
    EXPECT(sorted_put(&sorted, UINT64_MAX, &things[1]) == ERR_OK);
    EXPECT(sorted_put(&sorted, 0, &things[2]) == ERR_OK);
    EXPECT(sorted_put(&sorted, UINT64_C(1) << 63, &things[3]) == ERR_OK);

    EXPECT(sorted_seek(&sorted, 1, &found, &value));
    EXPECT(found == UINT64_C(1) << 63);
    EXPECT(sorted_seek(&sorted, UINT64_MAX, &found, &value));
    EXPECT(value == &things[1]);
    EXPECT(sorted_seek_down(&sorted, UINT64_MAX - 1, &found, &value));
    EXPECT(found == UINT64_C(1) << 63);
    EXPECT(sorted_seek_down(&sorted, 0, &found, &value));
    EXPECT(value == &things[2]);
    sorted_drop(&sorted);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_a_failed_put_changes_nothing)
{
    bool whole = false;

    for (uint64_t fail_at = 1; !whole; fail_at++) {
        struct sorted sorted;
        uint32_t failed = 0;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        sorted_init(&sorted, &heap.mem);
        for (uint32_t i = 0; i < KEYS; i++) {
            uint32_t key = i * 1471 % KEYS;

            if (sorted_put(&sorted, key, &things[key]) != ERR_OK) {
                failed++;
                EXPECT(sorted_find(&sorted, key) == NULL);
                EXPECT(sorted.count == i);
                EXPECT(sorted_put(&sorted, key, &things[key]) == ERR_OK);
            }
        }
        EXPECT(sorted.count == KEYS);
        for (uint32_t i = 0; i < KEYS; i++) {
            EXPECT(sorted_find(&sorted, i) == &things[i]);
        }
        EXPECT(failed <= 1);
        whole = failed == 0;
        sorted_drop(&sorted);
        EXPECT(heap.mem.used_bytes == 0);
    }
}
END_TEST

START_TEST(test_a_walk_stands_changes)
{
    struct sorted sorted;
    uint64_t key = 0;
    uint32_t seen = 0;
    void *value = NULL;

    sorted_init(&sorted, &heap.mem);
    for (uint32_t i = 0; i < 1000; i += 2) {
        EXPECT(sorted_put(&sorted, i, &things[i]) == ERR_OK);
    }
    for (key = 0; sorted_seek(&sorted, key, &key, &value); key++) {
        seen++;
        EXPECT(sorted_take(&sorted, key) == value);
        if (key % 2 == 0) {
            EXPECT(sorted_put(&sorted, key + 1, value) == ERR_OK);
        }
    }

    EXPECT(seen == 1000);
    EXPECT(sorted.count == 0);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

/* A queue by key, as of zxids: memory follows the entries that are held, not those that came by. */
START_TEST(test_a_sliding_window_stays_small)
{
    struct sorted sorted;

    sorted_init(&sorted, &heap.mem);
    for (uint64_t i = 0; i < 100000; i++) {
        EXPECT(sorted_put(&sorted, i, &things[0]) == ERR_OK);
        if (i >= 100) {
            EXPECT(sorted_take(&sorted, i - 100) != NULL);
        }
        EXPECT(heap.mem.used_bytes <= 4096);
        EXPECT(sorted.depth <= 2);
    }
    sorted_drop(&sorted);
}
END_TEST

Suite *suite_sorted(void)
{
    Suite *suite = suite_create("sorted");
    TCase *tcase = tcase_create("sorted");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_sorted_agrees_with_an_array);
    tcase_add_test(tcase, test_any_order_of_filling_and_emptying_works);
    tcase_add_test(tcase, test_keys_are_compared_unsigned_up_to_the_last);
    tcase_add_test(tcase, test_a_failed_put_changes_nothing);
    tcase_add_test(tcase, test_a_walk_stands_changes);
    tcase_add_test(tcase, test_a_sliding_window_stays_small);
    suite_add_tcase(suite, tcase);
    return suite;
}
