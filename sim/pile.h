/* pile.h - memory that is given back as a whole: scenarios, runs, what guests keep.
 *
 * Blocks come from the C heap in chunks; a put only counts. Not for simulated processes: their
 * memory belongs to the world. */
#ifndef SIM_PILE_H
#define SIM_PILE_H

#include "base/mem.h"
#include "base/span.h"

struct pile_chunk;
struct pile {
    struct mem mem;            /* first; limit_bytes may be lowered */
    struct pile_chunk *chunks; /* newest first */
    size_t chunk_used;         /* bytes of the newest one */
};

/* An empty pile with a limit of 1 GiB. */
void pile_init(struct pile *pile);
/* Forget every block; the largest chunk is kept, so that a loop does not return to the heap. */
void pile_clear(struct pile *pile);
void pile_drop(struct pile *pile);
/* A copy of `span` that ends with a zero byte (not counted in len). Empty when memory ran out. */
struct span pile_copy(struct pile *pile, struct span span);

#endif
