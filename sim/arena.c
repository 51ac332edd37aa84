#include "sim/arena.h"

#include "base/ensure.h"

#include <string.h>
#include <sys/mman.h>

#ifdef TERRARIUM_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define ARENA_UNPOISON(at, size) ((void)(at), (void)(size))
#endif

#define ARENA_BYTES (64ull << 30)
#ifdef TERRARIUM_ASAN
/* Every byte costs an eighth of a byte of shadow memory at each opening. */
#define ARENA_WORLD_BYTES (256ull << 20)
#else
#define ARENA_WORLD_BYTES (8ull << 30)
#endif
#define ARENA_BYTES_LEAST (1ull << 28)
#define ARENA_COUNT       8u
#define ARENA_PAGE        4096ull
#define ARENA_KEEP_BYTES \
    (64ull << 20) /* resident memory of one region that a closed world may keep */

/* Free for applications under AddressSanitizer and MemorySanitizer as well. */
static const uint64_t arena_bases[2] = {0x510000000000u, 0x530000010000u};

/* Block sizes whose order of addresses is disturbed elsewhere, in steps of 16 bytes. */
#define ARENA_SWAP_MAX   1024u
#define ARENA_SWAP_WORDS (ARENA_SWAP_MAX / 16 / 64)

/* In front of the region of a process. */
struct arena_room {
    void *(*get)(struct mem *mem, size_t size);
    arena_exhausted *exhausted;
    void *context;
    uint64_t limit_bytes;
    uint64_t swaps; /* elsewhere: blocks come in another order */
    uint64_t
        swapped[ARENA_SWAP_WORDS]; /* by size: the next block is the one that was passed over */
    uint64_t unused[2];
};
_Static_assert(sizeof(struct arena_room) % 16 == 0, "the region behind it is aligned");

struct arena {
    uint8_t *base;
    uint64_t bytes, world_bytes, stride, process_bytes;
    bool used;
    bool elsewhere;
};

/* Mappings outlive worlds: the one mutable global of sim/. */
static struct {
    struct arena arenas[2][ARENA_COUNT];
} arena_pool;

