#include "sim/pile.h"

#include "base/ensure.h"

#include <stdlib.h>

#define PILE_CHUNK_BYTES 65536u
#define PILE_LIMIT_BYTES (1ull << 30)

struct pile_chunk {
    struct pile_chunk *next;
    size_t size; /* of the payload */
};

static uint8_t *pile_payload(struct pile_chunk *chunk)
{
    return (uint8_t *)chunk + 16;
}

static void *pile_get(struct mem *mem, size_t size)
{
    struct pile *pile = (struct pile *)(void *)mem;
    size_t rounded = (size + 15) & ~(size_t)15;
    void *at;

    if (rounded < size || size > mem->limit_bytes || mem->used_bytes > mem->limit_bytes - size) {
        return NULL;
    }
    if (pile->chunks == NULL || pile->chunks->size - pile->chunk_used < rounded) {
        size_t payload = rounded > PILE_CHUNK_BYTES ? rounded : PILE_CHUNK_BYTES;
        struct pile_chunk *chunk = aligned_alloc(16, 16 + payload);

        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = pile->chunks;
        chunk->size = payload;
        pile->chunks = chunk;
        pile->chunk_used = 0;
    }
    at = pile_payload(pile->chunks) + pile->chunk_used;
    pile->chunk_used += rounded;
    mem->used_bytes += size;
    return at;
}

static void pile_put(struct mem *mem, void *at, size_t size)
{
    (void)at;
    ENSURE(mem->used_bytes >= size);
    mem->used_bytes -= size;
}

void pile_init(struct pile *pile)
{
    *pile = (struct pile){
        .mem = {.get = pile_get, .put = pile_put, .limit_bytes = PILE_LIMIT_BYTES},
    };
}

void pile_clear(struct pile *pile)
{
    struct pile_chunk *keep = NULL;
    struct pile_chunk *chunk = pile->chunks;

    while (chunk != NULL) {
        struct pile_chunk *next = chunk->next;

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
    pile->chunks = keep;
    pile->chunk_used = 0;
    pile->mem.used_bytes = 0;
}

void pile_drop(struct pile *pile)
{
    pile_clear(pile);
    free(pile->chunks);
    pile->chunks = NULL;
}

struct span pile_copy(struct pile *pile, struct span span)
{
    uint8_t *at = mem_get(&pile->mem, span.len + 1);

    if (at == NULL) {
        return (struct span){0};
    }
    if (span.len > 0) {
        memcpy(at, span.at, span.len);
    }
    at[span.len] = 0;
    return span_make(at, span.len);
}
