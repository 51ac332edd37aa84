/* mem.h - where memory comes from, as a handle that every allocation names.
 *
 * Frees name the size, so that allocators need no headers. A region (mem_region.c) hands out slabs
 * inside one fixed piece of address space that the world can copy and restore; a heap (mem_heap.c)
 * is malloc or jemalloc for the live server, and for the simulator under sanitizers. Both honour a
 * limit: past it mem_get returns NULL. Limits count bytes that were asked for, never what an
 * allocator says, so that a step does not depend on the allocator. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

struct mem {
    void *(*get)(struct mem *mem, size_t size);
    void (*put)(struct mem *mem, void *at, size_t size);
    uint64_t used_bytes;  /* asked for and not yet given back */
    uint64_t limit_bytes; /* get fails above it; UINT64_MAX for none */
    uint64_t fail_at;     /* tests: the get with this number (from 1) fails; 0 never */
    uint64_t get_count;   /* how many gets there were */
};

/* `size` bytes (> 0) aligned to 16, contents undefined; NULL past the limit. */
void *mem_get(struct mem *mem, size_t size);

/* The same, filled with zeros. */
void *mem_get_zero(struct mem *mem, size_t size);

/* Give back what mem_get(mem, size) returned; `at` NULL is allowed. */
void mem_put(struct mem *mem, void *at, size_t size);

/* A block of size_new with the first min(old, new) bytes kept; at NULL = mem_get.
 * On failure returns NULL and the old block stays valid. */
void *mem_grow(struct mem *mem, void *at, size_t size_old, size_t size_new);

/* -- malloc (or jemalloc, by link order) -- */
struct mem_heap {
    struct mem mem; /* first */
};
void mem_heap_init(struct mem_heap *heap, uint64_t limit_bytes);

/* -- slabs inside a fixed region: size classes with free lists, a bump pointer behind them --
 * All bookkeeping lies inside [base, base+size), the struct included: copying the used prefix
 * (mem_region_used) and copying it back restores everything, raw pointers stay valid.
 * mem_region_init places a struct mem_region at the start of `base` (16-aligned). */
struct mem_region;
struct mem_region *mem_region_init(void *base, size_t size, uint8_t fill);
struct mem *mem_region_mem(struct mem_region *region);
/* Bytes from base on that were ever handed out. */
size_t mem_region_used(const struct mem_region *region);
/* Forget every allocation and refill what was used with `fill`: a crash of the process in it. */
void mem_region_reset(struct mem_region *region, uint8_t fill);
/* Copy the used prefix to `image` (room for mem_region_used bytes), and back; `used` is what it was
 * at the save. The same as memcpy, except that under AddressSanitizer the poisoned blocks are
 * allowed for. */
void mem_region_save(struct mem_region *region, void *image);
void mem_region_load(struct mem_region *region, const void *image, size_t used);

#endif
