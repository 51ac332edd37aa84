#include "base/mem.h"
#include "base/rand.h"
#include "tests/expect.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define REGION_SIZE (1u << 20)

static struct mem_region *region_make(size_t size, uint8_t fill)
{
    return mem_region_init(aligned_alloc(64, size), size, fill);
}

/* The body of a block is one byte value, so that an overlap shows. */
struct block {
    uint8_t *at;
    size_t size;
    uint8_t value;
};

static void block_check(const struct block *block)
{
    size_t same = 0;

    while (same < block->size && block->at[same] == block->value) {
        same++;
    }
    EXPECT(same == block->size);
}

/* Random gets and puts; every block keeps its contents, alignment and distance. */
static void churn(struct mem *mem, uint64_t seed, size_t size_max, uint32_t rounds)
{
    enum {
        BLOCKS = 200
    };
    struct block blocks[BLOCKS] = {{.at = NULL}};
    uint64_t used = mem->used_bytes;
    struct rand rand;

    rand_init(&rand, seed);
    for (uint32_t round = 0; round < rounds; round++) {
        struct block *block = &blocks[rand_below(&rand, BLOCKS)];

        if (block->at != NULL) {
            block_check(block);
            mem_put(mem, block->at, block->size);
            used -= block->size;
            block->at = NULL;
        } else {
            block->size = 1 + (size_t)rand_below(&rand, 1 + rand_below(&rand, size_max));
            block->value = (uint8_t)rand_next(&rand);
            block->at = mem_get(mem, block->size);
            if (block->at != NULL) {
                EXPECT((uintptr_t)block->at % 16 == 0);
                memset(block->at, block->value, block->size);
                used += block->size;
            }
        }
        EXPECT(mem->used_bytes == used);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != NULL) {
            block_check(&blocks[i]);
            mem_put(mem, blocks[i].at, blocks[i].size);
        }
    }
}

START_TEST(test_blocks_do_not_overlap)
{
    struct mem_region *region = region_make(REGION_SIZE, 0xa5);
    struct mem_heap heap;

    mem_heap_init(&heap, UINT64_MAX);
    churn(&heap.mem, 1, 5000, 20000);
    churn(mem_region_mem(region), 2, 100, 20000);
    churn(mem_region_mem(region), 3, 2000, 20000);
    churn(mem_region_mem(region), 4, 20000, 20000);

    EXPECT(heap.mem.used_bytes == 0);
    EXPECT(mem_region_mem(region)->used_bytes == 0);
    free(region);
}
END_TEST

START_TEST(test_a_limit_counts_what_was_asked_for)
{
    struct mem_heap heap;
    void *a;
    void *b;

    mem_heap_init(&heap, 100);
    a = mem_get(&heap.mem, 99);
    b = mem_get(&heap.mem, 1);

    EXPECT(a != NULL);
    EXPECT(b != NULL);
    EXPECT(mem_get(&heap.mem, 1) == NULL);
    mem_put(&heap.mem, b, 1);
    EXPECT(mem_get(&heap.mem, 2) == NULL);
    b = mem_get(&heap.mem, 1);
    EXPECT(b != NULL);
    mem_put(&heap.mem, a, 99);
    mem_put(&heap.mem, b, 1);
    mem_put(&heap.mem, NULL, 12);
    EXPECT(heap.mem.used_bytes == 0);
}
END_TEST

START_TEST(test_the_chosen_get_fails)
{
    struct mem_heap heap;
    void *a;
    void *c;

    mem_heap_init(&heap, UINT64_MAX);
    heap.mem.fail_at = 2;
    a = mem_get(&heap.mem, 8);
    EXPECT(a != NULL);
    EXPECT(mem_get(&heap.mem, 8) == NULL);
    c = mem_get(&heap.mem, 8);
    EXPECT(c != NULL);

    EXPECT(heap.mem.get_count == 3);
    EXPECT(heap.mem.used_bytes == 16);
    mem_put(&heap.mem, a, 8);
    mem_put(&heap.mem, c, 8);
}
END_TEST

