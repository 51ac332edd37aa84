/* Gets, puts, saves, restores and resets of a region; every block keeps its contents. */
#include "base/ensure.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#define BLOCKS 64u
#define REGION 65536u

struct block {
    uint8_t *at;
    size_t size;
    uint8_t value;
};

static _Alignas(64) uint8_t base[REGION];
static uint8_t image[REGION];

static void check(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++) {
        ENSURE(block->at[i] == block->value);
    }
}

static void exchange(struct mem *mem, struct block *block, size_t size, uint8_t value)
{
    if (block->at != NULL) {
        check(block);
        mem_put(mem, block->at, block->size);
        block->at = NULL;
        return;
    }
    block->at = mem_get(mem, size);
    block->size = size;
    block->value = value;
    if (block->at != NULL) {
        ENSURE((uintptr_t)block->at % 16 == 0);
        memset(block->at, value, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {.at = data, .left = size};
    struct block blocks[BLOCKS] = {{.at = NULL}};
    struct block saved[BLOCKS] = {{.at = NULL}};
    struct mem_region *region = mem_region_init(base, 4096 + fuzz_u8(&fuzz) * 240u, 0xa5);
    struct mem *mem = mem_region_mem(region);
    size_t used = 0;

    while (fuzz.left > 0) {
        uint32_t op = fuzz_u8(&fuzz);
        uint32_t word;

        if (op < 250) {
            word = fuzz_u16(&fuzz);
            exchange(mem, &blocks[op % BLOCKS], (word >> (word % 16)) + 1, (uint8_t)op);
        } else if (op < 252) {
            used = mem_region_used(region);
            mem_region_save(region, image);
            memcpy(saved, blocks, sizeof(saved));
        } else if (op < 254 && used > 0) {
            mem_region_load(region, image, used);
            memcpy(blocks, saved, sizeof(saved));
        } else if (op == 255) {
            mem_region_reset(region, (uint8_t)op);
            memset(blocks, 0, sizeof(blocks));
        }
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != NULL) {
            exchange(mem, &blocks[i], 1, 0);
        }
    }
    ENSURE(mem->used_bytes == 0);
    return 0;
}
