/* arena.h - memory that is given back as a whole: scenarios, runs, what guests keep.
 *
 * Blocks come from the C heap in chunks; a put only counts. Not for simulated processes: their
 * memory belongs to the world. */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

#include "base/mem.h"
#include "base/span.h"

struct arena_chunk;
struct arena {
    struct mem mem;             /* first; limit_bytes may be lowered */
    struct arena_chunk *chunks; /* newest first */
    size_t chunk_used;          /* bytes of the newest one */
};

/* An empty arena with a limit of 1 GiB. */
void arena_init(struct arena *arena);
/* Forget every block; the largest chunk is kept, so that a loop does not return to the heap. */
void arena_clear(struct arena *arena);
void arena_drop(struct arena *arena);
/* A copy of `span` that ends with a zero byte (not counted in len). Empty when memory ran out. */
struct span arena_copy(struct arena *arena, struct span span);

#endif
