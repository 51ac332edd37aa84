/* Size classes: multiples of 16 up to 1 KiB, above that four to a doubling (waste below a quarter).
 *
 *     size    1..16  17..32  ...  1009..1024   1025..1280  ..1536  ..1792  ..2048  ..2560 ...
 *     class  0      1            63           64          65      66      67      68
 *
 * A freed block goes to the list of its class and holds the link to the next one. When the bump
 * pointer meets the end, a block of a larger class is cut instead; the rest of it stays usable. */
#include "base/ensure.h"
#include "base/mem.h"

#include <string.h>

#ifdef TERRARIUM_ASAN
#include <sanitizer/asan_interface.h>
#define REGION_POISON(at, size)   ASAN_POISON_MEMORY_REGION(at, size)
#define REGION_UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define REGION_POISON(at, size)   ((void)(at), (void)(size))
#define REGION_UNPOISON(at, size) ((void)(at), (void)(size))
#endif

#define REGION_GRAIN      16u
#define REGION_SMALL_MAX  1024u
#define REGION_SMALL      64u  /* classes up to REGION_SMALL_MAX */
#define REGION_CLASSES    192u /* the last one is 4 TiB */
#define REGION_SMALL_LOG2 10u

struct region_free {
    struct region_free *next;
};

struct mem_region {
    struct mem mem; /* first */
    uint64_t size;
    uint64_t bump; /* offset from the struct: everything behind was never handed out */
    uint64_t fill; /* a byte; as wide as the others, so that an image has no undefined padding */
    struct region_free *free[REGION_CLASSES];
};

static inline uint32_t region_class(size_t size)
{
    uint32_t log2;

    if (size <= REGION_SMALL_MAX) {
        return (uint32_t)((size - 1) / REGION_GRAIN);
    }
    /* For 2^log2 < size <= 2^(log2 + 1): the two bits below the top one of size - 1 are the
     * quarter. */
    log2 = 63u - (uint32_t)__builtin_clzll((unsigned long long)size - 1);
    return REGION_SMALL + (log2 - REGION_SMALL_LOG2) * 4 +
           (uint32_t)(((size - 1) >> (log2 - 2)) & 3);
}

static inline size_t region_class_size(uint32_t kind)
{
    uint32_t log2;

    if (kind < REGION_SMALL) {
        return (size_t)(kind + 1) * REGION_GRAIN;
    }
    log2 = REGION_SMALL_LOG2 + (kind - REGION_SMALL) / 4;
    return ((size_t)1 << log2) + ((size_t)((kind - REGION_SMALL) % 4 + 1) << (log2 - 2));
}

static void region_push(struct mem_region *region, uint32_t kind, void *at)
{
    struct region_free *block = at;

    REGION_UNPOISON(block, sizeof(*block));
    block->next = region->free[kind];
    region->free[kind] = block;
    REGION_POISON(at, region_class_size(kind));
}

static void *region_pop(struct mem_region *region, uint32_t kind)
{
    struct region_free *block = region->free[kind];

    REGION_UNPOISON(block, sizeof(*block));
    region->free[kind] = block->next;
    return block;
}

/* Give [at, at + size) to the free lists, in as few blocks as the classes allow. */
static void region_scatter(struct mem_region *region, uint8_t *at, size_t size)
{
    while (size >= REGION_GRAIN) {
        uint32_t kind = region_class(size);

        if (kind > 0 && region_class_size(kind) > size) {
            kind--;
        }
        region_push(region, kind, at);
        at += region_class_size(kind);
        size -= region_class_size(kind);
    }
}

/* The bump pointer is at the end: cut a block of the next larger class that has one. */
static void *region_cut(struct mem_region *region, uint32_t kind)
{
    size_t want = region_class_size(kind);

    for (uint32_t larger = kind + 1; larger < REGION_CLASSES; larger++) {
        if (region->free[larger] != NULL) {
            uint8_t *at = region_pop(region, larger);

            region_scatter(region, at + want, region_class_size(larger) - want);
            return at;
        }
    }
    return NULL;
}

