/* Micro benchmarks of base: nanoseconds for one operation, the least of several rounds. A name as
 * argument runs only those that start with it. */
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/sorted.h"
#include "base/step.h"
#include "base/sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7

static struct mem_heap heap_mem;
static struct mem *bench_mem;  /* a region, as in a world */
static volatile uint64_t sink; /* keeps results alive */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void bench_get_put(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        void *at = mem_get(bench_mem, 64 + i % 64);

        mem_put(bench_mem, at, 64 + i % 64);
    }
}

/* A working set: blocks of many sizes come and go in a scattered order. */
static void bench_get_put_mixed(uint32_t count)
{
    static void *blocks[1024];
    static size_t sizes[1024];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i * 421 % 1024;

        mem_put(bench_mem, blocks[at], sizes[at]);
        sizes[at] = 16 + i * 77 % 600;
        blocks[at] = mem_get(bench_mem, sizes[at]);
    }
    for (uint32_t i = 0; i < 1024; i++) {
        mem_put(bench_mem, blocks[i], sizes[i]);
        blocks[i] = NULL;
    }
}

static void bench_heap_get_put(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        void *at = mem_get(&heap_mem.mem, 64 + i % 64);

        mem_put(&heap_mem.mem, at, 64 + i % 64);
    }
}

/* The header of a request: 30 bytes in six fields, and a path. */
static void bench_write(uint32_t count)
{
    struct bytes bytes;

    bytes_init(&bytes, bench_mem);
    for (uint32_t i = 0; i < count; i++) {
        bytes_clear(&bytes);
        bytes_i32(&bytes, 0);
        bytes_i32(&bytes, (int32_t)i);
        bytes_i32(&bytes, 5);
        bytes_i64(&bytes, i);
        bytes_bool(&bytes, true);
        bytes_ustring(&bytes, span_make("/some/path", 10));
        bytes_patch_u32(&bytes, 0, (uint32_t)bytes.len - 4);
        sink += bytes.at[7];
    }
    bytes_drop(&bytes);
}

static void bench_read(uint32_t count)
{
    struct bytes bytes;

    bytes_init(&bytes, bench_mem);
    bytes_i32(&bytes, 7);
    bytes_i32(&bytes, 5);
    bytes_i64(&bytes, 99);
    bytes_bool(&bytes, true);
    bytes_ustring(&bytes, span_make("/some/path", 10));
    for (uint32_t i = 0; i < count; i++) {
        struct reader reader;

        reader_init(&reader, bytes_span(&bytes), READER_MAX_DEFAULT);
        sink += (uint64_t)reader_i32(&reader);
        sink += (uint64_t)reader_i32(&reader);
        sink += (uint64_t)reader_i64(&reader);
        sink += reader_bool(&reader);
        sink += reader_ustring(&reader, NULL).len;
        ENSURE(reader_finish(&reader) == ERR_OK);
    }
    bytes_drop(&bytes);
}

static void map_bench_find(uint32_t count, uint64_t entries)
{
    struct map map;

    map_init(&map, bench_mem, 1);
    for (uint64_t i = 0; i < entries; i++) {
        ENSURE(map_put(&map, i, &map) == ERR_OK);
    }
    for (uint32_t i = 0; i < count; i++) {
        sink += map_find(&map, (uint64_t)i * 7919u % entries) != NULL;
    }
    map_drop(&map);
}

static void bench_map_find(uint32_t count)
{
    map_bench_find(count, 1000);
}

static void bench_map_put_take(uint32_t count)
{
    struct map map;

    map_init(&map, bench_mem, 1);
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(map_put(&map, i, &map) == ERR_OK);
        if (i >= 100) {
            ENSURE(map_take(&map, i - 100) != NULL);
        }
    }
    map_drop(&map);
}