static uint8_t *arena_map(uint64_t base, uint64_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *want = (void *)(uintptr_t)base;
    void *at = mmap(want, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);

    if (at == MAP_FAILED) {
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    if (at == MAP_FAILED) {
        return NULL;
    }
#ifndef TERRARIUM_ASAN
    (void)madvise(at, bytes,
                  MADV_HUGEPAGE); /* a world that grows spends its time in page faults else */
#endif
    return at;
}

struct arena *arena_open(bool elsewhere, uint64_t process_bytes, uint8_t fill)
{
    struct arena *arena = NULL;

    for (uint32_t i = 0; i < ARENA_COUNT && arena == NULL; i++) {
        if (!arena_pool.arenas[elsewhere][i].used) {
            arena = &arena_pool.arenas[elsewhere][i];
            arena->bytes = arena->base == NULL ? ARENA_BYTES : arena->bytes;
            while (arena->base == NULL && arena->bytes >= ARENA_BYTES_LEAST) {
                arena->base = arena_map(arena_bases[elsewhere] + i * ARENA_BYTES, arena->bytes);
                arena->bytes /= arena->base == NULL ? 2 : 1;
            }
        }
    }
    if (arena == NULL || arena->base == NULL) {
        return NULL;
    }
    arena->used = true;
    arena->elsewhere = elsewhere;
    arena->world_bytes = arena->bytes < ARENA_BYTES ? arena->bytes / 8 : ARENA_WORLD_BYTES;
    arena->process_bytes = process_bytes;
    /* Half as much again for what rounding to size classes wastes. */
    arena->stride = (process_bytes + process_bytes / 2 + 16 * ARENA_PAGE) / ARENA_PAGE * ARENA_PAGE;
    (void)mem_region_init(arena->base, arena->world_bytes, fill);
    return arena;
}

static struct mem_region *arena_world(const struct arena *arena)
{
    return (struct mem_region *)(void *)arena->base;
}

static struct arena_room *arena_room_at(const struct arena *arena, uint32_t index)
{
    return (struct arena_room *)(void *)(arena->base + arena->world_bytes + index * arena->stride);
}

static struct mem_region *arena_region(const struct arena *arena, uint32_t index)
{
    return (struct mem_region *)(void *)(arena_room_at(arena, index) + 1);
}

static void arena_trim(struct mem_region *region)
{
    size_t used = mem_region_used(region) + sizeof(struct arena_room);

    if (used > ARENA_KEEP_BYTES) {
        uint8_t *from = (uint8_t *)region + ARENA_KEEP_BYTES;

        from -= (uintptr_t)from % ARENA_PAGE;
        (void)madvise(from, used - ARENA_KEEP_BYTES + ARENA_PAGE, MADV_DONTNEED);
    }
}

void arena_close(struct arena *arena, uint32_t process_count)
{
    ENSURE(arena->used);
    for (uint32_t i = 0; i < process_count; i++) {
        arena_trim(arena_region(arena, i));
    }
    arena_trim(arena_world(arena));
    arena->used = false;
}

struct mem *arena_world_mem(struct arena *arena)
{
    return mem_region_mem(arena_world(arena));
}

/* Of every two blocks of one size the second comes first, so that whoever orders by pointers finds
 * another order than at home. */
static void *arena_get_swapped(struct arena_room *room, struct mem *mem, size_t size)
{
    size_t kind = (size - 1) / 16;
    uint64_t bit = 1ull << (kind % 64);
    void *first = room->get(mem, size);
    void *second;

    if (size > ARENA_SWAP_MAX || first == NULL) {
        return first;
    }
    room->swapped[kind / 64] ^= bit;
    if ((room->swapped[kind / 64] & bit) == 0) {
        return first;
    }
    second = room->get(mem, size);
    if (second == NULL) {
        return first;
    }
    mem->put(mem, first, size);
    return second;
}

/* Stands in for the get of the region, so that running out is noticed wherever it happens. */
static void *arena_get(struct mem *mem, size_t size)
{
    struct arena_room *room = (struct arena_room *)(void *)mem - 1;
    void *at = NULL;

    if (size <= room->limit_bytes && mem->used_bytes <= room->limit_bytes - size) {
        at = room->swaps != 0 ? arena_get_swapped(room, mem, size) : room->get(mem, size);
    }
    if (at == NULL) {
        room->exhausted(room->context);
    }
    return at;
}

struct mem *arena_add(struct arena *arena, uint32_t index, uint8_t fill, arena_exhausted *exhausted,
                      void *context)
{
    struct arena_room *room = arena_room_at(arena, index);
    struct mem *mem;

    if (arena->stride > arena->bytes - arena->world_bytes ||
        index >= (arena->bytes - arena->world_bytes) / arena->stride) {
        return NULL;
    }
    ARENA_UNPOISON(room,
                   sizeof(*room)); /* an earlier world may have laid out its rooms otherwise */
    mem = mem_region_mem(mem_region_init(room + 1, arena->stride - sizeof(*room), fill));
    *room = (struct arena_room){
        .get = mem->get,
        .exhausted = exhausted,
        .context = context,
        .limit_bytes = arena->process_bytes,
        .swaps = arena->elsewhere,
    };
    mem->get = arena_get;
    return mem;
}

void arena_reset(struct arena *arena, uint32_t index, uint8_t fill)
{
    mem_region_reset(arena_region(arena, index), fill);
}

/* An image is, for the world and then for each process: its size, its used part. */
size_t arena_image_bytes(const struct arena *arena, uint32_t process_count)
{
    size_t bytes = sizeof(uint64_t) + mem_region_used(arena_world(arena));

    for (uint32_t i = 0; i < process_count; i++) {
        bytes += sizeof(uint64_t) + mem_region_used(arena_region(arena, i));
    }
    return bytes;
}

static uint8_t *arena_save_region(struct mem_region *region, uint8_t *image)
{
    uint64_t used = mem_region_used(region);

    memcpy(image, &used, sizeof(used));
    mem_region_save(region, image + sizeof(used));
    return image + sizeof(used) + used;
}

void arena_save(struct arena *arena, uint32_t process_count, uint8_t *image)
{
    image = arena_save_region(arena_world(arena), image);
    for (uint32_t i = 0; i < process_count; i++) {
        image = arena_save_region(arena_region(arena, i), image);
    }
}

static const uint8_t *arena_load_region(struct mem_region *region, const uint8_t *image)
{
    uint64_t used;

    memcpy(&used, image, sizeof(used));
    mem_region_load(region, image + sizeof(used), used);
    return image + sizeof(used) + used;
}

void arena_load(struct arena *arena, uint32_t process_count, const uint8_t *image)
{
    image = arena_load_region(arena_world(arena), image);
    for (uint32_t i = 0; i < process_count; i++) {
        image = arena_load_region(arena_region(arena, i), image);
    }
}
