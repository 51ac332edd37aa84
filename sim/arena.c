#include "sim/arena.h"

#include "base/ensure.h"

#include <stdlib.h>

#define ARENA_CHUNK_BYTES 65536u
#define ARENA_LIMIT_BYTES (1ull << 30)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of the payload */
};

static uint8_t *arena_payload(struct arena_chunk *chunk)
{
    return (uint8_t *)chunk + 16;
}

static void *arena_get(struct mem *mem, size_t size)
{
    struct arena *arena = (struct arena *)(void *)mem;
    size_t rounded = (size + 15) & ~(size_t)15;
    void *at;

    if (rounded < size || size > mem->limit_bytes || mem->used_bytes > mem->limit_bytes - size) {
        return NULL;
    }
    if (arena->chunks == NULL || arena->chunks->size - arena->chunk_used < rounded) {
        size_t payload = rounded > ARENA_CHUNK_BYTES ? rounded : ARENA_CHUNK_BYTES;
        struct arena_chunk *chunk = aligned_alloc(16, 16 + payload);

        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = arena->chunks;
        chunk->size = payload;
        arena->chunks = chunk;
        arena->chunk_used = 0;
    }
    at = arena_payload(arena->chunks) + arena->chunk_used;
    arena->chunk_used += rounded;
    mem->used_bytes += size;
    return at;
}

static void arena_put(struct mem *mem, void *at, size_t size)
{
    (void)at;
    ENSURE(mem->used_bytes >= size);
    mem->used_bytes -= size;
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){
        .mem = {.get = arena_get, .put = arena_put, .limit_bytes = ARENA_LIMIT_BYTES},
    };
}

void arena_clear(struct arena *arena)
{
    struct arena_chunk *keep = NULL;
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        if (keep == NULL || chunk->size > keep->size) {
            free(keep);
            keep = chunk;
        } else {
            free(chunk);
        }
        chunk = next;
    }
    if (keep != NULL) {
        keep->next = NULL;
    }
    arena->chunks = keep;
    arena->chunk_used = 0;
    arena->mem.used_bytes = 0;
}

void arena_drop(struct arena *arena)
{
    arena_clear(arena);
    free(arena->chunks);
    arena->chunks = NULL;
}

struct span arena_copy(struct arena *arena, struct span span)
{
    uint8_t *at = mem_get(&arena->mem, span.len + 1);

    if (at == NULL) {
        return (struct span){0};
    }
    if (span.len > 0) {
        memcpy(at, span.at, span.len);
    }
    at[span.len] = 0;
    return span_make(at, span.len);
}
