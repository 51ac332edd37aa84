#include "base/mem.h"

#include <stdlib.h>

static void *mem_heap_get(struct mem *mem, size_t size)
{
    (void)mem;
    /* Below 16 bytes an allocator may align to 8 only. */
    return malloc(size < 16 ? 16 : size);
}

static void mem_heap_put(struct mem *mem, void *at, size_t size)
{
    (void)mem;
    (void)size;
    free(at);
}

void mem_heap_init(struct mem_heap *heap, uint64_t limit_bytes)
{
    *heap = (struct mem_heap){
        .mem = {.get = mem_heap_get, .put = mem_heap_put, .limit_bytes = limit_bytes},
    };
}