static void sorted_fill(struct sorted *sorted, uint64_t entries)
{
    sorted_init(sorted, bench_mem);
    for (uint64_t i = 0; i < entries; i++) {
        ENSURE(sorted_put(sorted, hash_u64(i, 0) % entries * 10, sorted) == ERR_OK);
    }
}

static void bench_sorted_find_20(uint32_t count)
{
    struct sorted sorted;

    sorted_fill(&sorted, 20);
    for (uint32_t i = 0; i < count; i++) {
        sink += sorted_find(&sorted, (uint64_t)(i * 7919u % 20) * 10) != NULL;
    }
    sorted_drop(&sorted);
}

static void bench_sorted_find_1000(uint32_t count)
{
    struct sorted sorted;

    sorted_fill(&sorted, 1000);
    for (uint32_t i = 0; i < count; i++) {
        sink += sorted_find(&sorted, (uint64_t)(i * 7919u % 1000) * 10) != NULL;
    }
    sorted_drop(&sorted);
}

static void bench_sorted_walk_1000(uint32_t count)
{
    struct sorted sorted;
    uint64_t key = 0;

    sorted_fill(&sorted, 1000);
    for (uint32_t i = 0; i < count; i++) {
        void *value;

        if (!sorted_seek(&sorted, key, &key, &value)) {
            key = 0;
        }
        sink += key++;
    }
    sorted_drop(&sorted);
}

static void bench_sorted_window_100(uint32_t count)
{
    struct sorted sorted;

    sorted_init(&sorted, bench_mem);
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(sorted_put(&sorted, i, &sorted) == ERR_OK);
        if (i >= 100) {
            ENSURE(sorted_take(&sorted, i - 100) != NULL);
        }
    }
    sorted_drop(&sorted);
}

static void bench_sorted_random_10000(uint32_t count)
{
    struct sorted sorted;
    struct rand rand;

    rand_init(&rand, 1);
    sorted_init(&sorted, bench_mem);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t draw = rand_next(&rand);

        if (draw >> 63 == 0) {
            ENSURE(sorted_put(&sorted, draw % 20000, &sorted) == ERR_OK);
        } else {
            sink += sorted_take(&sorted, draw % 20000) != NULL;
        }
    }
    sorted_drop(&sorted);
}

static void bench_ring(uint32_t count)
{
    struct ring ring;

    ring_init(&ring, bench_mem, 32);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *item = ring_push(&ring);

        *item = i;
        if (i >= 10) {
            sink += *(uint64_t *)ring_at(&ring, 0);
            ring_pop(&ring);
        }
    }
    ring_drop(&ring);
}

/* The event queue of a world: `held` events wait; each popped one schedules another. */
static void heap_hold(uint32_t count, uint32_t held)
{
    struct heap heap;
    struct heap_item item = {.due = 0};
    uint64_t tie = 0;

    heap_init(&heap, bench_mem);
    for (uint32_t i = 0; i < held; i++) {
        item.due = hash_u64(i, 1) % 100000;
        item.tie = tie++;
        ENSURE(heap_push(&heap, item) == ERR_OK);
    }
    for (uint32_t i = 0; i < count; i++) {
        ENSURE(heap_pop(&heap, &item));
        item.due += hash_u64(i, 2) % 100000;
        item.tie = tie++;
        ENSURE(heap_push(&heap, item) == ERR_OK);
    }
    sink += item.due;
    heap_drop(&heap);
}

static void bench_heap_30(uint32_t count)
{
    heap_hold(count, 30);
}

static void bench_heap_1000(uint32_t count)
{
    heap_hold(count, 1000);
}

static void bench_heap_100000(uint32_t count)
{
    heap_hold(count, 100000);
}

static void bench_rand_keyed(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sink = rand_keyed(sink, 2, i, 4);
    }
}

static void bench_rand_below(uint32_t count)
{
    struct rand rand;

    rand_init(&rand, 1);
    for (uint32_t i = 0; i < count; i++) {
        sink += rand_below(&rand, 1000);
    }
}