START_TEST(test_growing_keeps_the_contents)
{
    struct mem_heap heap;
    uint8_t *at;

    mem_heap_init(&heap, 300);
    at = mem_grow(&heap.mem, NULL, 0, 10);
    memset(at, 7, 10);
    at = mem_grow(&heap.mem, at, 10, 200);
    EXPECT(at[0] == 7);
    EXPECT(at[9] == 7);
    EXPECT(heap.mem.used_bytes == 200);
    /* The old block counts until it is copied. */
    EXPECT(mem_grow(&heap.mem, at, 200, 201) == NULL);
    EXPECT(at[9] == 7);
    at = mem_grow(&heap.mem, at, 200, 5);
    EXPECT(at[4] == 7);

    EXPECT(heap.mem.used_bytes == 5);
    mem_put(&heap.mem, at, 5);
}
END_TEST

START_TEST(test_fresh_memory_has_the_fill_byte)
{
    struct mem_region *region = region_make(REGION_SIZE, 0x5c);
    uint8_t *at;
    uint8_t *zero;

    at = mem_get(mem_region_mem(region), 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(at[i] == 0x5c);
    }
    zero = mem_get_zero(mem_region_mem(region), 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(zero[i] == 0);
    }
    free(region);
}
END_TEST

START_TEST(test_a_freed_block_serves_the_next_get_of_its_class)
{
    struct mem_region *region = region_make(REGION_SIZE, 0);
    struct mem *mem = mem_region_mem(region);
    static const size_t sizes[] = {1, 16, 17, 1024, 1025, 1280, 1281, 2048, 2049, 65536, 100000};
    size_t used;

    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *at = mem_get(mem, sizes[i]);

        mem_put(mem, at, sizes[i]);
        used = mem_region_used(region);
        EXPECT(mem_get(mem, sizes[i]) == at);
        EXPECT(mem_region_used(region) == used);
    }
    free(region);
}
END_TEST

START_TEST(test_a_full_region_cuts_larger_blocks)
{
    struct mem_region *region = region_make(REGION_SIZE, 0);
    struct mem *mem = mem_region_mem(region);
    void *large = mem_get(mem, 512 * 1024);
    uint32_t small = 0;

    EXPECT(large != NULL);
    while (mem_get(mem, 4096) != NULL) {
        small++;
    }
    EXPECT(mem_get(mem, 4096) == NULL);
    EXPECT(mem_get(mem, REGION_SIZE * 2) == NULL);
    EXPECT(mem_get(mem, SIZE_MAX) == NULL);
    mem_put(mem, large, 512 * 1024);
    for (uint32_t i = 0; i < 512 / 4; i++) {
        EXPECT(mem_get(mem, 4096) != NULL);
    }

    EXPECT(small > 100);
    EXPECT(mem_get(mem, 4096) == NULL);
    free(region);
}
END_TEST

START_TEST(test_a_small_region_never_hands_out_more_than_it_has)
{
    for (size_t size = 4096; size < 8192; size += 48) {
        struct mem_region *region = region_make((size + 63) / 64 * 64, 1);

        churn(mem_region_mem(region), size, 300, 3000);
        EXPECT(mem_region_used(region) <= (size + 63) / 64 * 64);
        free(region);
    }
}
END_TEST

/* What a world does: save, go on, restore, go on again; both futures are the same, addresses
 * included. */
static void futures(struct mem_region *region, void *images[2], size_t used[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        churn(mem_region_mem(region), 77, 3000, 5000);
        used[i] = mem_region_used(region);
        images[i] = malloc(used[i]);
        mem_region_save(region, images[i]);
        if (i == 0) {
            mem_region_load(region, images[i], used[i]);
        }
    }
}

START_TEST(test_a_restored_region_goes_on_as_before)
{
    struct mem_region *region = region_make(REGION_SIZE, 0xa5);
    void *first[2];
    void *second[2];
    size_t first_used[2];
    size_t second_used[2];
    void *start;
    size_t start_used;

    churn(mem_region_mem(region), 5, 1000, 1000);
    start_used = mem_region_used(region);
    start = malloc(start_used);
    mem_region_save(region, start);
    futures(region, first, first_used);
    mem_region_load(region, start, start_used);
    futures(region, second, second_used);

    for (uint32_t i = 0; i < 2; i++) {
        EXPECT(first_used[i] == second_used[i]);
        ck_assert_mem_eq(first[i], second[i], first_used[i]);
        free(first[i]);
        free(second[i]);
    }
    EXPECT(first_used[0] > start_used);
    free(start);
    free(region);
}
END_TEST

