/* tree.h - the znodes, the sessions of the ensemble, and what a transaction does to them.
 *
 * tree_apply is total: every decodable transaction has an outcome, and applying one again to a tree
 * that holds (part of) its effect already is harmless - that is what replaying a log over a fuzzy
 * snapshot needs. Nothing here checks permissions or versions: preparation did (protocol/prep).
 *
 * All orders that anybody can see are functions of the history: children and ephemerals by age,
 * sessions by id. All memory comes from the one `struct mem` of tree_make; a create costs a bounded
 * number of steps, whatever the size of the tree. Source: Apache DataTree, DataNode, ZKDatabase;
 * docs/tree.md. */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include "base/bytes.h"
#include "tree/code.h"
#include "tree/node.h"
#include "tree/stat.h"
#include "tree/txn.h"

struct tree;

struct tree_options {
    uint64_t hash_seed;  /* placement in memory only; behaviour must not depend on it */
    bool digest_off;     /* zookeeper.digest.enabled=false: tree_digest stays 0 */
    bool extended_types; /* zookeeper.extendedTypesEnabled: TTL nodes exist */
    bool emulate_353;    /* zookeeper.emulate353TTLNodes */
};

/* A tree as an empty server has it: "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config".
 * NULL when memory ran out. */
struct tree *tree_make(struct mem *mem, const struct tree_options *options);
/* A tree without any node, to be filled by an image_reader (tree/image.h). */
struct tree *tree_make_bare(struct mem *mem, const struct tree_options *options);
/* NULL is allowed. Running image writers of this tree fail at their next call. O(nodes). */
void tree_drop(struct tree *tree);
/* The same in pieces of `nodes` (> 0): true when all is gone and `tree` is invalid. Until then the
 * tree may only be given to tree_drop and tree_drop_some. */
bool tree_drop_some(struct tree *tree, uint64_t nodes);

/* -- applying -- */

/* Something that watches may wait for, in the order in which it has to fire. */
struct tree_trigger {
    enum zk_event event; /* CREATED, DELETED, DATA_CHANGED or CHILDREN_CHANGED */
    struct span path;    /* lent from the transaction, a constant, or the result */
    const struct acl_entry
        *acl; /* of the node (also of a deleted one); until the next tree_apply */
};

/* What one operation did: of the transaction, or one of a multi. */
struct tree_op {
    int32_t type;     /* as in the transaction; OP_ERROR for every op of a failed multi */
    int32_t code;     /* 0 or a wire number */
    struct span path; /* of create*: the created node */
    struct zk_stat
        stat; /* after the op, of the created or changed node (create*, setData, setACL) */
};

/* Made once by the caller and used for many calls. */
struct tree_result {
    int32_t code;        /* 0, or why nothing happened; of a multi: its first bad code */
    struct tree_op op;   /* the outcome of a transaction that is not a multi */
    struct tree_op *ops; /* of a multi: in order */
    uint32_t op_count, op_room;
    struct tree_trigger *triggers;
    uint32_t trigger_count, trigger_room;
    bool quiet;        /* set by the caller: no triggers wanted (replay) */
    struct bytes text; /* paths that no transaction names */
    struct mem *mem;
};

void tree_result_init(struct tree_result *result, struct mem *mem);
void tree_result_drop(struct tree_result *result);

/* Do what `txn` says and remember its zxid. `result` is cleared first. Triggers lend from `txn` and
 * `result`.
 * Errors: ERR_MEMORY only; the tree is unchanged, except by a multi, a closeSession, or where a
 * quota is accounted: they may have been done in part. The caller stops the process: its memory is
 * the state that everybody relies on. */
enum err tree_apply(struct tree *tree, const struct txn *txn, struct tree_result *result);

/* Set the text of /zookeeper/config (made when missing): mzxid = version, version -1, mtime =
 * now_ms. Not a transaction. The caller fires EVENT_DATA_CHANGED. Errors: ERR_MEMORY. */
enum err tree_set_config(struct tree *tree, struct span text, int64_t version, int64_t now_ms);

/* -- looking -- */

/* The node at `path` ("" and "/" are the root), or NULL. Never validates. Valid until the next
 * change. */
const struct node *tree_find(const struct tree *tree, struct span path);
/* All nodes, the root and those below /zookeeper included. */
uint64_t tree_node_count(const struct tree *tree);
uint64_t tree_ephemeral_count(const struct tree *tree);
/* Sum of path and data lengths in bytes (mntr approximate_data_size). */
uint64_t tree_data_bytes(const struct tree *tree);
/* The last zxid applied, or set. */
int64_t tree_zxid(const struct tree *tree);
void tree_set_zxid(struct tree *tree, int64_t zxid);
/* AdHash of version 2; 0 with digest_off. */
uint64_t tree_digest(const struct tree *tree);
/* Number of nodes below `node`. O(result). */
uint64_t tree_count_below(const struct tree *tree, const struct node *node);
/* The node that follows `node` in a walk of everything below `top`: each before its children,
 * siblings by age; NULL at the end. Start with node = top. */
const struct node *tree_next(const struct node *top, const struct node *node);

/* -- sessions: the table that all servers share -- */

uint64_t tree_session_count(const struct tree *tree);
/* The timeout in ms of a session; false when there is none of that id. */
bool tree_session_find(const struct tree *tree, int64_t session, int32_t *timeout_ms);
/* The first session with id >= `from`, as unsigned numbers. To walk all: begin with 0, go on with
 * (int64_t)((uint64_t)id + 1), stop after -1; sessions may come and go on the way. */
bool tree_session_seek(const struct tree *tree, int64_t from, int64_t *session,
                       int32_t *timeout_ms);

/* Ephemerals of a session by age: for (n = tree_ephemeral_first(t, s); n; n = tree_linked_next(t,
 * n)). */
const struct node *tree_ephemeral_first(const struct tree *tree, int64_t session);
/* The first owner of ephemerals with id >= `from`, whether its session exists or not. */
bool tree_owner_seek(const struct tree *tree, int64_t from, int64_t *session, uint64_t *count);
/* The oldest node of kind NODE_CONTAINER or NODE_TTL, or NULL. */
const struct node *tree_kind_first(const struct tree *tree, enum node_kind kind);
/* The next younger ephemeral of the same session, or node of the same kind; NULL at the end. */
const struct node *tree_linked_next(const struct tree *tree, const struct node *node);

#endif
