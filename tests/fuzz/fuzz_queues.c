/* Programs for a ring (against a window of an array) and a heap (against its own order and sums).
 */
#include "base/ensure.h"
#include "base/heap.h"
#include "base/ring.h"
#include "tests/fuzz/fuzz.h"

#define ITEMS 65536u

static uint64_t model[ITEMS];

static void ring_program(struct fuzz *fuzz)
{
    struct mem_heap memory;
    struct ring ring;
    uint32_t head = 0;
    uint32_t tail = 0;

    mem_heap_init(&memory, UINT64_MAX);
    ring_init(&ring, &memory.mem, 8 + fuzz_u8(fuzz) % 32u * 8);
    while (fuzz->left > 0 && tail < ITEMS - 300) {
        uint32_t op = fuzz_u8(fuzz);

        if (op < 128) {
            for (uint32_t n = 1 + op % 16u * (op % 16u); n > 0; n--) {
                uint64_t *item = ring_push(&ring);

                if (item != NULL) {
                    ENSURE(*item == 0);
                    *item = model[tail] = ((uint64_t)op << 32 | tail) + 1;
                    tail++;
                }
            }
        } else if (op < 200) {
            for (uint32_t n = op - 127; n > 0 && head < tail; n--, head++) {
                ENSURE(*(uint64_t *)ring_at(&ring, 0) == model[head]);
                ring_pop(&ring);
            }
        } else if (op < 240 && head < tail) {
            ENSURE(*(uint64_t *)ring_at(&ring, tail - head - 1) == model[tail - 1]);
            ring_pop_back(&ring);
            tail--;
        } else {
            memory.mem.fail_at = memory.mem.get_count + 1;
        }
        ENSURE(ring_count(&ring) == tail - head);
    }
    for (uint32_t i = 0; i < tail - head; i++) {
        ENSURE(*(uint64_t *)ring_at(&ring, i) == model[head + i]);
    }
    ring_drop(&ring);
    ENSURE(memory.mem.used_bytes == 0);
}

static bool before(const struct heap_item *a, const struct heap_item *b)
{
    return a->due < b->due || (a->due == b->due && a->tie < b->tie);
}

/* Whatever order items come out in, it is checked by: none is less than the one popped just before
 * it unless pushed since, and all that went in come out. */
static void heap_program(struct fuzz *fuzz)
{
    struct mem_heap memory;
    struct heap heap;
    struct heap_item last = {.due = 0};
    struct heap_item item;
    uint64_t tie = 0;
    uint64_t sum = 0;

    mem_heap_init(&memory, UINT64_MAX);
    heap_init(&heap, &memory.mem);
    while (fuzz->left > 0) {
        uint32_t op = fuzz_u8(fuzz);

        if (op < 160) {
            item = (struct heap_item){.due = fuzz_u16(fuzz), .tie = tie++, .payload = op};
            item.due = op % 16 == 0 ? UINT64_MAX - item.due : item.due;
            if (heap_push(&heap, item) == ERR_OK) {
                sum += item.due ^ item.payload;
                last = before(&item, &last) ? item : last;
            }
        } else if (op < 250) {
            if (heap_pop(&heap, &item)) {
                ENSURE(!before(&item, &last));
                sum -= item.due ^ item.payload;
                last = item;
            }
        } else {
            memory.mem.fail_at = memory.mem.get_count + 1;
        }
    }
    while (heap_pop(&heap, &item)) {
        ENSURE(!before(&item, &last));
        sum -= item.due ^ item.payload;
        last = item;
    }
    ENSURE(sum == 0);
    heap_drop(&heap);
    ENSURE(memory.mem.used_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {.at = data, .left = size};

    if (fuzz_u8(&fuzz) % 2 == 0) {
        ring_program(&fuzz);
    } else {
        heap_program(&fuzz);
    }
    return 0;
}
