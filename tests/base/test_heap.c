#include "base/heap.h"
#include "base/rand.h"
#include "tests/expect.h"

#include <check.h>

/* The naive model: an array that is searched. */
struct model {
    struct heap_item at[2000];
    uint32_t count;
};

static uint32_t model_least(const struct model *model)
{
    uint32_t least = 0;

    for (uint32_t i = 1; i < model->count; i++) {
        const struct heap_item *a = &model->at[i];
        const struct heap_item *b = &model->at[least];

        if (a->due < b->due || (a->due == b->due && a->tie < b->tie)) {
            least = i;
        }
    }
    return least;
}

static void pop_both(struct heap *heap, struct model *model)
{
    struct heap_item item = {.due = 1};
    uint32_t least = model_least(model);

    if (model->count == 0) {
        EXPECT(heap_peek(heap) == NULL);
        EXPECT(!heap_pop(heap, &item));
        EXPECT(item.due == 1);
        return;
    }
    EXPECT(heap_peek(heap)->tie == model->at[least].tie);
    EXPECT(heap_pop(heap, &item));
    EXPECT(item.due == model->at[least].due);
    EXPECT(item.tie == model->at[least].tie);
    EXPECT(item.payload == model->at[least].payload);
    model->at[least] = model->at[--model->count];
}

START_TEST(test_a_heap_agrees_with_a_searched_array)
{
    static const uint64_t spreads[] = {1, 10, 1000, UINT64_MAX};

    for (uint32_t i = 0; i < 4; i++) {
        static struct model model;
        struct mem_heap memory;
        struct heap heap;
        struct rand rand;

        model.count = 0;
        mem_heap_init(&memory, UINT64_MAX);
        heap_init(&heap, &memory.mem);
        rand_init(&rand, i);
        for (uint64_t round = 0; round < 20000; round++) {
            bool filling = rand_below(&rand, 10) < (round / 2000 % 2 == 0 ? 6 : 4);

            if (filling && model.count < 2000) {
                struct heap_item item = {
                    .due = rand_below(&rand, spreads[i]),
                    .tie = round,
                    .payload = rand_next(&rand),
                };

                model.at[model.count++] = item;
                EXPECT(heap_push(&heap, item) == ERR_OK);
            } else {
                pop_both(&heap, &model);
            }
            EXPECT(heap.count == model.count);
        }
        while (model.count > 0) {
            pop_both(&heap, &model);
        }
        pop_both(&heap, &model);
        heap_drop(&heap);
        EXPECT(memory.mem.used_bytes == 0);
    }
}
END_TEST

START_TEST(test_ties_decide_between_equal_dues_unsigned)
{
    struct mem_heap memory;
    struct heap heap;
    struct heap_item item;

    mem_heap_init(&memory, UINT64_MAX);
    heap_init(&heap, &memory.mem);
    EXPECT(heap_push(&heap, (struct heap_item){.due = 5, .tie = UINT64_MAX}) == ERR_OK);
    EXPECT(heap_push(&heap, (struct heap_item){.due = 5, .tie = 1}) == ERR_OK);
    EXPECT(heap_push(&heap, (struct heap_item){.due = UINT64_MAX, .tie = 0}) == ERR_OK);

    EXPECT(heap_pop(&heap, &item) && item.tie == 1);
    EXPECT(heap_pop(&heap, &item) && item.tie == UINT64_MAX);
    EXPECT(heap_pop(&heap, &item) && item.due == UINT64_MAX);
    heap_drop(&heap);
}
END_TEST

START_TEST(test_a_failed_push_changes_nothing)
{
    bool whole = false;

    for (uint64_t fail_at = 1; !whole; fail_at++) {
        struct mem_heap memory;
        struct heap heap;
        struct heap_item item;

        mem_heap_init(&memory, UINT64_MAX);
        memory.mem.fail_at = fail_at;
        heap_init(&heap, &memory.mem);
        whole = true;
        for (uint64_t i = 0; i < 500; i++) {
            item = (struct heap_item){.due = i * 77 % 500, .tie = i};
            if (heap_push(&heap, item) != ERR_OK) {
                whole = false;
                EXPECT(heap.count == i);
                EXPECT(heap_push(&heap, item) == ERR_OK);
            }
        }
        for (uint64_t i = 0; i < 500; i++) {
            EXPECT(heap_pop(&heap, &item));
            EXPECT(item.due == i);
        }
        heap_drop(&heap);
        EXPECT(memory.mem.used_bytes == 0);
    }
}
END_TEST

Suite *suite_heap(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = tcase_create("heap");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_heap_agrees_with_a_searched_array);
    tcase_add_test(tcase, test_ties_decide_between_equal_dues_unsigned);
    tcase_add_test(tcase, test_a_failed_push_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