START_TEST(test_a_reset_region_is_as_new)
{
    struct mem_region *region = region_make(REGION_SIZE, 1);
    struct mem *mem = mem_region_mem(region);
    size_t used = mem_region_used(region);
    uint8_t *first = mem_get(mem, 100);
    uint8_t *again;

    memset(first, 9, 100);
    mem->limit_bytes = 1000;
    churn(mem, 8, 100, 1000);
    mem_region_reset(region, 2);
    again = mem_get(mem, 100);

    EXPECT(first == again);
    EXPECT(again[0] == 2);
    EXPECT(mem->used_bytes == 100);
    EXPECT(mem->get_count == 1);
    EXPECT(mem->limit_bytes == 1000);
    EXPECT(mem_region_used(region) > used);
    free(region);
}
END_TEST

START_TEST(test_putting_what_is_not_of_the_region_is_caught)
{
    struct mem_region *region = region_make(REGION_SIZE, 1);
    struct mem *mem = mem_region_mem(region);

    EXPECT(mem_get(mem, 64) != NULL);
    mem_put(mem, (uint8_t *)region + REGION_SIZE, 64);
}
END_TEST

#ifdef TERRARIUM_ASAN
#include <sanitizer/asan_interface.h>

START_TEST(test_sanitizers_see_freed_memory_and_slack)
{
    struct mem_region *region = region_make(REGION_SIZE, 1);
    struct mem *mem = mem_region_mem(region);
    uint8_t *a = mem_get(mem, 100);
    uint8_t *b = mem_get(mem, 100);
    void *image;

    EXPECT(__asan_address_is_poisoned(a + 99) == 0);
    EXPECT(__asan_address_is_poisoned(a + 100) != 0);
    mem_put(mem, a, 100);
    EXPECT(__asan_address_is_poisoned(a) != 0);
    EXPECT(__asan_address_is_poisoned(a + 99) != 0);
    EXPECT(__asan_address_is_poisoned(b) == 0);
    image = malloc(mem_region_used(region));
    mem_region_save(region, image);
    EXPECT(__asan_address_is_poisoned(a + 50) != 0);
    EXPECT(__asan_address_is_poisoned(b) == 0);
    mem_region_load(region, image, mem_region_used(region));
    EXPECT(__asan_address_is_poisoned(a + 50) != 0);
    EXPECT(__asan_address_is_poisoned(b) == 0);
    EXPECT(__asan_address_is_poisoned((uint8_t *)region + mem_region_used(region)) != 0);
    free(image);
    free(region);
}
END_TEST
#endif

Suite *suite_mem(void)
{
    Suite *suite = suite_create("mem");
    TCase *tcase = tcase_create("mem");

    tcase_add_test(tcase, test_blocks_do_not_overlap);
    tcase_add_test(tcase, test_a_limit_counts_what_was_asked_for);
    tcase_add_test(tcase, test_the_chosen_get_fails);
    tcase_add_test(tcase, test_growing_keeps_the_contents);
    tcase_add_test(tcase, test_fresh_memory_has_the_fill_byte);
    tcase_add_test(tcase, test_a_freed_block_serves_the_next_get_of_its_class);
    tcase_add_test(tcase, test_a_full_region_cuts_larger_blocks);
    tcase_add_test(tcase, test_a_small_region_never_hands_out_more_than_it_has);
    tcase_add_test(tcase, test_a_restored_region_goes_on_as_before);
    tcase_add_test(tcase, test_a_reset_region_is_as_new);
    tcase_add_test_raise_signal(tcase, test_putting_what_is_not_of_the_region_is_caught, SIGABRT);
#ifdef TERRARIUM_ASAN
    tcase_add_test(tcase, test_sanitizers_see_freed_memory_and_slack);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
