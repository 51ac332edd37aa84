/* walk.h - visits everything that a tree held at one moment, in many short steps, while it changes.
 *
 * A walk writes the stream form of an image: the session table, the access lists, the nodes. What
 * is about to change or to go before the walk has come to it is written at once into a buffer
 * beside, as it was, with those of its ancestors that are not written either (a reader needs
 * parents first):
 *
 *       /            written          cursor at /b; a transaction changes /c/y
 *       |-- a        written
 *       |-- b   <--  next             beside: /c, /c/y as they were, both marked as written
 *       `-- c                         later the cursor passes both and goes on with /c/x
 *           |-- x                     then a transaction creates /d: marked as written, never
 * visited
 *           `-- y                                                    for output
 *
 * Marks are one bit per walk in each node, session and list. The value that means "written" changes
 * with every walk of a slot (walk_polarity), so that starting one touches nothing. Therefore a walk
 * that is given up must still be gone through to its end, without output: walk_turn does so bit by
 * bit. */
#ifndef TREE_WALK_H
#define TREE_WALK_H

#include "tree/state.h"

enum walk_phase {
    WALK_SESSIONS,
    WALK_LISTS,
    WALK_NODES,
    WALK_END
};

struct walk {
    struct mem *mem;
    struct tree *tree; /* NULL at the end, or when the tree has been dropped */
    uint8_t bit;
    enum walk_phase phase;
    bool mute;                                      /* marks only: given up, or out of memory */
    bool begun;                                     /* the first count is written */
    bool failed;                                    /* memory ran out */
    uint64_t session_count;                         /* at the start */
    uint64_t sessions_left, lists_left, nodes_left; /* not yet written */
    uint64_t next_session;
    struct list *next_list;
    struct node *next_node;
    struct bytes early_sessions; /* written beside */
    struct bytes early_nodes;
    size_t early_taken; /* of early_nodes: handed out already */
    struct bytes path;
    struct node **chain; /* from a node up to its highest unwritten ancestor */
    size_t chain_room;
};

/* Errors: ERR_MEMORY; ERR_REFUSED when all slots are taken. */
enum err walk_make(struct tree *tree, struct walk **made);
/* Append until out->len >= until, or many steps have been made, or the end: phase == WALK_END.
 * Errors: ERR_MEMORY; ERR_REFUSED when the tree is gone. */
enum err walk_step(struct walk *walk, struct bytes *out, size_t until);
/* The user is through with it, at the end or before. */
void walk_drop(struct walk *walk);

#endif
