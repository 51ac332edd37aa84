/* arena.h - the address space that one world lives in: a part for the world, one for each process.
 *
 *     base                world_bytes          + stride            + stride
 *     | region of the world | room, region of p0 | room, region of p1 | ...
 *
 * Arenas are mapped once, at fixed addresses where the system allows it, and used again by the next
 * world: opening one touches only the books of its regions. A region fills memory when it hands it
 * out, so nothing of the previous world can be seen. */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

#include "base/mem.h"

#include <stdbool.h>

struct arena;

/* Called when a process asks for more than it may have; may not return. */
typedef void arena_exhausted(void *context);

/* An arena nobody uses, its world region empty; `elsewhere` takes it from the second base. NULL
 * when the system gives no address space. */
struct arena *arena_open(bool elsewhere, uint64_t process_bytes, uint8_t fill);
void arena_close(struct arena *arena, uint32_t process_count);
struct mem *arena_world_mem(struct arena *arena);
/* The empty memory of process `index`; NULL when the address space is used up. */
struct mem *arena_add(struct arena *arena, uint32_t index, uint8_t fill, arena_exhausted *exhausted,
                      void *context);
/* Forget everything in it and fill what was used: the process crashed. */
void arena_reset(struct arena *arena, uint32_t index, uint8_t fill);

/* Copies of the used parts. */
size_t arena_image_bytes(const struct arena *arena, uint32_t process_count);
void arena_save(struct arena *arena, uint32_t process_count, uint8_t *image);
void arena_load(struct arena *arena, uint32_t process_count, const uint8_t *image);

#endif
