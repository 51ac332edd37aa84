/* prep_view.h - the tree as it will be: applied state plus the changes still in flight.
 *
 * Part of prep. One record a path that a prepared, not yet applied transaction touched; it holds
 * the newest state. Each touch also stands in a queue by zxid, and a record goes with its last
 * touch. Between prep_view_begin and _commit or _rollback (a multi), each touch remembers the state
 * before. Paths are canonical: "" is the root. Source: Apache ZooKeeperServer.outstandingChanges.
 */
#ifndef PROTOCOL_PREP_VIEW_H
#define PROTOCOL_PREP_VIEW_H

#include "base/bytes.h"
#include "base/map.h"
#include "base/ring.h"
#include "tree/tree.h"

#include <stdbool.h>

/* What a path holds. */
struct prep_state {
    bool exists;
    struct stat_stored stat;
    uint32_t child_count;
    uint32_t data_len;
    uint32_t text_crc; /* of path and data (digest.h) */
    uint32_t crc;      /* the node's digest; 0 outside the digest */
    struct acl_list acl;
    size_t acl_size; /* of the record's own copy of acl.raw; 0 when it is lent by the tree */
    uint64_t born;   /* 1 + place in the queue of the touch that made the node; 0: not in flight */
};

struct prep_record;

struct prep_view {
    struct mem *mem;
    const struct tree *tree;
    struct map records; /* hash of the path -> struct prep_record */
    struct ring touches;
    struct ring undo;
    uint64_t seed;
    uint64_t digest; /* of the tree with everything in flight; valid while there are touches */
    bool digest_on;
    bool saving; /* a multi is being prepared */
};

void prep_view_init(struct prep_view *view, struct mem *mem, const struct tree *tree,
                    bool digest_on);
void prep_view_drop(struct prep_view *view);
/* Forget all changes. */
void prep_view_reset(struct prep_view *view);

/* What `path` holds now; state->exists false when it holds nothing. */
void prep_view_look(const struct prep_view *view, struct span path, struct prep_state *state);

/* `path` will hold `state` from `zxid` on; its digest is computed here. new_acl: state->acl is lent
 * by the caller and copied; else it must be what prep_view_look said. Errors: ERR_MEMORY. */
struct prep_change {
    struct span path;
    int64_t zxid;
    const struct prep_state *state;
    bool new_acl;
};
enum err prep_view_put(struct prep_view *view, const struct prep_change *change);

/* The tree holds everything up to `zxid` now. */
void prep_view_applied(struct prep_view *view, int64_t zxid);

void prep_view_begin(struct prep_view *view);
void prep_view_commit(struct prep_view *view);
void prep_view_rollback(struct prep_view *view);

/* Digest of the tree with everything in flight. */
uint64_t prep_view_digest(const struct prep_view *view);

/* The paths of the ephemerals that `session` will have, oldest first, encoded as in txn_paths.
 * Their number. */
uint32_t prep_view_ephemerals(const struct prep_view *view, int64_t session, struct bytes *raw);

#endif
