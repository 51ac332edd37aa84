/* client_watch.h - the watches that a client has on servers, to be set again after reconnecting.
 *
 * One entry a path with one bit a list of setWatches2 (1u << enum watch_list). Walked in the order
 * of the paths' hashes, which depends on the paths alone. Source: Apache ZKWatchManager. */
#ifndef PROTOCOL_CLIENT_WATCH_H
#define PROTOCOL_CLIENT_WATCH_H

#include "base/sorted.h"
#include "base/span.h"
#include "tree/watch.h"

struct client_watches {
    struct mem *mem;
    struct sorted table; /* hash of the path -> chain of struct client_watch */
    uint64_t count;      /* of paths */
};

void client_watches_init(struct client_watches *watches, struct mem *mem);
void client_watches_drop(struct client_watches *watches);
/* Errors: ERR_MEMORY. */
enum err client_watches_add(struct client_watches *watches, struct span path, enum watch_list list);
/* Take the lists in `bits` off `path`. */
void client_watches_remove(struct client_watches *watches, struct span path, uint32_t bits);
/* The lists that `path` is in, as bits. */
uint32_t client_watches_find(const struct client_watches *watches, struct span path);

/* An event of this type (enum zk_event) uses up the one-shot watches of `path` that it belongs to.
 */
void client_watches_fire(struct client_watches *watches, struct span path, int32_t event);

/* A place in the walk; all zero = before the first. Adding and removing end a walk. */
struct client_watch_cursor {
    uint64_t key;
    const struct client_watch *entry;
    bool ended;
};
bool client_watches_next(const struct client_watches *watches, struct client_watch_cursor *cursor,
                         struct span *path, uint32_t *bits);

#endif