static void *region_fresh(struct mem_region *region, uint32_t kind)
{
    size_t size = region_class_size(kind);
    uint8_t *at = (uint8_t *)region + region->bump;

    if (size > region->size - region->bump) {
        return region_cut(region, kind);
    }
    region->bump += size;
    REGION_UNPOISON(at, size);
    memset(at, (int)region->fill, size);
    return at;
}

static void *region_get(struct mem *mem, size_t size)
{
    struct mem_region *region = (struct mem_region *)(void *)mem;
    uint32_t kind;
    void *at;

    if (size > region->size) {
        return NULL;
    }
    kind = region_class(size);
    ENSURE(kind < REGION_CLASSES);
    at = region->free[kind] != NULL ? region_pop(region, kind) : region_fresh(region, kind);
    if (at != NULL) {
        REGION_POISON(at, region_class_size(kind));
        REGION_UNPOISON(at, size);
    }
    return at;
}

static void region_put(struct mem *mem, void *at, size_t size)
{
    struct mem_region *region = (struct mem_region *)(void *)mem;
    size_t offset = (size_t)((uint8_t *)at - (uint8_t *)region);

    ENSURE(offset % REGION_GRAIN == 0);
    ENSURE(offset < region->bump && size <= region->bump - offset);
    region_push(region, region_class(size), at);
}

static size_t region_head(void)
{
    return (sizeof(struct mem_region) + REGION_GRAIN - 1) / REGION_GRAIN * REGION_GRAIN;
}

struct mem_region *mem_region_init(void *base, size_t size, uint8_t fill)
{
    struct mem_region *region = base;

    ENSURE((uintptr_t)base % REGION_GRAIN == 0);
    ENSURE(size >= region_head());
    ENSURE(size <= region_class_size(REGION_CLASSES - 1));
    REGION_UNPOISON(base, region_head());
    memset(base, 0, region_head());
    *region = (struct mem_region){
        .mem = {.get = region_get, .put = region_put, .limit_bytes = UINT64_MAX},
        .size = size,
        .bump = region_head(),
        .fill = fill,
    };
    REGION_POISON((uint8_t *)base + region->bump, size - region->bump);
    return region;
}

struct mem *mem_region_mem(struct mem_region *region)
{
    return &region->mem;
}

size_t mem_region_used(const struct mem_region *region)
{
    return region->bump;
}

void mem_region_reset(struct mem_region *region, uint8_t fill)
{
    uint8_t *base = (uint8_t *)region;

    REGION_UNPOISON(base, region->bump);
    memset(base + region_head(), fill, region->bump - region_head());
    memset(region->free, 0, sizeof(region->free));
    region->mem.used_bytes = 0;
    region->mem.get_count = 0;
    region->bump = region_head();
    region->fill = fill;
    REGION_POISON(base + region->bump, region->size - region->bump);
}

/* Make all of [0, used) readable for a copy. */
static void region_expose(struct mem_region *region)
{
    REGION_UNPOISON(region, region->size);
}

/* The counterpart: freed blocks and what was never handed out are out of bounds again. */
static void region_cover(struct mem_region *region)
{
#ifdef TERRARIUM_ASAN
    for (uint32_t kind = 0; kind < REGION_CLASSES; kind++) {
        struct region_free *block = region->free[kind];

        while (block != NULL) {
            struct region_free *next = block->next;

            REGION_POISON(block, region_class_size(kind));
            block = next;
        }
    }
#endif
    REGION_POISON((uint8_t *)region + region->bump, region->size - region->bump);
}

void mem_region_save(struct mem_region *region, void *image)
{
    region_expose(region);
    memcpy(image, region, region->bump);
    region_cover(region);
}

void mem_region_load(struct mem_region *region, const void *image, size_t used)
{
    region_expose(region);
    ENSURE(used >= region_head() && used <= region->size);
    memcpy(region, image, used);
    ENSURE(region->bump == used);
    region_cover(region);
}
