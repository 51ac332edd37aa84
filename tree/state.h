/* state.h - what a tree consists of: for the files of tree/ only.
 *
 * Whoever changes what an image would show of a node, session or list calls tree_before_change (or
 * walk_save_session) first; nothing else has to know of the walks. */
#ifndef TREE_STATE_H
#define TREE_STATE_H

#include "base/list.h"
#include "base/sorted.h"
#include "tree/image.h"
#include "tree/index.h"
#include "tree/quota.h"
#include "tree/tree.h"

struct walk;

/* A session of the table, or the owner of ephemerals, mostly both. */
struct tree_session {
    int64_t id;
    int32_t timeout_ms;
    bool known;    /* in the session table */
    uint8_t walks; /* one bit per walk */
    uint64_t ephemeral_count;
    struct list ephemerals; /* by age */
};

struct tree {
    struct mem *mem;
    struct tree_options options;
    struct index index;
    struct node *root; /* NULL only in a bare tree */
    struct acl_table acls;
    struct sorted sessions; /* id -> struct tree_session */
    uint64_t session_count; /* known ones */
    struct list containers, ttls;
    uint64_t digest;
    int64_t zxid;
    uint64_t ephemeral_count;
    uint64_t data_bytes;
    uint64_t quota_count; /* nodes named zookeeper_limits below /zookeeper/quota */
    struct bytes scratch; /* paths of quota nodes */
    /* Walks by slot. Bit s of a `walks` field equals bit s of walk_polarity when walk s has no more
     * to do with that object. Between walks that is so everywhere; a new walk flips its polarity.
     */
    struct walk *walk[IMAGE_WALKS];
    uint8_t walk_active;
    uint8_t walk_early;    /* those which have not written the access lists yet */
    uint8_t walk_given_up; /* those which nobody wants any more */
    uint8_t walk_polarity;
    struct node *dropping; /* tree_drop_some: where it is */
};

/* For every walk that has not written it yet: keep what it is now. walk.c */
void walk_save_node(struct tree *tree, struct node *node);
void walk_save_session(struct tree *tree, struct tree_session *session);
/* `node` is about to go: walks that would visit it next go past it. walk.c */
void walk_skip_node(struct tree *tree, const struct node *node);

/* Before a change of what an image shows of `node`. */
static inline void tree_before_change(struct tree *tree, struct node *node)
{
    if (((node->walks ^ tree->walk_polarity) & tree->walk_active) != 0) {
        walk_save_node(tree, node);
    }
}

/* What a new node is made of. */
struct tree_new_node {
    struct node *parent; /* NULL for the root */
    struct span path;    /* canonical */
    struct span name;    /* its last part */
    uint32_t hash;
    struct txn_data data;
    struct acl_list acl;
    struct stat_stored stat;
};

/* Add a node that does not exist yet; its parent changes only its list of children.
 * Errors: ERR_MEMORY (nothing changed). */
enum err tree_add_node(struct tree *tree, const struct tree_new_node *new_node,
                       struct node **added);
/* Remove a node and everything below it; what the removal does to its parent's stat is the
 * caller's. */
void tree_remove_node(struct tree *tree, struct node *node);
/* New contents; tree_update_text must follow. Errors: ERR_MEMORY (nothing changed). */
enum err tree_replace_data(struct tree *tree, struct node *node, struct txn_data data);
/* The node's data has changed, and maybe its stat: bring the digests up to date. `path` is the
 * node's (unused below /zookeeper/, where nothing is digested). */
void tree_update_text(struct tree *tree, struct node *node, struct span path);
/* The node's stat has changed: bring its digest and that of the tree up to date. */
void tree_update_digest(struct tree *tree, struct node *node);
struct node *tree_find_mutable(const struct tree *tree, struct span path);
/* The same for a canonical path whose hash is known. */
struct node *tree_look_up(const struct tree *tree, struct span path, uint32_t hash);

/* The session of that id, made when missing (not known). Errors: ERR_MEMORY. */
enum err tree_session_make(struct tree *tree, int64_t id, struct tree_session **session);
struct tree_session *tree_session_get(const struct tree *tree, int64_t id);
/* Free a session that is neither known nor an owner. */
void tree_session_forget(struct tree *tree, struct tree_session *session);
/* In the table, with that timeout. Errors: ERR_MEMORY. */
enum err tree_session_set(struct tree *tree, int64_t id, int32_t timeout_ms);
void tree_session_unset(struct tree *tree, struct tree_session *session);

/* The list links of a node with NODE_LINKED, and back. */
static inline struct list *node_link(const struct node *node)
{
    return (struct list *)(uintptr_t)node - 1;
}
static inline struct node *node_of_link(struct list *link)
{
    return (struct node *)(void *)(link + 1);
}

/* -- quota.c: the usage nodes follow what happens below their paths -- */

/* Is `node` a limits node? */
bool quota_is_limits(const struct tree *tree, const struct node *node);
/* After a change at `path`. Errors: ERR_MEMORY. */
enum err quota_account(struct tree *tree, struct span path, struct quota_change change);
/* After the creation of a usage node: fill it. Errors: ERR_MEMORY. */
enum err quota_created(struct tree *tree, struct node *node, struct span path);
/* After loading: recompute every usage node. Errors: ERR_MEMORY. */
enum err quota_recompute(struct tree *tree);

/* -- walk.c -- */

/* Between two transactions: given-up walks go on by so many steps, dead lists are freed. */
void walk_turn(struct tree *tree, uint32_t steps);
/* The tree goes away under its walks. */
void walk_cut_off(struct tree *tree);

#endif
