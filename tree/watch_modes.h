/* watch_modes.h - part of watch: what one connection has on one path, as bits.
 *
 * ZooKeeper 3.9 keeps a set of modes, enum watch_mode. 3.8 keeps two tables, data and child, and
 * in each of them one mode only: a later call replaces the earlier. The bits below say which of the
 * two a persistent or recursive watch of 3.8 still is in. */
#ifndef TREE_WATCH_MODES_H
#define TREE_WATCH_MODES_H

#include "tree/watch.h"

enum watch_table_mode {
    WATCH_PERSISTENT_DATA = 16,
    WATCH_PERSISTENT_CHILD = 32,
    WATCH_RECURSIVE_CHILD = 64, /* WATCH_RECURSIVE is the one in the data table */
};

/* What fires, at the path itself and above it. */
#define WATCH_AT_DATA     (WATCH_DATA | WATCH_PERSISTENT | WATCH_PERSISTENT_DATA | WATCH_RECURSIVE)
#define WATCH_AT_CHILDREN (WATCH_CHILD | WATCH_PERSISTENT | WATCH_PERSISTENT_CHILD)

/* Modes behind adding `more` (of enum watch_mode) to `modes`; one_mode: as 3.8. */
uint32_t watch_modes_add(uint32_t modes, uint32_t more, bool one_mode);
/* Modes that a removeWatches or checkWatches is about. */
uint32_t watch_modes_of_type(enum watch_type type, bool one_mode);
/* How often a watch counts in the two tables of Apache. */
uint64_t watch_modes_count(uint32_t modes);

#endif
