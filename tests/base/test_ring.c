#include "base/rand.h"
#include "base/ring.h"
#include "tests/expect.h"

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

struct item {
    uint64_t number;
    uint8_t pad[13];
};

START_TEST(test_a_ring_agrees_with_an_array)
{
    static uint64_t model[100000];
    struct mem_heap heap;
    struct ring ring;
    struct rand rand;
    uint32_t head = 0;
    uint32_t tail = 0;

    mem_heap_init(&heap, UINT64_MAX);
    rand_init(&rand, 5);
    ring_init(&ring, &heap.mem, sizeof(struct item));
    for (uint32_t round = 0; round < 90000; round++) {
        uint64_t op = rand_below(&rand, 10);

        if (op < 4 + (round / 10000) % 2 * 3) {
            struct item *item = ring_push(&ring);

            EXPECT(item->number == 0);
            EXPECT(item->pad[12] == 0);
            item->number = rand_next(&rand);
            memset(item->pad, 0xff, sizeof(item->pad));
            model[tail++] = item->number;
        } else if (head != tail && op < 9) {
            EXPECT(((struct item *)ring_at(&ring, 0))->number == model[head++]);
            ring_pop(&ring);
        } else if (head != tail) {
            EXPECT(((struct item *)ring_at(&ring, tail - head - 1))->number == model[tail - 1]);
            tail--;
            ring_pop_back(&ring);
        }
        EXPECT(ring_count(&ring) == tail - head);
        EXPECT(ring_at(&ring, tail - head) == NULL);
        if (head != tail) {
            uint32_t index = (uint32_t)rand_below(&rand, tail - head);

            EXPECT(((struct item *)ring_at(&ring, index))->number == model[head + index]);
        }
    }
    ring_clear(&ring);
    EXPECT(ring_count(&ring) == 0);
    ring_drop(&ring);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_a_failed_push_changes_nothing)
{
    bool whole = false;

    for (uint64_t fail_at = 1; !whole; fail_at++) {
        struct mem_heap heap;
        struct ring ring;

        mem_heap_init(&heap, UINT64_MAX);
        heap.mem.fail_at = fail_at;
        ring_init(&ring, &heap.mem, sizeof(uint64_t));
        whole = true;
        for (uint64_t i = 0; i < 1000; i++) {
            uint64_t *item = ring_push(&ring);

            if (item == NULL) {
                EXPECT(whole);
                EXPECT(ring_count(&ring) == i - i / 3);
                whole = false;
                item = ring_push(&ring);
            }
            *item = i;
            /* Move the head, so that growing meets items that wrap. */
            if (i % 3 == 2) {
                ring_pop(&ring);
            }
        }
        for (uint64_t i = 0; i < ring_count(&ring); i++) {
            EXPECT(*(uint64_t *)ring_at(&ring, i) == 333 + i);
        }
        ring_drop(&ring);
        EXPECT(heap.mem.used_bytes == 0);
    }
}
END_TEST

START_TEST(test_popping_nothing_is_our_mistake)
{
    struct mem_heap heap;
    struct ring ring;

    mem_heap_init(&heap, UINT64_MAX);
    ring_init(&ring, &heap.mem, 8);
    ring_pop(&ring);
}
END_TEST

Suite *suite_ring(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = tcase_create("ring");

    tcase_add_test(tcase, test_a_ring_agrees_with_an_array);
    tcase_add_test(tcase, test_a_failed_push_changes_nothing);
    tcase_add_test_raise_signal(tcase, test_popping_nothing_is_our_mistake, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
