/* watch.h - who waits for what: watches of connections on paths.
 *
 * A watch is a set of modes that one connection has on one path; it need not exist. Firing costs
 * what it fires, plus one look-up per ancestor while any recursive watch exists. Order of firing:
 * watches of the path itself by age, then recursive ones on its ancestors, nearest first, each by
 * age; a connection is named once per firing. Connections are numbers of the caller (from 1).
 * Source: Apache WatchManager, PathParentIterator, DataTree.setWatches; docs/tree.md. */
#ifndef TREE_WATCH_H
#define TREE_WATCH_H

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"
#include "tree/code.h"
#include "tree/node.h"

/* Bits. */
enum watch_mode {
    WATCH_DATA = 1,       /* one shot: created, deleted, data changed */
    WATCH_CHILD = 2,      /* one shot: children changed, deleted */
    WATCH_PERSISTENT = 4, /* both, stays */
    WATCH_RECURSIVE = 8   /* created, deleted, data changed, here and below; stays */
};

/* The type field of removeWatches and checkWatches. */
enum watch_type {
    WATCH_TYPE_CHILDREN = 1,
    WATCH_TYPE_DATA = 2,
    WATCH_TYPE_ANY = 3,
    WATCH_TYPE_PERSISTENT = 4,
    WATCH_TYPE_RECURSIVE = 5
};

/* The lists of setWatches2, in their order in the request. */
enum watch_list {
    WATCH_LIST_DATA,
    WATCH_LIST_EXIST,
    WATCH_LIST_CHILD,
    WATCH_LIST_PERSISTENT,
    WATCH_LIST_RECURSIVE
};

struct watch_table;

struct watch_table *watch_make(struct mem *mem, uint64_t hash_seed);
/* As ZooKeeper 3.8, for terrarium.compat: a connection has one mode on a path in each of the tables
 * data and child, and a later call replaces the earlier; types 1 and 2 of removeWatches are about
 * whatever is in that table. Call it before anything is added. */
void watch_keep_one_mode(struct watch_table *table);
void watch_drop(struct watch_table *table);

/* Add modes (bits) of `conn` on `path`. Errors: ERR_MEMORY. */
enum err watch_add(struct watch_table *table, uint32_t conn, struct span path, uint32_t modes);

/* The connections to notify, in order. Made once by the caller and used for many calls. */
struct watch_hits {
    struct mem *mem;
    uint32_t *conns;
    uint32_t count, room;
};
void watch_hits_init(struct watch_hits *hits, struct mem *mem);
void watch_hits_drop(struct watch_hits *hits);

/* What happens when a tree_trigger fires: `hits` is cleared and filled, one-shot watches are used
 * up. DELETED fires data watches, then child watches; all others fire one kind. Errors: ERR_MEMORY
 * (nothing fired). */
enum err watch_fire(struct watch_table *table, enum zk_event event, struct span path,
                    struct watch_hits *hits);

/* removeWatches and checkWatches; `type` has been checked to be listed. True when there was one. */
bool watch_remove(struct watch_table *table, uint32_t conn, struct span path, enum watch_type type);
bool watch_check(const struct watch_table *table, uint32_t conn, struct span path,
                 enum watch_type type);
/* The connection is gone, with all its watches. */
void watch_remove_conn(struct watch_table *table, uint32_t conn);

/* One path of setWatches(2): `node` is what is at `path` now, or NULL. Either *event is what the
 * client has missed since relative_zxid (to be sent at once), or *event = EVENT_NONE and the watch
 * is set. Errors: ERR_MEMORY. */
struct watch_again {
    enum watch_list list;
    uint32_t conn;
    int64_t relative_zxid;
};
enum err watch_set_again(struct watch_table *table, const struct watch_again *again,
                         struct span path, const struct node *node, enum zk_event *event);

/* -- for wchs, wchc, wchp, mntr -- */
struct watch_counts {
    uint64_t conns;   /* with at least one watch */
    uint64_t paths;   /* watched */
    uint64_t watches; /* bits in both tables: a persistent watch counts twice */
};
void watch_count(const struct watch_table *table, struct watch_counts *counts);
/* The first watching connection >= `from`. */
bool watch_conn_seek(const struct watch_table *table, uint32_t from, uint32_t *conn);
/* Watches of one connection by age: start with NULL. The cursor is valid until the table changes.
 */
struct watch;
const struct watch *watch_next_of_conn(const struct watch_table *table, uint32_t conn,
                                       const struct watch *previous);
struct span watch_path(const struct watch *watch);
uint32_t watch_modes(const struct watch *watch);
uint32_t watch_conn(const struct watch *watch);
/* The oldest watch of the same path, and the next younger one: NULL at the end. */
const struct watch *watch_first_of_path(const struct watch *watch);
const struct watch *watch_next_of_path(const struct watch *watch);

#endif