static uint8_t data[1024];

static void bench_hash_32(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sink = hash_bytes(span_make(data, 32), sink);
    }
}

static void bench_hash_1024(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sink = hash_bytes(span_make(data, 1024), sink);
    }
}

static void bench_adler_1024(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sink = sums_adler32((uint32_t)sink | 1, span_make(data, 1024));
    }
}

static void bench_sha1_32(uint32_t count)
{
    uint8_t out[20] = {0};

    for (uint32_t i = 0; i < count; i++) {
        sums_sha1(span_make(data, 32), out);
        sink += out[0];
    }
}

/* Steps of four sends each; the figure is for one send. */
static void send_steps(uint32_t count, size_t len, bool encode)
{
    static struct fx fx;

    fx_init(&fx, &heap_mem.mem);
    for (uint32_t i = 0; i < count; i++) {
        if (i % 4 == 0) {
            fx_clear(&fx);
        }
        if (encode) {
            struct bytes *out = fx_out(&fx);

            bytes_raw(out, data, len);
            fx_send(&fx, i, bytes_span(out));
        } else {
            fx_send(&fx, i, span_make(data, len));
        }
    }
    sink += fx.count;
    fx_drop(&fx);
}

static void bench_fx_send_100(uint32_t count)
{
    send_steps(count, 100, false);
}

static void bench_fx_out_send_100(uint32_t count)
{
    send_steps(count, 100, true);
}

static void bench_fx_send_1024(uint32_t count)
{
    send_steps(count, 1024, false);
}

static const struct {
    const char *name;
    void (*run)(uint32_t count);
} benches[] = {
    {"mem_region_get_put", bench_get_put},
    {"mem_region_get_put_mixed", bench_get_put_mixed},
    {"mem_heap_get_put", bench_heap_get_put},
    {"bytes_write_header", bench_write},
    {"reader_read_header", bench_read},
    {"map_find_1000", bench_map_find},
    {"map_put_take_window", bench_map_put_take},
    {"sorted_find_20", bench_sorted_find_20},
    {"sorted_find_1000", bench_sorted_find_1000},
    {"sorted_walk_1000", bench_sorted_walk_1000},
    {"sorted_put_take_window_100", bench_sorted_window_100},
    {"sorted_put_or_take_10000", bench_sorted_random_10000},
    {"ring_push_pop", bench_ring},
    {"heap_pop_push_30", bench_heap_30},
    {"heap_pop_push_1000", bench_heap_1000},
    {"heap_pop_push_100000", bench_heap_100000},
    {"rand_keyed", bench_rand_keyed},
    {"rand_below", bench_rand_below},
    {"hash_bytes_32", bench_hash_32},
    {"hash_bytes_1024", bench_hash_1024},
    {"sums_adler32_1024", bench_adler_1024},
    {"sums_sha1_32", bench_sha1_32},
    {"fx_send_100", bench_fx_send_100},
    {"fx_out_and_send_100", bench_fx_out_send_100},
    {"fx_send_1024", bench_fx_send_1024},
};

int main(int argc, char **argv)
{
    const uint32_t count = 300000;
    const size_t region_size = (size_t)64 << 20;
    void *base = aligned_alloc(4096, region_size);

    ENSURE(base != NULL);
    mem_heap_init(&heap_mem, UINT64_MAX);
    bench_mem = mem_region_mem(mem_region_init(base, region_size, 0xa5));
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
        uint64_t best = UINT64_MAX;

        if (argc > 1 && strncmp(benches[i].name, argv[1], strlen(argv[1])) != 0) {
            continue;
        }
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t start = now_ns();
            uint64_t spent;

            benches[i].run(count);
            spent = now_ns() - start;
            best = spent < best ? spent : best;
        }
        printf("%-28s %6.1f ns\n", benches[i].name, (double)best / count);
    }
    free(base);
    return 0;
}
